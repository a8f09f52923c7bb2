"""The training container gets the versions that the project declares."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_container_installs_what_the_extras_declare_but_its_own_torch() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    declared = {
        line
        for line in (*extras["serve"], *extras["train"])
        if not line.startswith(("torch==", "scones-unlimited"))
    }
    lines = (ROOT / "model/requirements.txt").read_text().splitlines()
    asked = {line for line in lines if line and not line.startswith("#")}
    served_only = declared - asked
    assert asked <= declared
    assert all(line.startswith(("waitress", "flask")) for line in served_only), served_only
