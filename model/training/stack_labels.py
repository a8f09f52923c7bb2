"""Labelled and audited pictures of a deployed stack, laid out to train and to measure with.

    DIR/train/CLASS/CONTENT__UPLOAD.jpg   DIR/train/weights.csv
    DIR/test/CLASS/CONTENT__UPLOAD.jpg    DIR/test/weights.csv     DIR/source.json

CONTENT is the beginning of the SHA-256 of the file and decides about the part: a picture that is
uploaded again, under whatever name, is never in the other one. UPLOAD is the name of the copy under
labelled/ of the stack's bucket. Training keeps files of one CONTENT in one fold, by the `__`.

What is known here of the ledger is described in docs/contracts.md; tests/model/training/
test_stack_labels.py holds it equal to ops/stack/ledger.py, which this room does not import.
"""

import csv
import hashlib
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from cli.contained import Contained, Exceeded
from cli.errors import CommandError, code_of
from cli.terminal import Progress
from model.training.pictures import WEIGHTS, DatasetError, upright
from model.training.suffixes import labelled_name

PARTS = ("train", "test")
SOURCE = "source.json"
PARTIAL = ".partial"  # what is not yet whole; training sees no folder that begins with a dot

LABELLED = "labelled/"
INDEX = "outcome-recorded_at"
# Of pictures that a person has judged. In this order: a label that is changed meanwhile moves an
# item from the first to the second, where it is listed again, and the later one counts.
OUTCOMES = ("confirmed", "reviewed")
ATTRIBUTES = ("upload", "s3_key", "etag", "label", "decision", "audit", "audit_share")
DOUBTFUL = ("review", "")  # decisions that all go to people; none: an item from before audits
AUDITED = ("agreed", "corrected")
CLASS = re.compile(r"[^\W_][\w .-]{0,62}")  # it becomes a folder
GONE = {"404", "NoSuchKey", "NotFound", "412", "PreconditionFailed"}

NAME = re.compile(r"([0-9a-f]{16})__([0-9a-f]{32}\.[a-z]+)")
TOGETHER = 64  # pictures, of at most 25 MiB each: what an interruption can lose
THREADS = 8
# To read one picture, which a stranger has uploaded; training will read it again.
MAX_MEMORY_MB, MAX_SECONDS = 1_000, 20
CONNECT_S, READ_S, ATTEMPTS = 5, 30, 6


@dataclass(frozen=True)
class Label:
    """What a person has said of an upload. weight: the decisions that it stands for."""

    upload: str
    key: str
    etag: str
    label: str
    weight: float

    @classmethod
    def of(cls, item: Mapping[str, Mapping[str, str]]) -> "Label":
        """Return an item of the ledger, in DynamoDB's typed JSON, as a label."""
        given = {name: next(iter(value.values())) for name, value in item.items()}
        return cls(
            given["upload"],
            given["s3_key"],
            given["etag"],
            given["label"],
            weight(
                given.get("decision", ""),
                given.get("audit", ""),
                float(given.get("audit_share", 0)),
            ),
        )

    @property
    def name(self) -> str:
        """The name of the picture's copy in the bucket."""
        return labelled_name(self.upload, self.key)


def weight(decision: str, audit: str, audit_share: float) -> float:
    """Return how many decisions of the stack a label stands for.

    Every doubtful picture goes to a person: 1. Of what software acts on, audit_share percent were
    drawn: 100 / audit_share, the inverse of the chance (Horvitz and Thompson 1952, "A
    Generalization of Sampling Without Replacement"). A decision that somebody has corrected
    without an audit was not drawn: 0, since the audits stand for it.
    """
    if decision in DOUBTFUL:
        return 1.0
    return 100 / audit_share if audit in AUDITED and audit_share > 0 else 0.0


