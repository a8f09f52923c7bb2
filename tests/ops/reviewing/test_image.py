"""Pictures for the browser: what is shown as it is, what is converted, and what that may cost."""

import io
import resource

import pytest
from PIL import Image

from ops.reviewing.image import CONVERTED, MAX_PIXELS, UNKNOWN, shown, thumbnail
from tests.functions.serialize import attacks
from tests.functions.serialize.pictures import file_of, quarters
from tests.support.functions import load_function


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "HEIF"])
def test_every_form_of_picture_is_shown(form: str) -> None:
    if form == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    out = io.BytesIO()
    Image.new("RGB", (20, 10), "red").save(out, form)
    kind, data = shown(out.getvalue())
    expected = {"TIFF": "jpeg", "HEIF": "jpeg"}.get(form, form.lower())
    assert kind == f"image/{expected}"
    assert Image.open(io.BytesIO(data)).size == (20, 10)


def test_what_is_no_picture_is_not_shown_as_one() -> None:
    assert shown(b"<svg onload=alert(1)>") == (UNKNOWN, b"<svg onload=alert(1)>")


def test_only_what_the_workflow_takes_is_converted_and_no_larger_picture() -> None:
    formats = load_function("serialize", "formats").FORMATS
    others = {kind.name: kind.max_pixels for kind in formats if kind.name in CONVERTED}
    assert {kind.name for kind in formats} - {"PNG", "JPEG", "GIF", "WEBP"} == set(others)
    assert set(others) == set(CONVERTED)
    assert max(others.values()) == MAX_PIXELS


@pytest.mark.parametrize("form", ["PPM", "TGA", "ICO", "PCX"])
def test_a_format_that_the_workflow_refuses_is_not_decoded(form: str) -> None:
    out = io.BytesIO()
    Image.new("RGB", (20, 10), "red").save(out, form)
    assert shown(out.getvalue()) == (UNKNOWN, out.getvalue())


def test_a_picture_of_more_pixels_than_the_workflow_takes_is_not_decoded() -> None:
    out = io.BytesIO()
    Image.new("1", (8_000, 8_001)).save(out, "TIFF", compression="group4")
    assert shown(out.getvalue()) == (UNKNOWN, out.getvalue())


@pytest.mark.parametrize("name", ["exif_of_shared_values", "tiff_of_shared_values"])
def test_a_picture_that_would_take_gigabytes_costs_the_console_none(name: str) -> None:
    attack = getattr(attacks, name)()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    thumbnail(attack)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB
    kind, _ = thumbnail(file_of(quarters(), "PNG"))  # the next one is made
    assert kind == "image/jpeg"
