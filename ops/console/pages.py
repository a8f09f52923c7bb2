"""What the pages show: parts of HTML, made from what the commands are made from."""

import base64
from collections.abc import Mapping
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from flask import Blueprint, render_template, request
from markupsafe import Markup

from cli.arguments import point_in_time
from cli.errors import CommandError
from cli.escaping import printable
from ops.backfilling.plan import Endpoint
from ops.bills import Spent, spent
from ops.console.app import Console, Refused, the_console
from ops.drawing.execution import canonical_picture, title_of, visits_of
from ops.drawing.state_machine import draw
from ops.reviewing.reviews import ACTED_ON, is_blind
from ops.stack import names
from ops.stack.audit_log import heard
from ops.stack.describing import attributes, changes, places
from ops.stack.endpoint import described
from ops.stack.glance import NO_ALARMS, glance, midnight
from ops.stack.ledger import OUTCOMES, Decision, moment
from ops.stack.listing import finding, listed
from ops.stack.names import short_name

blueprint = Blueprint("pages", __name__, url_prefix="/pages")
DECIDED = ("accepted", "none", "review", "reviewed", "confirmed")
ALONE = (*ACTED_ON, "confirmed")  # decided without a person; of what is reviewed, a part is as well
A_PAGE = 24  # uploads; 1, 2, 3, 4 and 6 columns divide it
PERIODS = {"quality": timedelta(days=30), "monitor": timedelta(hours=24)}  # as the commands have
KEPT_S = 600  # seconds for which the month's counts are kept: they read the whole month's index
FILTERS = ("outcome", "label", "reason", "search", "since", "until")
_drawing = Lock()  # matplotlib draws for one at a time


@blueprint.get("/today")
def today() -> str:
    """Return the figures since midnight UTC, each with a link to what it counts."""
    since = midnight()
    found = glance(the_console().stack, since)
    outcomes = found["outcomes"]
    decided = sum(outcomes[name] for name in DECIDED)
    alone = sum(outcomes[name] for name in ALONE)
    alone += the_console().ledger.count("reviewed", since=moment(since), decisions=ACTED_ON)
    return render_template(
        "today.html",
        found=found,
        day=found["since"][:10],
        decided=decided,
        alone=alone,
        no_alarms=NO_ALARMS,
    )


