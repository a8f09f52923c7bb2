"""Colours: any mode of Pillow becomes RGB, by its ICC profile, without transparency."""

import io

from PIL import Image, ImageChops
from rejection import unsupported
from stripped import Stripped


def resizable(image: Image.Image, stripped: Stripped) -> Image.Image:
    """Return the picture in a mode whose samples can be averaged."""
    if image.mode.startswith("I;16"):
        return of_8_bits(image, stripped)
    if image.mode in ("I", "F"):
        raise unsupported("the picture has samples of 32 bits, of which nothing says what is white")
    if image.mode == "1":
        image = image.convert("L")
    if stripped.transparency is not None:
        image.info["transparency"] = stripped.transparency
    if image.mode in ("P", "PA") or "transparency" in image.info:
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image


def of_8_bits(image: Image.Image, stripped: Stripped) -> Image.Image:
    """Return a grey picture of up to 16 bits in 8."""
    samples = image if image.mode == "I;16" else image.convert("I")  # "I;16B" of TIFF
    scale = 2 ** (stripped.bits - 8)
    grey = samples.point(lambda sample: sample / scale).convert("L")
    if stripped.inverted:
        grey = ImageChops.invert(grey)
    if stripped.transparency is not None:
        opaque = [255 * (sample != stripped.transparency) for sample in range(65_536)]
        grey.putalpha(image.convert("I").point(opaque, "L"))
    return grey


def over_white(image: Image.Image) -> Image.Image:
    """Return the picture without its transparency, as if it lay on white paper."""
    if image.mode not in ("LA", "La", "RGBA", "RGBa"):
        return image
    image = image.convert(image.mode.upper())
    paper = Image.new(image.mode.rstrip("A"), image.size, "white")
    paper.paste(image.convert(paper.mode), mask=image.getchannel("A"))
    return paper


def in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return the picture in RGB; converted to sRGB if it has an ICC profile that can be read."""
    if profile or image.mode == "LAB":
        from PIL import ImageCms

        try:
            source = (
                ImageCms.ImageCmsProfile(io.BytesIO(profile))
                if profile
                else ImageCms.createProfile("LAB")
            )
            srgb = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, source, srgb, outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
            converted = None  # a profile that cannot be used does not spoil the picture
        if converted is not None:
            return converted
    return image.convert("RGB")
