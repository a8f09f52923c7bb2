"""The shipped card: what people read is what programs read."""

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("scipy", reason="cards need the extra `train`")

from model.training.card import write_card
from tests.support.project import ROOT

SHIPPED = ROOT / "model" / "pretrained"


def test_the_shipped_card_is_generated_from_its_json_and_its_notes(tmp_path: Path) -> None:
    shutil.copy(SHIPPED / "NOTES.md", tmp_path)
    write_card(tmp_path, json.loads((SHIPPED / "card.json").read_text()))
    for name in ("card.json", "README.md"):
        assert (tmp_path / name).read_text() == (SHIPPED / name).read_text()