@blueprint.get("/month")
def month() -> str:
    """Return what the month has cost so far, or the stack since it was made, if that is less."""
    return render_template("month.html", spent=_spent(the_console()), kept=KEPT_S // 60)


def _spent(console: Console) -> Spent:
    now = datetime.now(midnight().tzinfo)
    kept = _months.get(console.stack.name)
    if kept is None or (now - kept.until).total_seconds() > KEPT_S:
        since = max(midnight().replace(day=1), console.stack.created)
        bound = moment(since)
        photos = sum(console.ledger.count(name, since=bound) for name in OUTCOMES)
        kind, endpoint = console.stack.outputs["WorkflowType"], described(console.stack)
        instances = Endpoint.of(endpoint).instances if endpoint else None
        kept = _months[console.stack.name] = spent(photos, since, now, kind, instances)
    return kept


_months: dict[str, Spent] = {}  # by stack


@blueprint.get("/uploads")
def uploads() -> str:
    """Return a page of uploads, newest first."""
    console = the_console()
    asked = {name: request.args.get(name, "").strip() for name in FILTERS}
    if asked["outcome"] and asked["outcome"] not in OUTCOMES:
        raise Refused(400, f"{asked['outcome']!r} is none of {', '.join(OUTCOMES)}")
    page = listed(
        console.ledger,
        [asked["outcome"]] if asked["outcome"] else OUTCOMES,
        A_PAGE,
        since=_bound("since", asked),
        until=_bound("until", asked) or "9",
        cursor=request.args.get("from", ""),
        keep=lambda item: _fits(item, asked),
    )
    return render_template(
        "uploads.html",
        page=page,
        cards=[_card(console, item) for item in page.items],
        asked=asked,
        outcomes=OUTCOMES,
        older={name: value for name, value in asked.items() if value} | {"from": page.cursor},
    )


def _fits(item: Decision, asked: Mapping[str, str]) -> bool:
    return (
        asked["label"] in ("", item.label)
        and asked["reason"] in ("", item.reason)
        and asked["search"].lower() in item.s3_key.lower()
    )


def _bound(name: str, asked: Mapping[str, str]) -> str:
    time = _time(name, asked[name])
    return moment(time) if time else ""


def _time(name: str, text: str) -> datetime | None:
    try:
        return point_in_time(text) if text else None
    except Exception as error:  # argparse's own kind: it is written for a command line
        raise Refused(400, f"{name}: {error}") from None


def _card(console: Console, item: Decision) -> dict[str, Any]:
    return {
        "upload": item.upload,
        "name": short_name(console.stack, item),
        "outcome": item.outcome,
        "finding": finding(item),
        "recorded": item.recorded_at[:19],
        "pictured": bool(item.guesses()) and item.s3_bucket == console.uploads.bucket,
    }


@blueprint.get("/upload")
def upload() -> str:
    """Return everything that is known of one upload."""
    console = the_console()
    stack = console.stack
    asked = request.args.get("upload", "")
    item = console.ledger.get(asked) if asked else None
    if item is None:
        known, key, etag, in_bucket = names.named(stack, asked)
        item = console.ledger.get(known)
    else:
        known, key, etag = item.upload, item.s3_key, item.etag
        in_bucket = item.s3_bucket == console.uploads.bucket
    here = {
        "picture": console.uploads.has(key, etag) if in_bucket else None,
        "copies": list(console.uploads.copies(known, key)),
    }
    shown = printable(known)
    commands = [stack.command("show", shown)]
    if item is not None:
        if item.outcome == "failed":
            commands.append(stack.command("redrive", "--reason", item.reason))
        if item.label:
            # What a person has yet to say is not suggested.
            asked_for = item.outcome == "review" or is_blind(item)
            commands.append(stack.command("relabel", shown, "CLASS" if asked_for else item.label))
        if item.execution and stack.outputs["WorkflowType"] == "STANDARD":
            words = ("picture", "--execution", item.execution, "--out", "execution.svg")
            commands.append(stack.command(*words))
    commands.append(stack.command("forget", shown))
    return render_template(
        "upload.html",
        upload=known,
        name=short_name(stack, item) if item else shown,
        item=item,
        blind=item is not None and is_blind(item),
        pictured=item is not None and bool(item.guesses() and here["picture"]),
        attributes=[
            row for row in attributes(item, stack) if row[0] not in ("inferences", "execution")
        ],
        changes=[value for _, value in changes(item)],
        places=places(here),
        way=_way(console, item),
        commands=commands,
    )


@blueprint.get("/announcements")
def announcements() -> str:
    """Return what was announced of one upload."""
    console = the_console()
    item = console.ledger.get(request.args.get("upload") or "-")
    if item is None:
        raise Refused(404, "the ledger has no such upload")
    rows = heard(console.stack, item).rows()
    return render_template("announcements.html", lines=[line for _, line in rows])


def _way(console: Console, item: Decision | None) -> dict[str, Any]:
    """Return the drawing of an upload's execution, and its picture as the model saw it.

    Both come from the execution's history; where there is none, `why` says so.
    """
    if item is None or not item.execution:
        return {"why": "the ledger names no execution"}
    stack = console.stack
    try:
        execution = stack.execution(item.execution)
        history = list(stack.history(item.execution, documents=True))
    except CommandError as error:
        return {"why": str(error)}
    title = title_of(execution)
    return {
        "title": title,
        "drawing": data_address(
            "image/svg+xml", draw(stack.definition(), visits_of(history), title)
        ),
        "canonical": canonical_picture(history),
    }


def data_address(kind: str, text: str) -> str:
    """Return a text as an address that holds it whole, for an image."""
    return f"data:{kind};base64,{base64.b64encode(text.encode()).decode()}"


@blueprint.get("/quality")
def quality() -> str:
    """Return the report of `quality`."""
    from ops.quality.quality import report  # numpy and scipy: a second
    from ops.quality.report import cells

    found = report(the_console().stack, _since("quality"))
    return render_template("quality.html", report=found, cells=cells, since=_asked_since("quality"))


@blueprint.get("/monitor")
def monitor() -> str:
    """Return the report of `monitor`, of the ledger."""
    from ops.monitoring.monitor import of_ledger  # numpy, scipy and matplotlib: a second
    from ops.monitoring.page import body

    with _drawing:
        report = of_ledger(the_console().stack, _since("monitor"))
        shown = Markup(body(report, _as_image))
    return render_template("monitor.html", body=shown, since=_asked_since("monitor"))


def _as_image(svg: str) -> str:
    """Return a drawing as an image: its styles are inline, which the pages' policy forbids."""
    return f"<img alt='' src='{data_address('image/svg+xml', svg)}'>"


def _since(page: str) -> datetime:
    return _time("since", request.args.get("since", "")) or (
        datetime.now(midnight().tzinfo) - PERIODS[page]
    )


def _asked_since(page: str) -> str:
    return request.args.get("since", "") or {"quality": "30d", "monitor": "24h"}[page]
