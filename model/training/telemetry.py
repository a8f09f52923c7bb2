"""Log lines that people read and SageMaker extracts metrics from: `train:loss=0.31 ...`."""

# Every figure that training prints; create_endpoint hands these regexes to SageMaker.
METRICS = (
    "train:loss",
    "train:accuracy",
    "oof:accuracy",
    "oof:accepted",
    "oof:false_acceptance_rate",
    "oof:ece",
    "oof:auroc",
    "calibration:temperature",
    "calibration:threshold",
    "test:accuracy",
    "test:accepted",
    "test:false_acceptance_rate",
    "test:ece",
)
METRIC_DEFINITIONS = [
    {"Name": name, "Regex": rf"\b{name}=(-?[0-9.]+(?:e[-+]?[0-9]+)?|nan)"} for name in METRICS
]


def say(text: str = "", **metrics: float) -> None:
    """Print one line, unbuffered: text and `name=value` pairs; `__` in a name means a colon."""
    pairs = [f"{name.replace('__', ':')}={value:.4f}" for name, value in metrics.items()]
    print(" ".join([text, *pairs] if text else pairs), flush=True)
