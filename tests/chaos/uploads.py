"""What is uploaded: good pictures, bad ones, some deleted or overwritten before they are read."""

import hashlib
import io
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from cli.terminal import Progress
from local.cloud import EmbeddedAws

IMAGES = Path(__file__).parents[2] / "events" / "images"
AT_ONCE = 16

FOLDER = "folder marker"  # no upload: it has no outcome, but a failure if it could not be read
# Kinds of content with their weights, and what the ledger has to say of each in the end.
KINDS = {"good picture": 80, "truncated picture": 5, "text": 4, "no bytes": 1, FOLDER: 2}
EXPECTED = {
    "good picture": {"accepted", "none", "review", "reviewed", "confirmed"},
    "truncated picture": {"rejected: truncated"},
    "text": {"rejected: unsupported_format"},
    "no bytes": {"rejected: empty"},
    FOLDER: {"failed"},
}
DELETED = "object: deleted before it is read"
OVERWRITTEN = "object: overwritten"
BACK = "object: overwritten, and its bytes come back"
AGAIN = "object: deleted, and uploaded again"
FATES = {"": 86, DELETED: 4, OVERWRITTEN: 4, BACK: 3, AGAIN: 3}


@dataclass(frozen=True)
class Upload:
    """One content under one key. kind: of KINDS. survives: it is there in the end."""

    name: str
    kind: str
    survives: bool


@dataclass(frozen=True)
class Plan:
    """What is put under a key, and what becomes of it."""

    name: str
    kind: str
    content: bytes
    fate: str
    newer: bytes  # what overwrites it, a good picture


class Uploads:
    """Makes pictures that differ all, puts them, and keeps what was put."""

    def __init__(self, aws: EmbeddedAws, outputs: dict[str, str], seed: int) -> None:
        self.put: list[Upload] = []
        self.injected: Counter[str] = Counter()
        self._s3 = aws.client("s3")
        self._bucket, self._prefix = outputs["UploadBucket"], outputs["UploadPrefix"]
        self._random = random.Random(seed)
        self._pictures = [
            Image.open(path).convert("RGB").resize((96, 96))
            for path in sorted(IMAGES.glob("*.*"))
            if path.suffix in (".png", ".jpg") and path.stem != "no-image"
        ]

    def run(self, number: int, *, fates: bool = True) -> None:
        """Upload so many, several at once; fates: whether some are deleted or overwritten."""
        plans = list(self._plans(number, fates))
        with Progress() as progress, ThreadPoolExecutor(AT_ONCE) as pool:
            for done, _ in enumerate(pool.map(self._one, plans), 1):
                progress.tell(f"{done:,} of {number:,} uploaded")

    def _plans(self, number: int, fates: bool) -> Iterator[Plan]:
        for serial in range(number):
            [kind] = self._random.choices(list(KINDS), list(KINDS.values()))
            [fate] = self._random.choices(list(FATES), list(FATES.values()))
            if fates and fate:
                self.injected[fate] += 1
            newer = self._content("good picture")
            name = f"{serial:06}/" if kind == FOLDER else f"{serial:06}.png"
            yield Plan(name, kind, self._content(kind), fate if fates else "", newer)

    def _one(self, plan: Plan) -> None:
        key = f"{self._prefix}{plan.name}"
        older = [plan.content] if plan.fate not in (BACK, AGAIN) else [plan.content] * 2
        self._put(key, older[0])
        if plan.fate in (DELETED, AGAIN):
            self._s3.delete_object(Bucket=self._bucket, Key=key)
        if plan.fate in (OVERWRITTEN, BACK):
            self._put(key, plan.newer)
            survives = plan.fate == OVERWRITTEN
            self.put.append(Upload(self._name(key, plan.newer), "good picture", survives))
        for content in older[1:]:
            self._put(key, content)
        survives = plan.fate in ("", BACK, AGAIN) and plan.kind != FOLDER
        self.put.append(Upload(self._name(key, plan.content), plan.kind, survives))

    def _put(self, key: str, content: bytes) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=content)

    def _name(self, key: str, content: bytes) -> str:
        return f"{self._bucket}/{key}#{hashlib.md5(content, usedforsecurity=False).hexdigest()}"

    def _content(self, kind: str) -> bytes:
        if kind in ("no bytes", FOLDER):
            return b""
        if kind == "text":
            return f"no picture {self._random.random()}".encode()
        picture = self._random.choice(self._pictures).copy()
        colour: Any = tuple(self._random.randbytes(3))
        picture.putpixel((self._random.randrange(96), 0), colour)
        file = io.BytesIO()
        picture.save(file, "PNG", compress_level=1)
        content = file.getvalue()
        return content[: len(content) // 2] if kind == "truncated picture" else content
