"""Speed, memory and size, each beside a floor measured in the same run."""

import model  # noqa: F401 - before onnxruntime, whose telemetry it switches off
