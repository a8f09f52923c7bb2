"""The demo's page: what became of each photo, for a browser, as files that need no server."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader

from local.paths import ROOT
from ops.stack.executions import NO_HISTORY
from ops.stack.ledger import Inference

TEMPLATES = Path(__file__).parent / "templates"
STYLE = ROOT / "ops" / "console" / "static" / "console.css"


@dataclass
class Card:
    """One photo. uploaded, canonical, way: files in the page's folder, "" where there is none.

    absent: why the photo cannot be shown. first_of_its_way: no photo before it passed these states.
    """

    name: str
    outcome: str
    finding: str
    detail: str
    milliseconds: int | None
    states: list[str]
    absent: str = "no picture that a browser shows"
    uploaded: str = ""
    canonical: str = ""
    way: str = ""
    guesses: list[Inference] = field(default_factory=list)
    first_of_its_way: bool = False


def write_page(folder: Path, cards: Sequence[Card], workflow: str) -> Path:
    """Write index.html and its style sheet into a folder; return the page's path.

    workflow: STANDARD or EXPRESS.
    """
    ways: set[tuple[str, ...]] = set()
    for card in cards:
        card.first_of_its_way = tuple(card.states) not in ways
        ways.add(tuple(card.states))
    jinja = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    text = jinja.get_template("demo.html").render(
        cards=cards,
        now=f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        workflow=workflow,
        no_history=NO_HISTORY if workflow == "EXPRESS" else "",
    )
    shutil.copyfile(STYLE, folder / STYLE.name)
    page = folder / "index.html"
    page.write_text(text, encoding="utf-8")
    return page
