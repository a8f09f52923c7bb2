"""Execute the walkthrough.

python -m tests.support.notebook      write its outputs anew
"""

import os
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from tests.support.project import ROOT

WALKTHROUGH = ROOT / "notebooks" / "walkthrough.ipynb"
PATIENCE_S = 900  # for one cell


def executed(data: Path | None = None) -> nbformat.NotebookNode:
    """Return the notebook with the outputs of a new run; raises CellExecutionError.

    data: train/ and test/, as `python -m model.dataset` lays them out; None leaves that to it.
    """
    notebook = nbformat.read(WALKTHROUGH, as_version=4)
    environment = os.environ | ({"SCONES_DATA": str(data)} if data else {})
    client = NotebookClient(notebook, timeout=PATIENCE_S, kernel_name="python3")
    client.execute(cwd=str(ROOT), env=environment)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when each cell ran
    return notebook


if __name__ == "__main__":
    nbformat.write(executed(), WALKTHROUGH)
