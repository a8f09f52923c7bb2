"""Model folders for tests: the shipped model with another head, so that it is known who is better.

The head is the last layer; its bias moves every picture towards a class, its noise blurs all.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from tests.support.project import ROOT

SHIPPED = ROOT / "model/pretrained"


def changed_model(
    folder: Path,
    bias: Sequence[float] = (0, 0, 0),
    noise: float = 0,
    version: str = "changed",
    card: Mapping[str, Any] | None = None,
) -> Path:
    """Write the shipped model with a changed head; return its folder.

    bias: added to the raw output of each class. noise: standard deviation of what is added to the
    weights, in units of theirs. card: what to change in the shipped card.
    """
    graph = onnx.load(SHIPPED / "model.onnx")
    [head] = [node for node in graph.graph.node if node.op_type == "Gemm"]
    parameters = {entry.name: entry for entry in graph.graph.initializer}
    weights, offsets = (parameters[name] for name in head.input[1:3])
    values = numpy_helper.to_array(weights)
    blur = np.random.default_rng(0).normal(0, noise * values.std(), values.shape)
    shifted = numpy_helper.to_array(offsets) + np.array(bias)
    for entry, changed in ((weights, values + blur), (offsets, shifted)):
        entry.CopyFrom(numpy_helper.from_array(changed.astype(np.float32), entry.name))
    labels = json.loads({prop.key: prop.value for prop in graph.metadata_props}["labels"])
    onnx.helper.set_model_props(graph, {"labels": json.dumps(labels), "version": version})
    folder.mkdir(parents=True)
    onnx.save(graph, folder / "model.onnx")
    found = json.loads((SHIPPED / "card.json").read_text()) | {"version": version} | (card or {})
    (folder / "card.json").write_text(json.dumps(found))
    return folder
