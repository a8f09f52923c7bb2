"""Two people who audit, review, change labels and take them back while everything around fails."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from botocore.exceptions import BotoCoreError, ClientError

from cli.errors import CommandError
from ops.reviewing.reviews import QUEUES, Labelled, Reviews
from ops.stack.ledger import Changed, Decision
from ops.stack.outputs import Stack

CLASSES = ("bicycle", "motorcycle", "other")
AT_ONCE = 20  # items of a queue that a person takes
PAUSE_S = 0.5
DIFFERS, CHANGES, UNDOES = 0.3, 0.1, 0.1  # shares of what a person does


class People:
    """What they have said: each change that was recorded, and how often they were refused."""

    def __init__(self, stack: str, region: str, seed: int) -> None:
        self.done: list[Decision] = []
        self.counts: Counter[str] = Counter()
        self._stack, self._region, self._seed = stack, region, seed
        self._over = threading.Event()
        self._lock = threading.Lock()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Let both work as long as this lasts."""
        threads = [
            threading.Thread(target=self._work, args=(name, self._seed + number))
            for number, name in enumerate(("ann", "bob"))
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join()

    def _work(self, name: str, seed: int) -> None:
        reviews, rng = Reviews(Stack(self._stack, self._region), name, CLASSES), Random(seed)
        for queue in itertools.cycle(QUEUES):
            if self._over.is_set():
                return
            try:
                items = reviews.queue(queue, AT_ONCE)
            except (ClientError, BotoCoreError, CommandError):
                self._count("queue: refused")
                items = []
            for item in items:
                self._answer(reviews, queue, item, rng)
            time.sleep(PAUSE_S)

    def _answer(self, reviews: Reviews, queue: str, item: Decision, rng: Random) -> None:
        label = rng.choice(CLASSES) if rng.random() < DIFFERS else item.label
        try:
            done = self._act(reviews, queue, item, label, rng.random())
        except Changed:
            self._count(f"{queue}: the other one was faster")
        except (ClientError, BotoCoreError, CommandError):
            self._count(f"{queue}: refused")
        else:
            if done and done.decision.revision > item.revision:
                with self._lock:
                    self.done.append(done.decision)
                self._count(f"{queue}: recorded")

    def _act(
        self, reviews: Reviews, queue: str, item: Decision, label: str, chance: float
    ) -> Labelled | None:
        if queue == "audits":
            return reviews.audit(item, label)
        if queue == "doubtful":
            return reviews.label(item, label)
        if chance < UNDOES:
            return reviews.undo(item)
        return reviews.relabel(item, label) if chance < UNDOES + CHANGES else None

    def _count(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1
