"""Delete the endpoint and all that `python -m model.create_endpoint` made for it.

    python -m model.delete_endpoint                      asks first
    python -m model.delete_endpoint --keep-captures      leaves the bucket with captures/ in it

The instances stop costing as soon as the endpoint is gone. The deployed stack stays; until there is
an endpoint of that name again its uploads fail, and `python -m ops redrive` starts them again.
Exit codes: 0 all is gone, 1 declined, 2 it could not be done, 130 interrupted.
"""

import argparse
import sys
from collections.abc import Sequence

from cli.arguments import Parser
from cli.errors import guarded
from cli.terminal import confirmed
from model.endpoint import stack
from model.endpoint.artifacts import delete_bucket
from model.endpoint.place import checked_name, default_name, place


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    found = Parser("python -m model.delete_endpoint", __doc__ or "")
    found.add_argument("--name", help="of the endpoint (default: EndpointName of template.yaml)")
    found.add_argument("--region", help="(default: that of your AWS configuration)")
    found.add_argument("--yes", action="store_true", help="do not ask")
    found.add_argument(
        "--keep-captures", action="store_true", help="keep the bucket and what is in captures/"
    )
    return found


def run(options: argparse.Namespace) -> int:
    """Delete the stack, then the bucket; what is gone already is passed over."""
    where = place(checked_name(options.name or default_name()), options.region)
    kept = " but the captures" if options.keep_captures else " and the captures"
    print(
        f"endpoint {where.name} in {where.region}, account {where.account}: the stack"
        f" {where.stack} and s3://{where.bucket}"
    )
    if not confirmed(f"delete the endpoint, its models and image{kept}?", options.yes):
        return 1
    stack.delete(where)
    print(delete_bucket(where, options.keep_captures))
    print("all of it is gone" + (", but the captures" if options.keep_captures else ""))
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    options = parser().parse_args(arguments)
    return guarded(
        lambda: run(options), "endpoint", "run the same command again to delete the rest"
    )


if __name__ == "__main__":
    sys.exit(main())
