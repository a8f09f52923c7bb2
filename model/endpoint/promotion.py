"""The deployed model beside the one that is to replace it, on pictures with labels."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from model.endpoint.artifacts import CARD, GRAPH, uploaded
from model.endpoint.place import EndpointError, Place

if TYPE_CHECKING:
    from model.training.comparison_report import Report


def compared_with_deployed(place: Place, address: str, model: Path, labels: Path) -> "Report":
    """Compare the model.tar.gz at an s3:// address with a model folder, on a folder per class.

    Raises EndpointError if the deployed model has no card, or without the extra that compares;
    CommandError as model.compare does.
    """
    deployed = uploaded(place, address)
    for name in (GRAPH, CARD):
        if name not in deployed:
            raise EndpointError(
                f"the deployed model, {address}, has no {name}: it cannot be compared; leave out"
                " --labels to replace it"
            )
    with TemporaryDirectory() as folder:
        for name, content in deployed.items():
            (Path(folder) / name).write_bytes(content)
        try:
            from model.compare import compared

            return compared(Path(folder), model, labels)
        except ModuleNotFoundError as error:
            raise EndpointError(
                f"{error.name} is not installed, and --labels compares models: run make"
                " .venv/.extra-train"
            ) from error
