"""notebooks/walkthrough.ipynb: it runs from top to bottom, and what is committed is such a run."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="the walkthrough trains: install the extra `notebook`")
pytest.importorskip("nbformat", reason="install the extra `notebook`")

import nbformat

from tests.support.notebook import WALKTHROUGH, executed
from tests.support.project import ACCEPT, ROOT, SHARED

DATA = [ROOT / "data", SHARED / "cifar100"]
PICTURES, DRAWINGS = 6, 5  # PNG, SVG


def outputs(notebook: "nbformat.NotebookNode", kind: str) -> list[str]:
    """Return the outputs of a kind, for instance image/png, in their order."""
    return [
        output["data"][kind]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if kind in output.get("data", {})
    ]


def said(notebook: "nbformat.NotebookNode") -> str:
    """Return what the cells printed."""
    found = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "".join(output["text"] for output in found if output["output_type"] == "stream")


def check(notebook: "nbformat.NotebookNode") -> None:
    """Assert what a reader of any run must find."""
    drawn = outputs(notebook, "image/png")
    assert len(drawn) == PICTURES
    for data in drawn:
        shades = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("L"))
        assert shades.std() > 10, "a plot is empty"
        assert shades.shape[1] > 300
    drawings = outputs(notebook, "image/svg+xml")
    assert len(drawings) == DRAWINGS
    assert ["SUCCEEDED" in svg for svg in drawings] == [False, True, True, False, False]
    assert all("max-width:100%" in svg for svg in drawings[:3]), "a narrow page cuts it"
    assert [">accepted: bicycle 0.9" in svg and "<image" in svg for svg in drawings[1:3]] == [
        True,
        False,
    ]
    text = said(notebook)
    assert re.search(r"bicycle\.png +accepted +bicycle", text)
    assert re.search(r"no-image\.jpg +rejected +unsupported_format", text)
    assert re.search(r"kick-scooter\.png +bicycle -> other, by walkthrough", text)
    assert re.search(r"Drift in .*sharpness", text)
    assert re.search(r"accepted +\d+ +[1-9]\d* +\d+ ", text), "no audits"
    assert "it has a motor" in text
    assert "it has none" in text
    assert "NEW is shown to be worse" in text
    assert text.count("smoke test: bicycle.png is bicycle") == 2, "promoted, and rolled back"
    assert f"threshold {ACCEPT}" in text
    assert re.search(r"failed +0\n +in flight +0\n +missing +0", text)
    warned = [
        output["text"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.get("name") == "stderr"
    ]
    assert not warned


def test_what_is_committed_is_a_whole_run_that_tells_nothing_of_a_machine() -> None:
    committed = nbformat.read(WALKTHROUGH, as_version=4)
    check(committed)
    counts = [cell.execution_count for cell in committed.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert not re.search(r"/(tmp|home|root|Users)/", said(committed))


def test_cells_are_short() -> None:
    committed = nbformat.read(WALKTHROUGH, as_version=4)
    lengths = [cell.source.count("\n") + 1 for cell in committed.cells]
    assert max(lengths) <= 22
    assert np.median(lengths) <= 12


@pytest.mark.timeout(900)
def test_it_runs_from_top_to_bottom() -> None:
    """On the data that is there; without any it would download them."""
    found: list[Path] = [folder for folder in DATA if (folder / "train").is_dir()]
    if not found:
        pytest.skip("no pictures: python -m model.dataset gets them")
    check(executed(found[0]))
