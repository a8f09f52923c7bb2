"""Uploads of several outcomes in one order, and what was found of each, in a few words."""

import heapq
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

from cli.errors import CommandError
from ops.stack.ledger import Decision, Ledger

FOUND_CHARACTERS = 60
LOOKED_AT = 2_000  # items of the ledger that are read for one page: a few megabytes


def newest(
    ledger: Ledger, outcomes: Sequence[str], since: str, *, until: str = "9", at_once: int = 0
) -> Iterator[Decision]:
    """Yield the items of some outcomes, newest first; a page of each is held at most.

    at_once: items of each outcome that a call reads, 0 for a megabyte.
    """
    items = [
        ledger.of_outcome(name, since=since, until=until, newest_first=True, at_once=at_once)
        for name in outcomes
    ]
    yield from heapq.merge(*items, key=attrgetter("recorded_at"), reverse=True)


def finding(item: Decision) -> str:
    """Return label and confidence of a decision, the reason of what has none."""
    if not item.label:
        return item.reason[:FOUND_CHARACTERS]
    person = item.outcome in ("reviewed", "confirmed")
    by = f", by {item.reviewer}" if person else f" {item.confidence:.3f}"
    return f"{item.label}{by}"[:FOUND_CHARACTERS]


@dataclass(frozen=True)
class Page:
    """A page of uploads, newest first. cursor: to go on with, "" if there is nothing more.

    looked_at: how many items were read for it.
    """

    items: list[Decision]
    cursor: str
    looked_at: int


def listed(
    ledger: Ledger,
    outcomes: Sequence[str],
    count: int,
    *,
    since: str = "",
    until: str = "9",
    cursor: str = "",
    keep: Callable[[Decision], bool] = lambda _: True,
) -> Page:
    """Return a page of at most so many items that are kept; LOOKED_AT are read at most.

    since, until: bounds as Ledger.of_outcome() takes them. cursor: that of the page before. Raises
    CommandError for another text.
    """
    time, skipped = until, 0
    if cursor:
        time, mark, number = cursor.rpartition("~")
        if not (
            mark and re.fullmatch("[0-9TZ:.-]{19,32}", time) and re.fullmatch("[0-9]{1,6}", number)
        ):
            raise CommandError(f"{cursor!r} is no place of the list: begin with the first page")
        skipped = int(number)
    found = newest(ledger, outcomes, since, until=time, at_once=count + 1)
    # What was recorded in one millisecond has no order but that of the index: it is counted.
    items, last, at_last = list[Decision](), "", 0
    looked_at = 0
    for item in found:
        at_last = at_last + 1 if item.recorded_at == last else 1
        last = item.recorded_at
        if cursor and last == time and at_last <= skipped:
            continue
        looked_at += 1
        if keep(item):
            items.append(item)
        if len(items) == count or looked_at == LOOKED_AT:
            break
    more = next(found, None) is not None
    return Page(items, f"{last}~{at_last}" if more else "", looked_at)
