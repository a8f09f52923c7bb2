"""The command line of create_endpoint, and the parameters of the stack that it gives."""

import argparse
import re
from collections.abc import Mapping
from pathlib import Path

from cli.arguments import Parser, integer_between, positive
from model.endpoint.place import TEMPLATE, EndpointError, declared

OWN = "own"  # of --image: the image that is built here
# Options that are parameters of the stack.
HOSTING = {
    "instance_type": "InstanceType",
    "min_instances": "MinInstances",
    "max_instances": "MaxInstances",
    "pictures_per_minute": "PicturesPerMinute",
    "capture_percentage": "CapturePercentage",
}


def parser(description: str) -> Parser:
    """Return the command line; what is not given stays as it is, at first as in the template."""
    found = Parser("python -m model.create_endpoint", description)
    found.add_argument("--name", help="of the endpoint (default: EndpointName of template.yaml)")
    found.add_argument("--region", help="(default: that of your AWS configuration)")
    found.add_argument("--yes", action="store_true", help="do not ask")
    found.add_argument(
        "--write-samconfig",
        action="store_true",
        help="write the model's threshold into samconfig.toml, without a question",
    )
    what = found.add_argument_group("what is served")
    which = what.add_mutually_exclusive_group()
    which.add_argument(
        "--model",
        type=Path,
        metavar="FOLDER",
        help="model folder (default: the deployed model, at first model/pretrained)",
    )
    which.add_argument("--train", metavar="S3", help="train on the pictures under s3://BUCKET/DATA")
    which.add_argument(
        "--rollback", action="store_true", help="serve the model and image before these again"
    )
    what.add_argument(
        "--labels",
        type=Path,
        metavar="DIR",
        help="folder of pictures per class: compare --model with the deployed model on them first",
    )
    what.add_argument(
        "--image",
        help=f"an image in ECR, or `{OWN}` to build one (default: the deployed one; one built here"
        " is built again with another model, if its sources have changed)",
    )
    how = found.add_argument_group("how it is served (default: as before, at first as said here)")
    how.add_argument("--serverless", action="store_true", help="no instances, no captures")
    first = {option: declared(TEMPLATE, name) for option, name in HOSTING.items()}
    # Burstable types (ml.t2) cannot scale; two cores keep one free for the decoder.
    how.add_argument("--instance-type", help=f"({first['instance_type']})")
    how.add_argument("--min-instances", type=positive, help=f"({first['min_instances']})")
    how.add_argument("--max-instances", type=positive, help=f"({first['max_instances']})")
    how.add_argument(
        "--pictures-per-minute",
        type=positive,
        help=f"for one instance, before another one starts ({first['pictures_per_minute']})",
    )
    how.add_argument(
        "--capture-percentage",
        type=integer_between(0, 100),
        help="of requests and answers kept for some weeks in s3://BUCKET/captures; 0: none"
        f" ({first['capture_percentage']})",
    )
    job = found.add_argument_group("how --train trains")
    job.add_argument("--test", metavar="S3", help="pictures measured once at the end")
    job.add_argument("--training-type", default="ml.c5.2xlarge", help="(default: %(default)s)")
    job.add_argument("--training-image", help="(default: the AWS PyTorch training container)")
    job.add_argument("--on-demand", action="store_true", help="dearer than spot, never waits")
    job.add_argument("--epochs", type=positive, help="(default: that of model.train)")
    return found


def named(options: argparse.Namespace) -> list[str]:
    """Return the options that name the endpoint, as they were given, for a command to paste."""
    name = ["--name", options.name] if options.name else []
    return name + (["--region", options.region] if options.region else [])


def hosting_of(options: argparse.Namespace) -> dict[str, str]:
    """Return the stack's parameters of how to serve that were given.

    Raises EndpointError for what does not go together, whatever is deployed.
    """
    given = {name: getattr(options, option) for option, name in HOSTING.items()}
    values = {name: str(value) for name, value in given.items() if value is not None}
    if options.serverless or options.instance_type:
        values["Serving"] = "SERVERLESS" if options.serverless else "REAL_TIME"
    if options.rollback and (values or options.image):
        raise EndpointError(
            "--rollback serves the model and image before these and changes nothing else: give"
            " --image, --serverless and the number and type of instances in a second command"
        )
    if options.labels and not options.model:
        raise EndpointError(
            f"--labels {options.labels}: they compare a model with the deployed one; give the model"
            " folder with --model"
        )
    refuse_impossible(values)
    return values


def merged_hosting(given: Mapping[str, str], before: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters of the stack with those given; before: those deployed, {} without one.

    Raises EndpointError for what does not go together.
    """
    first = {name: declared(TEMPLATE, name) for name in (*HOSTING.values(), "Serving")}
    values = {**first, **before, **given}
    refuse_impossible(values)
    return values


def refuse_impossible(values: Mapping[str, str]) -> None:
    """Raise EndpointError for parameters that do not go together; some may be missing."""
    least, most = values.get("MinInstances"), values.get("MaxInstances")
    if least and most and int(least) > int(most):
        raise EndpointError(
            f"{least} instances at least are more than {most} at most: change --min-instances or"
            " --max-instances"
        )
    kind = values.get("InstanceType", "")
    if values.get("Serving") == "REAL_TIME" and re.match(r"ml\.t\d", kind):
        raise EndpointError(
            f"--instance-type {kind}: burstable instances cannot scale; take"
            f" {declared(TEMPLATE, 'InstanceType')}, or --serverless"
        )
