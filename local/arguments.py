"""The options that the commands share."""

import argparse
from pathlib import Path
from typing import Any

from local.paths import PRETRAINED


def add_cloud_options(parser: argparse.ArgumentParser) -> None:
    """Add what is served and how the workflow runs."""
    parser.add_argument(
        "--model",
        type=Path,
        default=PRETRAINED,
        metavar="FOLDER",
        help="folder with the model.onnx that the endpoint serves (default: model/pretrained)",
    )
    parser.add_argument(
        "--type",
        choices=["STANDARD", "EXPRESS"],
        default="STANDARD",
        help="type of the state machine; EXPRESS keeps no history (default: STANDARD)",
    )
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of template.yaml, for instance ConfidenceThreshold=0.5; repeatable",
    )


def cloud_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the options of embedded_aws.

    Raises SystemExit with a sentence if there is no such model.
    """
    if not (arguments.model / "model.onnx").is_file():
        raise SystemExit(f"--model {arguments.model}: it holds no model.onnx")
    return {"model": arguments.model}


def stack_parameters(arguments: argparse.Namespace) -> dict[str, str]:
    """Return the stack's parameters.

    Raises SystemExit with a sentence for one without a value.
    """
    parameters = {"WorkflowType": arguments.type}
    for each in arguments.parameter:
        name, equals, value = each.partition("=")
        if not (name and equals):
            raise SystemExit(f"--parameter {each}: write NAME=VALUE")
        parameters[name] = value
    return parameters
