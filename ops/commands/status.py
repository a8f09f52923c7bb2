"""The stack at a glance: outcomes today, what waits, dead letters, endpoint, alarms.

    python -m ops status
    python -m ops status --json | jq .waiting
    python -m ops status --since 7d

Exit code 1 if failures, dead letters, the endpoint, the pipe of the announcements or an alarm need
attention; a waiting review does not.
Days begin at midnight UTC. Counting reads the index: one megabyte of items a call.
"""

import argparse
import json
from collections import Counter
from typing import Any

from cli.arguments import add_json, add_since
from ops.stack.glance import NO_ALARMS, glance, midnight
from ops.stack.outputs import Stack


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_json(parser, "one object")
    add_since(parser, "count the outcomes since then (default: today)")


def run(arguments: argparse.Namespace) -> int:
    """Print what is and what needs attention."""
    found = glance(Stack.of(arguments), arguments.since or midnight())
    print(json.dumps(found) if arguments.json else as_text(found))
    return 1 if found["attention"] else 0


def as_text(found: dict[str, Any]) -> str:
    """Return the figures as lines to read."""
    waiting, dead, pipe = found["waiting"], found["dead_letters"], found["announcements"]
    oldest = f", the oldest of {waiting['oldest_review']}" if waiting["oldest_review"] else ""
    states = Counter(alarm["state"] for alarm in found["alarms"])
    counted = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    lines = [
        f"{found['stack']} in {found['region']}, {found['workflow']}",
        f"uploads to    {found['upload_address']}",
        f"endpoint      {found['endpoint']['name']}, {found['endpoint']['status']}",
        f"announcements {pipe['state']}",
        f"alarms        {counted or NO_ALARMS}",
        f"since {found['since']}",
        *(f"  {name:<12}{count:>8,}" for name, count in found["outcomes"].items()),
        "waiting",
        f"  reviews     {waiting['reviews']:>8,}{oldest}",
        f"  audits      {waiting['audits']:>8,}",
        f"  failures    {waiting['failures']:>8,}",
        f"dead letters  {dead['uploads']:,} uploads, {dead['announcements']:,} announcements",
        *(f"! {sentence}" for sentence in found["attention"]),
    ]
    return "\n".join(lines)
