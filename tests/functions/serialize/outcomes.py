"""What became of a file: the canonical picture, decoded, or the rejection."""

import io

import pytest
from PIL import Image

from tests.functions.serialize.pictures import QUARTERS
from tests.support.functions import load_function

canonical = load_function("serialize", "canonical")
ImageRejected = canonical.ImageRejected

# Of 255: JPEG at quality 90, and the rounding of colour conversions on the way.
TOLERANCE = 15


def picture_of(data: bytes) -> Image.Image:
    """Return the canonical picture of a file, decoded."""
    picture = canonical.canonical_picture(data)
    with Image.open(io.BytesIO(picture.data)) as image:
        assert Image.MIME[image.format or ""] == picture.content_type
        image.load()
        return image


def sentence_of(data: bytes) -> tuple[str, str]:
    """Return the reason and the sentence of a rejection."""
    with pytest.raises(ImageRejected) as rejected:
        canonical.canonical_picture(data)
    reason, _, sentence = str(rejected.value).partition(": ")
    assert reason == rejected.value.reason
    assert sentence.endswith(".")
    return reason, sentence


def rejection_of(data: bytes) -> str:
    return sentence_of(data)[0]


def check_quarters(image: Image.Image, grey: bool = False) -> None:
    """Fail unless the picture shows the four quarters, upright."""
    for quarter, (x, y) in zip(QUARTERS, ((1, 1), (3, 1), (1, 3), (3, 3)), strict=True):
        light = (299 * quarter[0] + 587 * quarter[1] + 114 * quarter[2]) // 1000
        shown = image.getpixel((image.width * x // 4, image.height * y // 4))
        assert shown == pytest.approx((light,) * 3 if grey else quarter, abs=TOLERANCE)
