"""Lines a person can read and a SageMaker training job can plot: `train:loss=0.31 ...`."""

# Every figure that training prints; create_endpoint hands these regexes to SageMaker.
METRICS = (
    "train:loss",
    "train:accuracy",
    "oof:accuracy",
    "oof:accepted",
    "oof:strangers_accepted",
    "oof:ece",
    "oof:auroc",
    "calibration:temperature",
    "calibration:threshold",
    "test:accuracy",
    "test:accepted",
    "test:strangers_accepted",
    "test:ece",
)
METRIC_DEFINITIONS = [
    {"Name": name, "Regex": rf"\b{name}=(-?[0-9.]+(?:e[-+]?[0-9]+)?|nan)"} for name in METRICS
]


def say(text: str = "", **metrics: float) -> None:
    """Print one line at once: `name=value` pairs, `__` in a name standing for the colon."""
    pairs = [f"{name.replace('__', ':')}={value:.4f}" for name, value in metrics.items()]
    print(" ".join([text, *pairs] if text else pairs), flush=True)
