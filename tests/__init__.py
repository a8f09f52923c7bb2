"""Tests; a package, since libraries install one of that name."""

import model  # noqa: F401 - before onnxruntime, whose telemetry it switches off
