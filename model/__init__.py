"""Labelled folders become a served, measured classifier of pictures."""

import os

# From 1.29 on onnxruntime sends telemetry to Microsoft unless this is set before it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
