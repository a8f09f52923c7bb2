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
from PIL import Image, ImageEnhance, ImageOps

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


def model_of_colours(
    folder: Path,
    labels: Sequence[str] = ("red", "green", "other"),
    gain: float = 20,
    size: int = 32,
    version: str = "colours",
    card: Mapping[str, Any] | None = None,
) -> Path:
    """Write a model that tells red, green and blue pictures apart by their mean; return its folder.

    labels: of red, green and blue. gain: how sure it is; of (200, 40, 40) it is so by 1.000 at 20,
    by 0.636 at 2. card: without it, a threshold of 0.9 that promises at most 1 % wrong.
    """
    helper = onnx.helper
    weights = numpy_helper.from_array(np.eye(3, dtype=np.float32) * np.float32(gain), "weights")
    axes = numpy_helper.from_array(np.array([2, 3]), "axes")
    shape = ["n", 3, size, size]
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["image", "axes"], ["mean"], keepdims=0),
            helper.make_node("MatMul", ["mean", "weights"], ["scores"]),
            helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
        ],
        "colours",
        [helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("probabilities", onnx.TensorProto.FLOAT, ["n", 3])],
        [weights, axes],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, {"labels": json.dumps(list(labels)), "version": version})
    folder.mkdir(parents=True)
    onnx.save(model, folder / "model.onnx")
    promise = {"value": 0.9, "risk": 0.01, "level": 0.95, "promise": "at most 1% are wrong"}
    (folder / "card.json").write_text(json.dumps(card or {"threshold": promise}))
    return folder


def labelled_photos(folder: Path) -> Path:
    """Write sample photos that the shipped model knows, each in five brightnesses, by class."""
    for kind, names in {
        "bicycle": ["bicycle.png", "rotated-by-exif.jpg"],
        "motorcycle": ["large-motorcycle.jpg"],
        "other": ["car.png", "cat.jpg"],
    }.items():
        (folder / kind).mkdir(parents=True)
        for name in names:
            with Image.open(ROOT / "events/images" / name) as opened:
                upright = ImageOps.exif_transpose(opened)
                picture = upright.convert("RGB").resize((128, 128))
            for percent in (60, 70, 80, 90, 100):
                darker = ImageEnhance.Brightness(picture).enhance(percent / 100)
                darker.save(folder / kind / f"{Path(name).stem} {percent}.png")
    return folder
