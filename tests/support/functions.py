"""Load a Lambda function's module as Lambda does: its own folder first on the path."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]


def load_function(step: str, module: str = "app") -> ModuleType:
    """Return a fresh functions/STEP/MODULE.py; its siblings are imported by their own names."""
    folder = ROOT / "functions" / step
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    spec = importlib.util.spec_from_file_location(f"{step}_{module}", folder / f"{module}.py")
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded
