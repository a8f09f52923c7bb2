"""Export of a network to the ONNX file that is served: pixels in, calibrated probabilities out.

input   `image`          float32 (n, 3, size, size), RGB, 0..1, the whole picture squashed
output  `probabilities`  float32 (n, classes): softmax with the temperature already applied
metadata `labels` (JSON list, in output order) and `version`: all a server needs to know
"""

import json
import logging
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, nn

from cli.errors import CommandError
from cli.terminal import own_command
from model.training.network import Classifier

OPSET = 18
# The last layer and the softmax stay in float: 256 levels of a raw output would be seen as
# steps in the confidence, and they take no measurable time.
QUANTIZED = ["Conv", "Add", "Clip", "Pad", "ReduceMean"]


REGISTRATION = "torch.onnx._internal.exporter._registration"  # the log of what may be exported


def _is_of_torch(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("torchvision is not installed")


class ExportError(CommandError):
    """An exported file is unusable or differs from the network; the message gives the gap."""


@dataclass(frozen=True)
class Agreement:
    """How an exported file compares with the network on the same pictures."""

    pictures: int
    same_label: float  # share of pictures given the same label
    mean_gap: float  # mean absolute difference of the probabilities
    largest_gap: float


class Served(nn.Module):
    """The network with the temperature and the softmax inside."""

    def __init__(self, network: Classifier, temperature: float) -> None:
        super().__init__()
        self.network, self.temperature = network, temperature

    def forward(self, image: Tensor) -> Tensor:
        return torch.softmax(self.network(image) / self.temperature, 1)


class _Samples(CalibrationDataReader):
    def __init__(self, images: NDArray[np.float32]) -> None:
        self.rest: Iterator[NDArray[np.float32]] = iter(images)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        image = next(self.rest, None)
        return None if image is None else {"image": image[None]}


def export(
    network: Classifier,
    temperature: float,
    labels: Sequence[str],
    version: str,
    samples: NDArray[np.float32],
    fp32: Path,
    int8: Path,
) -> None:
    """Write the network as ONNX twice: `fp32`, and `int8` with ranges measured on `samples`.

    samples: (n, 3, size, size) float32 0..1; a few hundred training pictures are enough.
    """
    served = Served(network, temperature).eval()
    example = torch.from_numpy(samples[:2]).contiguous()
    # Of operators of torchvision, which the network does not use.
    logging.getLogger(REGISTRATION).addFilter(_is_of_torch)
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        torch.onnx.export(
            served,
            (example,),
            fp32,
            input_names=["image"],
            output_names=["probabilities"],
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes={"image": {0: torch.export.Dim("n", min=1)}},
            external_data=False,
            verbose=False,
        )
        prepared = Path(folder, "prepared.onnx")
        quant_pre_process(fp32, prepared)
        quantize_static(
            prepared,
            int8,
            _Samples(samples),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=QUANTIZED,
            per_channel=True,
            # 7-bit weights: without VNNI, sums of 8-bit products overflow 16 bits inside
            # onnxruntime's kernels, which doubles the gap to the network (0.023 against 0.011).
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
    for path in (fp32, int8):
        document = onnx.load(path)
        graph = document.graph
        # The exporter notes of each part by which files of this machine it came about.
        values = (*graph.input, *graph.output, *graph.value_info, *graph.initializer)
        for part in (document, graph, *graph.node, *values):
            del part.metadata_props[:]
        onnx.helper.set_model_props(
            document, {"labels": json.dumps(list(labels)), "version": version}
        )
        onnx.checker.check_model(document)
        onnx.save(document, path)


class Model:
    """An exported model, used as the server uses it.

    labels, version: from the file's metadata. size: pixels a side of its input.
    """

    def __init__(self, path: Path, threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads  # 0: as many as cores
        try:
            self.session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
            about = self.session.get_modelmeta().custom_metadata_map
            self.labels: list[str] = json.loads(about["labels"])
            self.version = about["version"]
        except Exception as error:  # onnxruntime raises a dozen unrelated classes
            raise ExportError(
                f"{path} is not a model of this project ({error}); give the model.onnx that"
                f" {own_command('model.train')} wrote"
            ) from error
        self.size = int(self.session.get_inputs()[0].shape[2])

    def probabilities(self, images: NDArray[np.float32], batch: int = 50) -> NDArray[np.float32]:
        """Return (n, classes) for pictures (n, 3, size, size), 0..1."""
        parts = [
            self.session.run(["probabilities"], {"image": images[i : i + batch]})[0]
            for i in range(0, len(images), batch)
        ]
        return np.concatenate(parts)


def milliseconds(path: Path, rounds: int = 100) -> float:
    """Return the median processor time of one picture on one thread, in milliseconds."""
    model = Model(path, threads=1)
    image = np.random.default_rng(0).random((1, 3, model.size, model.size), np.float32)
    times = []
    for _ in range(rounds + 10):
        start = time.thread_time()  # not the clock: others may use the machine
        model.probabilities(image)
        times.append(time.thread_time() - start)
    return float(np.median(times[10:]) * 1000)


@torch.inference_mode()
def check(
    network: Classifier, temperature: float, path: Path, images: NDArray[np.float32], gap: float
) -> Agreement:
    """Compare a file with the network on every picture.

    gap: the largest mean difference of probabilities allowed. Raises ExportError above it.
    """
    served = Served(network, temperature).eval()
    parts = [served(torch.from_numpy(images[i : i + 50])) for i in range(0, len(images), 50)]
    expected = torch.cat(parts).numpy()
    got = Model(path).probabilities(images)
    apart = np.abs(expected - got)
    agreement = Agreement(
        len(images),
        float((expected.argmax(1) == got.argmax(1)).mean()),
        float(apart.mean()),
        float(apart.max()),
    )
    if not agreement.mean_gap <= gap:
        raise ExportError(
            f"{path.name} differs from the network by {agreement.mean_gap:.4f} on average over"
            f" {len(images)} pictures, the limit is {gap}: do not serve it. Longer training"
            " (--epochs) and more pictures help"
        )
    return agreement
