"""Delete the endpoint and all that `python -m model.create_endpoint` made for it.

    python -m model.delete_endpoint                      asks first
    python -m model.delete_endpoint --keep-captures      leaves the bucket with captures/ in it

The instances stop costing as soon as the endpoint is gone. The deployed stack stays; until there is
an endpoint of that name again its uploads fail, and `python -m ops redrive` starts them again.
Exit codes: 0 all is gone, 1 you said no, 2 it could not be done, 130 interrupted.
"""

import argparse
import sys
import time
from collections.abc import Sequence

from model.endpoint.hosting import CHANGING, POLL_S, delete_made, described, wait
from model.endpoint.image import delete_repository
from model.endpoint.place import Place, agreed, checked_name, default_name, guarded, place
from model.endpoint.role import delete_role
from model.endpoint.scaling import remove_scaling
from model.endpoint.storage import delete_bucket


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        "python -m model.delete_endpoint",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument("--name", help="of the endpoint (default: EndpointName of template.yaml)")
    found.add_argument("--region", help="(default: that of your AWS configuration)")
    found.add_argument("--yes", action="store_true", help="do not ask")
    found.add_argument(
        "--keep-captures", action="store_true", help="keep the bucket and what is in captures/"
    )
    return found


def run(options: argparse.Namespace) -> int:
    """Delete everything, what costs first; what is gone already is passed over."""
    where = place(checked_name(options.name or default_name()), options.region)
    captures = "keep its captures" if options.keep_captures else "delete its captures"
    print(
        f"endpoint {where.name} in {where.region}, account {where.account}: scaling, endpoint,"
        f" configs, models, image, roles, bucket {where.bucket}"
    )
    if not agreed(f"delete all of it and {captures}?", options.yes):
        return 1
    remove_scaling(where)
    delete_endpoint(where)
    delete_made(where)
    delete_repository(where)
    for kind in ("serving", "training"):
        delete_role(where, kind)
    delete_bucket(where, options.keep_captures)
    print("all of it is gone" + (", but the captures" if options.keep_captures else ""))
    return 0


def delete_endpoint(where: Place) -> None:
    """Delete the endpoint and wait until it is gone."""
    found = described(where)
    if found is None:
        print(f"endpoint {where.name}: is not there")
        return
    if found["EndpointStatus"] in CHANGING:
        wait(where)  # AWS refuses to delete what is being made
    where.client("sagemaker").delete_endpoint(EndpointName=where.name)
    started = time.monotonic()
    while described(where) is not None:
        print(f"endpoint {where.name}: Deleting ({time.monotonic() - started:.0f} s)", flush=True)
        time.sleep(POLL_S)
    print(f"endpoint {where.name}: deleted")


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    return guarded(lambda: run(options), "run the same command again to delete the rest")


if __name__ == "__main__":
    sys.exit(main())
