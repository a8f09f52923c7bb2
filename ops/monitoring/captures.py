"""Observations of what a SageMaker endpoint has captured, a JSON line for each inference.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html
"""

import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from PIL import Image, PngImagePlugin

from cli.escaping import escaped
from model.endpoint import capture_lines
from model.endpoint.capture_lines import BadLineError, body_of
from model.training.image_statistics import measured
from model.training.pictures import squashed
from ops.monitoring.observations import LONGEST_NAME, Observation, decide

MAX_PIXELS = 4_000_000  # the workflow sends 256x256; more than this is not measured
# Opening an animation makes a frame of its size, before that can be checked; without this reader
# of its header it is a plain picture, the same first one.
if hasattr(PngImagePlugin.PngStream, "chunk_acTL"):
    del PngImagePlugin.PngStream.chunk_acTL
FIRST = datetime(2017, 11, 29, tzinfo=UTC)  # SageMaker is not older
AHEAD = timedelta(days=1)  # clocks differ, but by no more


class Captures:
    """Observations of capture files; `bad` counts the lines left out, by kind of fault.

    labels: of an endpoint that answers numbers alone, by position. threshold, none_threshold: of
    the workflow. size: the side in pixels to which pictures are squashed before they are measured.
    """

    def __init__(
        self,
        labels: Sequence[str],
        threshold: float,
        none_threshold: float,
        size: int,
        bad: Counter[str] | None = None,
    ) -> None:
        self.labels, self.size = labels, size
        self.threshold, self.none_threshold = threshold, none_threshold
        self.bad: Counter[str] = Counter() if bad is None else bad

    def read(self, lines: Iterable[bytes | None], since: datetime | None) -> Iterator[Observation]:
        """Yield the observations of lines; None is a line that was too long."""
        for line in lines:
            if line is not None and not line.strip():
                continue
            try:
                seen = self.observation(line)
            except BadLineError as error:
                self.bad[str(error)] += 1
                continue
            if since is None or seen.time >= since:
                yield seen

    def observation(self, line: bytes | None) -> Observation:
        """Return the observation of a line; raises BadLineError."""
        if line is None:
            raise BadLineError(f"longer than {capture_lines.LINE_LIMIT:,} bytes")
        try:
            record = json.loads(line)
            time = datetime.fromisoformat(record["eventMetadata"]["inferenceTime"])
            captured = record["captureData"]
            sent, output = captured.get("endpointInput"), captured["endpointOutput"]
        except (ValueError, RecursionError):
            raise BadLineError("no JSON, or no time") from None
        except (KeyError, TypeError, AttributeError):
            raise BadLineError("no inferenceTime or no endpointOutput") from None
        time = time if time.tzinfo else time.replace(tzinfo=UTC)
        if not FIRST <= time <= datetime.now(UTC) + AHEAD:
            raise BadLineError("a time before SageMaker's or in the future")
        label, confidence, model = self.inference(body_of(output))
        picture = body_of(sent)
        statistics = _measured(picture, self.size)
        return Observation(
            time.astimezone(UTC),
            decide(label, confidence, self.threshold, self.none_threshold),
            model=model,
            label=label,
            confidence=confidence,
            threshold=self.threshold,
            statistics=statistics,
            picture=picture if statistics else None,
        )

    def inference(self, answer: bytes) -> tuple[str, float, str]:
        """Return label, confidence and model's version of an endpoint's answer.

        What Classify image refuses is no inference here either.
        """
        try:
            found = json.loads(answer)
        except (ValueError, RecursionError):
            raise BadLineError("an answer that is no JSON, CSV for instance") from None
        try:
            if isinstance(found, dict):
                entries = found["inferences"]
                pairs = [(_text(e["label"]), _probability(e["confidence"])) for e in entries]
                model = _text(found["model"])
            else:
                if found and not self.labels:
                    raise BadLineError(
                        "numbers without labels: name these in their order with --labels A,B"
                    )
                pairs = list(zip(self.labels, map(_probability, found), strict=True))
                model = ""
            label, confidence = max(pairs, key=lambda pair: pair[1])
        except (ValueError, KeyError, TypeError):
            raise BadLineError("an answer that holds no inferences for these labels") from None
        return escaped(label[:LONGEST_NAME]), confidence, escaped(model[:LONGEST_NAME])


def _text(value: object) -> str:
    """Return text with something to read in it, as Classify image takes it."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    value.encode()
    return value


def _probability(value: object) -> float:
    """Return a number of 0..1, as Classify image takes it."""
    if isinstance(value, list):
        raise BadLineError("lists in a list: an answer must be of one picture")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadLineError("a confidence that is no number")
    if not 0 <= value <= 1:
        raise BadLineError("a confidence outside 0..1")
    return float(value)


def _measured(picture: bytes, size: int) -> dict[str, float]:
    """Return the statistics of a PNG or JPEG file, none of anything else."""
    try:
        with Image.open(io.BytesIO(picture), formats=("PNG", "JPEG")) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                return {}
            small = squashed(opened.convert("RGB"), size)
    except Exception:  # of broken files Pillow raises what its parsers happen to meet
        return {}
    return measured(small)
