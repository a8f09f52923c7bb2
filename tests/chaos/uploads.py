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

from local.cloud import EmbeddedAws
from ops.progress import Progress

IMAGES = Path(__file__).parents[2] / "events" / "images"
AT_ONCE = 16
KINDS = {"good picture": 80, "truncated picture": 5, "text": 4, "no bytes": 1}
FATES = {"": 90, "object: deleted before it is read": 4, "object: overwritten": 6}


@dataclass(frozen=True)
class Upload:
    """One put of an object. survives: it is there to the end."""

    name: str
    survives: bool


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

    def _plans(self, number: int, fates: bool) -> Iterator[tuple[str, bytes, str, bytes]]:
        for serial in range(number):
            [kind] = self._random.choices(list(KINDS), list(KINDS.values()))
            [fate] = self._random.choices(list(FATES), list(FATES.values()))
            if fates and fate:
                self.injected[fate] += 1
            newer = self._content("good picture")
            yield f"{serial:06}.png", self._content(kind), fate if fates else "", newer

    def _one(self, plan: tuple[str, bytes, str, bytes]) -> None:
        name, content, fate, newer = plan
        key = f"{self._prefix}{name}"
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=content)
        self.put.append(Upload(self._name(key, content), survives=not fate))
        if fate == "object: deleted before it is read":
            self._s3.delete_object(Bucket=self._bucket, Key=key)
        if fate == "object: overwritten":
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=newer)
            self.put.append(Upload(self._name(key, newer), survives=True))

    def _name(self, key: str, content: bytes) -> str:
        return f"{self._bucket}/{key}#{hashlib.md5(content, usedforsecurity=False).hexdigest()}"

    def _content(self, kind: str) -> bytes:
        if kind == "no bytes":
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
