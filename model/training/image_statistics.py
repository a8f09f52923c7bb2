"""Statistics of pictures that a card keeps for monitoring to compare, and their bins."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

CONFIDENCE_BINS = [i / 20 for i in range(21)]  # edges of a card's histogram of confidences
BINS = 1000  # of a figure's histogram, from 0 to its bound
# What is kept of a figure's spread; of fewer quantiles, a change within one of them goes unseen.
PERCENTILES = (5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95)


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


def quantiles(
    counts: NDArray[np.int64], edges: NDArray[np.float64], shares: Sequence[float]
) -> list[float]:
    """Return quantiles of a histogram, as if each bin's were evenly spread in it; nan of none.

    Card and monitoring both take them from histograms of the same bins: exact ones of a figure
    that is the same in all pictures, as the colour of grey ones, would lie beside every bin's
    even spread, and nothing new would look like a change.
    """
    if not counts.sum():
        return [float("nan")] * len(shares)
    total = np.concatenate([[0], np.cumsum(counts)]) / counts.sum()
    return [float(np.interp(share, total, edges)) for share in shares]
