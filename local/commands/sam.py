"""Write a template with which `sam local invoke` reaches the embedded AWS.

    sam build
    python -m local up --host 172.17.0.1  elsewhere; paste its export lines
    python -m local sam
    sam local invoke FilterFunction -t .aws-sam/build/embedded.yaml -e events/filter.json

172.17.0.1 is the machine as containers see it, with Docker on Linux. With Docker Desktop it is
host.docker.internal: leave out --host, and give --endpoint-url http://host.docker.internal:PORT.
The SAM CLI hands a function the variables that its template declares, and no other. This is the
template that `sam build` wrote with AWS_ENDPOINT_URL declared, as the environment has it.
"""

import argparse
import json
import os
from pathlib import Path

from cli.errors import CommandError
from cli.terminal import own_command

BUILT = Path(".aws-sam/build/template.yaml")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--endpoint-url", default=os.environ.get("AWS_ENDPOINT_URL"), metavar="URL")


def run(arguments: argparse.Namespace) -> int:
    """Write the template beside the built one, and print where it is."""
    from local import template as sam

    if not BUILT.is_file():
        raise CommandError(f"there is no {BUILT} here: run `sam build` first")
    if not arguments.endpoint_url:
        raise CommandError(
            "AWS_ENDPOINT_URL is not set: paste the export lines of"
            f" `{own_command('local', 'up')}`, or give --endpoint-url"
        )
    template = sam.load(BUILT)
    function = template.setdefault("Globals", {}).setdefault("Function", {})
    variables = function.setdefault("Environment", {}).setdefault("Variables", {})
    variables["AWS_ENDPOINT_URL"] = arguments.endpoint_url
    path = BUILT.with_name("embedded.yaml")
    path.write_text(json.dumps(template, indent=1))  # JSON is YAML too
    print(path)
    return 0
