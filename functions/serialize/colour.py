"""Colours: any mode of Pillow becomes RGB, by its ICC profile, without transparency."""

import io

from PIL import Image
from rejection import ImageRejected, Reason


def resizable(image: Image.Image) -> Image.Image:
    """Return the picture in a mode whose samples can be averaged."""
    if image.mode in ("P", "PA") or (image.mode in ("L", "RGB") and "transparency" in image.info):
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.mode.startswith("I;16"):
        samples = image if image.mode == "I;16" else image.convert("I")  # "I;16B" of TIFF
        return samples.point(lambda sample: sample / 256).convert("L")
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("I", "F"):
        raise ImageRejected(
            Reason.UNSUPPORTED_FORMAT,
            "the picture has samples of 32 bits, of which no format says what is white; "
            "the limit is 16 bits.",
        )
    return image


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
