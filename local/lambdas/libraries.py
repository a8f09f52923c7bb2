"""What Lambda's Python runtime brings along, lent by this environment: /var/runtime on AWS.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html: the SDK, its dependencies, and the
runtime client with its own. Everything else a function has to ship.
"""

from importlib.util import find_spec
from pathlib import Path

MODULES = (
    "awslambdaric",
    "boto3",
    "botocore",
    "dateutil",
    "jmespath",
    "runtime_client",
    "s3transfer",
    "simplejson",
    "six",
    "snapshot_restore_py",
    "urllib3",
)


def link_libraries(folder: Path) -> Path:
    """Fill a new folder with links to the libraries that are installed here, and return it."""
    folder.mkdir(parents=True)
    for name in MODULES:
        spec = find_spec(name)
        if spec is None or spec.origin is None:  # awslambdaric has wheels for Linux only
            continue
        origin = Path(spec.origin)
        target = origin.parent if spec.submodule_search_locations else origin
        (folder / target.name).symlink_to(target)
    return folder