class LabelledStack:
    """The ledger's labels and the upload bucket of a stack."""

    def __init__(self, name: str, region: str | None = None) -> None:
        import boto3
        from botocore.config import Config

        session = boto3.session.Session(region_name=region)
        config = Config(
            connect_timeout=CONNECT_S,
            read_timeout=READ_S,
            max_pool_connections=THREADS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        )
        cloudformation = session.client("cloudformation", config=config)
        outputs = _outputs(cloudformation, name)
        self.name, self.bucket = name, outputs["UploadBucket"]
        self._table = outputs["DecisionsTable"]
        self._dynamodb = session.client("dynamodb", config=config)
        self._s3 = session.client("s3", config=config)

    def labels(self) -> Iterator[Label]:
        """Yield what people have said, by outcome, in the order in which it was recorded."""
        query = self._dynamodb.get_paginator("query")
        for outcome in OUTCOMES:
            pages = query.paginate(
                TableName=self._table,
                IndexName=INDEX,
                KeyConditionExpression="outcome = :outcome",
                ExpressionAttributeValues={":outcome": {"S": outcome}},
                ProjectionExpression=", ".join(f"#{name}" for name in ATTRIBUTES),
                ExpressionAttributeNames={f"#{name}": name for name in ATTRIBUTES},
            )
            for page in pages:
                yield from map(Label.of, page["Items"])

    def fetch(self, label: Label, path: Path) -> bool:
        """Write the labelled copy, or else the upload itself; tell whether there is any."""
        copy = {"Key": f"{LABELLED}{label.label}/{label.name}"}
        for address in (copy, {"Key": label.key, "IfMatch": label.etag}):
            try:
                body = self._s3.get_object(Bucket=self.bucket, **address)["Body"]
            except self._s3.exceptions.ClientError as error:
                if code_of(error) not in GONE:
                    raise
                continue
            with body, path.open("wb") as file:
                shutil.copyfileobj(body, file)
            return True
        return False


def _outputs(cloudformation: Any, name: str) -> dict[str, str]:
    """Return the Outputs of a stack; raises CommandError where there is none, or none of ours."""
    try:
        [stack] = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except cloudformation.exceptions.ClientError as error:
        if "does not exist" not in str(error):
            raise
        raise CommandError(
            f"there is no stack {name} in {cloudformation.meta.region_name}: name another with"
            " --from-stack, or look in another --region"
        ) from error
    found = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    if not {"UploadBucket", "DecisionsTable"} <= found.keys():
        raise CommandError(
            f"the stack {name} has no outputs UploadBucket and DecisionsTable"
            f" (status {stack['StackStatus']}): it is not of template.yaml, or not complete"
        )
    return found


@dataclass
class Taken:
    """What is in the folder now.

    pictures: how many, by part and class. fetched: of these, by this run. gone: labels whose
    picture is neither in the bucket nor here. left_out: the others without a picture, with the
    reason. removed: files whose label has been taken back.
    """

    pictures: dict[str, Counter[str]] = field(
        default_factory=lambda: {part: Counter() for part in PARTS}
    )
    fetched: int = 0
    gone: int = 0
    left_out: list[str] = field(default_factory=list)
    removed: int = 0


def lay_out(stack: LabelledStack, out: Path, held_out: float) -> Taken:
    """Bring a folder to the labels of a stack; what is there already is not fetched again.

    held_out: percent of the pictures that are in test/. In memory are the names of all pictures,
    and one picture at a time. Raises DatasetError for a folder of something else.
    """
    _claim(out, stack.bucket, held_out)
    taken, here = Taken(), _present(out)
    placed: dict[str, tuple[Path, float]] = {}
    listed = stack.labels()
    with _partial(out) as partial, _threads() as pool, Progress() as progress:
        while batch := {label.name: label for label in islice(listed, TOGETHER)}:
            usable = [label for label in batch.values() if _has_folder(label, taken)]
            missing = [label for label in usable if not _is_whole(here.get(label.name))]
            fetched = pool.map(lambda label: stack.fetch(label, partial / label.name), missing)
            found = {label.name for label, there in zip(missing, fetched, strict=True) if there}
            wanting = {label.name for label in missing} - found
            for label in usable:
                if label.name in wanting:
                    taken.gone += 1
                    continue
                if label.name in found:
                    path = partial / label.name
                    if not _readable(path, label, taken):
                        continue
                    taken.fetched += 1
                    content = _content(path)
                else:
                    path = here[label.name]
                    content = path.name.partition("__")[0]
                target = out / part_of(content, held_out) / label.label / f"{content}__{label.name}"
                target.parent.mkdir(parents=True, exist_ok=True)
                path.replace(target)
                if (before := here.get(label.name)) and before != target:
                    before.unlink(missing_ok=True)  # a damaged one, of what is fetched anew
                here[label.name], placed[label.name] = target, (target, label.weight)
            progress.tell(f"{len(placed):,} labelled pictures, {taken.fetched:,} fetched")
    for name in here.keys() - placed.keys():
        here[name].unlink()
        taken.removed += 1
    for part in PARTS:
        _write_weights(out / part, placed)
        for folder in _folders(out / part):
            with suppress(OSError):  # of a class that has no picture any more: training refuses it
                folder.rmdir()
    for path, _ in placed.values():
        taken.pictures[path.parts[-3]][path.parent.name] += 1
    return taken


