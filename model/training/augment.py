"""Variations of one picture, such that training on 32 pixels holds on photos of phones.

Everything happens to decoded RGB pixels, to every class alike, JPEG artefacts included: the
format of a file must not tell its class.
"""

import io
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

BICUBIC = Image.Resampling.BICUBIC


def augmented(picture: Image.Image, size: int, rng: Random) -> NDArray[np.uint8]:
    """Return a random variation of an RGB picture, as (size, size, 3) uint8."""
    if rng.random() < 0.5:
        picture = ImageOps.mirror(picture)
    if rng.random() < 0.5:
        picture = jpeg(picture, quality=rng.randint(50, 95))
    if rng.random() < 0.1:  # a product shot, or a screenshot with borders
        border = int(rng.uniform(0.05, 0.3) * max(picture.size))
        shade = rng.choice([(255, 255, 255), (255, 255, 255), (0, 0, 0), (127, 127, 127)])
        picture = ImageOps.expand(picture, border, shade)
    picture = cropped(picture, size, rng)
    if rng.random() < 0.5:
        picture = tilted(picture, rng)
    picture = coloured(picture, rng)
    draw = rng.random()
    if draw < 0.3:  # the sharp edges that a picture of 32 pixels lost
        picture = picture.filter(
            ImageFilter.UnsharpMask(rng.uniform(1, 4), percent=rng.randint(50, 200), threshold=0)
        )
    elif draw < 0.35:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 1.5)))
    pixels = np.asarray(picture)
    if rng.random() < 0.1:  # the grain of a dim street
        noise = np.random.default_rng(rng.getrandbits(32)).normal(
            0, rng.uniform(2, 8), pixels.shape
        )
        pixels = np.clip(pixels + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.1:
        pixels = erased(pixels, rng)
    return pixels


def jpeg(picture: Image.Image, quality: int) -> Image.Image:
    """Return the picture with the artefacts of JPEG compression of that quality (1..95)."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def cropped(picture: Image.Image, size: int, rng: Random) -> Image.Image:
    """Return a square of 70-100 % of the area, any place, aspect changed by at most 5:4."""
    width, height = picture.size
    area, aspect = rng.uniform(0.7, 1), np.exp(rng.uniform(-0.22, 0.22))
    w, h = min(1, (area * aspect) ** 0.5) * width, min(1, (area / aspect) ** 0.5) * height
    left, top = rng.uniform(0, width - w), rng.uniform(0, height - h)
    return picture.resize((size, size), BICUBIC, box=(left, top, left + w, top + h))


def tilted(picture: Image.Image, rng: Random) -> Image.Image:
    """Return the picture rotated by up to 15 degrees and sheared; corners get the mean colour."""
    angle, shear = np.radians(rng.uniform(-15, 15)), rng.uniform(-0.15, 0.15)
    a, b, c, d = np.cos(angle), -np.sin(angle) + shear, np.sin(angle), np.cos(angle)
    half = picture.width / 2
    matrix = (a, b, half * (1 - a - b), c, d, half * (1 - c - d))
    mean = tuple(int(shade) for shade in np.asarray(picture).mean((0, 1)))
    return picture.transform(
        picture.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=mean
    )


def coloured(picture: Image.Image, rng: Random) -> Image.Image:
    """Return the picture with brightness, contrast and saturation changed by up to 30 %."""
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        if rng.random() < 0.6:
            picture = enhance(picture).enhance(rng.uniform(0.7, 1.3))
    return ImageOps.grayscale(picture).convert("RGB") if rng.random() < 0.03 else picture


def erased(pixels: NDArray[np.uint8], rng: Random) -> NDArray[np.uint8]:
    """Return the pixels with one rectangle, at most a sixth of them, painted over: an occlusion."""
    height, width, _ = pixels.shape
    h, w = int(rng.uniform(0.1, 0.4) * height), int(rng.uniform(0.1, 0.4) * width)
    top, left = rng.randint(0, height - h), rng.randint(0, width - w)
    pixels = pixels.copy()
    pixels[top : top + h, left : left + w] = [rng.randint(0, 255) for _ in range(3)]
    return pixels
