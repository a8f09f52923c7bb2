"""Figures of a picture that need no model: the card keeps them, monitoring compares them."""

import numpy as np
from PIL import Image


def brightness(picture: Image.Image) -> float:
    """Return the mean luma (ITU-R 601, 0..1) of a picture."""
    return float(np.asarray(picture.convert("L"), np.float32).mean() / 255)


def sharpness(picture: Image.Image) -> float:
    """Return the deviation of the 4-neighbour Laplacian of the luma (0..1); blurred is low."""
    luma = np.asarray(picture.convert("L"), np.float32) / 255
    centre = luma[1:-1, 1:-1]
    sides = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]
    return float((sides - 4 * centre).std())


def colour(picture: Image.Image) -> float:
    """Return the mean chroma (largest less smallest of R, G, B; 0..1); a grey picture has none."""
    values = np.asarray(picture.convert("RGB"), np.float32)
    return float((values.max(2) - values.min(2)).mean() / 255)


# Name, function and a bound that photographs stay below: where a histogram ends.
STATISTICS = {
    "brightness": (brightness, 1.0),
    "sharpness": (sharpness, 0.5),
    "colour": (colour, 1.0),
}


def measured(picture: Image.Image) -> dict[str, float]:
    """Return every figure of a picture, by name."""
    return {name: measure(picture) for name, (measure, _) in STATISTICS.items()}
