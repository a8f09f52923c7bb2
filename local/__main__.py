"""The whole workflow on this machine: an embedded AWS that runs template.yaml.

python -m local demo       sample pictures through the workflow, and a table of what became
python -m local up         keep it running for the AWS CLI, boto3 and ops
python -m local classify   your own pictures, as a table or as JSON lines
python -m local events     capture the sample document of each step anew
python -m local sam        let `sam local invoke` reach the embedded AWS
"""

import argparse
import importlib
import logging
import os
import signal
import sys

COMMANDS = ("demo", "up", "classify", "events", "sam")


def main() -> int:
    """Run the command that the command line names."""
    parser = argparse.ArgumentParser(
        "python -m local",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for name in COMMANDS:
        module = importlib.import_module(f"local.commands.{name}")
        description = module.__doc__ or name
        command = subparsers.add_parser(
            name,
            help=description.splitlines()[0],
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    for chatty in ("werkzeug", "moto"):  # every request; every error that an ASL state catches
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    signal.signal(signal.SIGTERM, _interrupt)
    from local.cloud import EmbeddedAwsError
    from local.follow import UnreadablePictureError

    try:
        return int(arguments.run(arguments))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (EmbeddedAwsError, UnreadablePictureError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
