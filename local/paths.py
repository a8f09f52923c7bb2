"""Where the project and its shipped model are."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
PRETRAINED = ROOT / "model" / "pretrained"