def part_of(content: str, held_out: float) -> str:
    """Return the part of a picture: test for held_out percent of them.

    content: 16 hexadecimal digits of the file's SHA-256. A larger share only adds to test.
    """
    return "test" if int(content, 16) * 100 < held_out * 2**64 else "train"


def _claim(out: Path, bucket: str, held_out: float) -> None:
    """Note whose labels a folder holds, and how they are split.

    Raises DatasetError if it holds others: their pictures would be taken for removed ones, or have
    been trained on before they are in test.
    """
    source, wanted = out / SOURCE, {"bucket": bucket, "held_out_percent": held_out}
    if source.is_file():
        try:
            found = json.loads(source.read_text())
        except ValueError:
            found = None
        if found != wanted:
            raise DatasetError(
                f"{source} says {json.dumps(found)}, asked for is {json.dumps(wanted)}: give the"
                " same stack and --held-out, or another --out"
            )
        return
    if any((out / part).exists() for part in PARTS):
        raise DatasetError(
            f"{out} holds a train or test folder without {SOURCE}, which is not of --from-stack:"
            " give another --out"
        )
    out.mkdir(parents=True, exist_ok=True)
    source.write_text(json.dumps(wanted) + "\n")


def _folders(part: Path) -> list[Path]:
    return [path for path in part.iterdir() if path.is_dir()] if part.is_dir() else []


def _present(out: Path) -> dict[str, Path]:
    """Return the pictures that earlier runs have laid out, by the name of their copy."""
    return {
        match[2]: path
        for part in PARTS
        for folder in _folders(out / part)
        for path in folder.iterdir()
        if (match := NAME.fullmatch(path.name))
    }


def _has_folder(label: Label, taken: Taken) -> bool:
    """Tell whether a label can be the name of a folder; it may be that of any endpoint."""
    if CLASS.fullmatch(label.label):
        return True
    taken.left_out.append(f"{label.upload}: the label {label.label!r} is no name of a folder")
    return False


def _is_whole(path: Path | None) -> bool:
    """Tell whether a file is still what its name says; this takes no call, and tells more."""
    return path is not None and _content(path) == path.name.partition("__")[0]


def _readable(path: Path, label: Label, taken: Taken) -> bool:
    """Tell whether training can read a picture: one that it cannot would stop it."""
    try:
        why = _fault(path)
    except Exceeded as error:
        why = str(error)
    if why:
        taken.left_out.append(f"{label.upload}: {why}")
    return not why


def fault_of(path: Path) -> str:
    """Return why a picture cannot be read, or nothing."""
    try:
        upright(path)
    except DatasetError as error:
        return str(error).removeprefix(f"{path}: ")
    return ""


_fault = Contained(fault_of, MAX_MEMORY_MB, MAX_SECONDS)


def _content(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _write_weights(part: Path, placed: Mapping[str, tuple[Path, float]]) -> None:
    """Write how many decisions each picture of a part stands for."""
    part.mkdir(exist_ok=True)
    unfinished = part / f"{WEIGHTS}.partial"
    with unfinished.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("file", "weight"))
        for path, value in sorted(placed.values()):
            if path.is_relative_to(part):
                writer.writerow((path.relative_to(part).as_posix(), f"{value:.6g}"))
    unfinished.replace(part / WEIGHTS)


@contextmanager
def _partial(out: Path) -> Iterator[Path]:
    """Make a folder for files that are being fetched; it goes at the end, and on Ctrl-C."""
    folder = out / PARTIAL
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _threads() -> Iterator[ThreadPoolExecutor]:
    """Give threads that finish no more than they have begun when something goes wrong."""
    pool = ThreadPoolExecutor(THREADS)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
