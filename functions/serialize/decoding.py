"""Run the one decoder that a file asks for, within its bounds."""

import importlib

from bounds import (
    MAX_ONE_SCAN_PIXELS,
    BoundedFile,
    check_before_opening,
    check_compression,
    check_size,
)
from formats import HEIF, PNG, TIFF, Format
from PIL import Image, ImageFile, UnidentifiedImageError
from rejection import ImageRejected, Reason
from truncation import ends_early

# Pillow's own limit, before a decoder is made, is twice this.
Image.MAX_IMAGE_PIXELS = MAX_ONE_SCAN_PIXELS


def decoded(kind: Format, data: bytes, longest_side: int) -> ImageFile.ImageFile:
    """Return the first picture of a file, decoded.

    longest_side: pixels; a JPEG is decoded at the least 1/1, 1/2, 1/4 or 1/8 of its size that
    has as many.
    Raises ImageRejected and nothing else.
    """
    check_before_opening(kind, data)
    register(kind)
    try:
        image = Image.open(BoundedFile(data), formats=(kind.name,))
        check_size(kind, data, image)
        if kind is TIFF:
            check_compression(image)
        image.draft(None, fitted(image.size, longest_side))
        image.load()
    except ImageRejected:
        raise
    except Exception as error:  # whatever the parser of a format stumbles over
        raise rejection(kind, data, error) from error
    if image.mode == "P" and image.palette is None:
        raise ImageRejected(Reason.CORRUPT, f"the {kind.name} has no palette for its colours.")
    return image


def rejection(kind: Format, data: bytes, error: Exception) -> ImageRejected:
    """Return why a file cannot be decoded: its decoder's error, or what its structure tells."""
    if isinstance(error, Image.DecompressionBombError | MemoryError):
        return ImageRejected(
            Reason.TOO_MANY_PIXELS, f"the {kind.name} takes more memory than there is ({error})."
        )
    if ends_early(kind, data):
        return ImageRejected(
            Reason.TRUNCATED,
            f"the {kind.name} ends early, after {len(data):,} bytes. Upload it again.",
        )
    if isinstance(error, UnidentifiedImageError):  # its message is an address in memory
        return ImageRejected(Reason.CORRUPT, f"the {kind.name}'s header cannot be read.")
    return ImageRejected(Reason.CORRUPT, f"the {kind.name} cannot be decoded: {str(error)[:200]}.")


def register(kind: Format) -> None:
    """Import the decoder of a format, on its first picture: a lean cold start."""
    module = importlib.import_module(kind.module)
    if kind is PNG and hasattr(module.PngStream, "chunk_acTL"):
        # Opening an animation makes a frame of its size, before that can be checked; without this
        # reader of its header it is a plain picture, the same first one.
        del module.PngStream.chunk_acTL
    if kind is HEIF:
        # What else the file holds is not looked at; a thumbnail may show another picture.
        module.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)


def fitted(size: tuple[int, int], longest_side: int) -> tuple[int, int]:
    """Return the size that keeps the proportions and has no side longer; it never enlarges."""
    scale = min(1, longest_side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
