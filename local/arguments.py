"""The options that the commands share."""

import argparse
import sys
from pathlib import Path
from typing import Any

from cli.errors import CommandError
from local.paths import PRETRAINED
from model.endpoint.artifacts import card_of, thresholds_of


def add_cloud_options(parser: argparse.ArgumentParser) -> None:
    """Add what is served and how the workflow runs."""
    parser.add_argument(
        "--model",
        type=Path,
        default=PRETRAINED,
        metavar="FOLDER",
        help="folder with the model.onnx that the endpoint serves, whose card.json gives the"
        " confidence threshold (default: model/pretrained)",
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

    Raises CommandError if there is no such model.
    """
    if not (arguments.model / "model.onnx").is_file():
        raise CommandError(
            f"--model {arguments.model}: it holds no model.onnx; give the folder of a trained model"
        )
    return {"model": arguments.model}


def stack_parameters(arguments: argparse.Namespace) -> dict[str, str]:
    """Return the stack's parameters; the thresholds are those of the model's card.

    Raises CommandError for one without a value.
    """
    parameters = {"WorkflowType": arguments.type} | thresholds_of(card_of(arguments.model))
    for parameter in arguments.parameter:
        name, equals, value = parameter.partition("=")
        if not (name and equals):
            raise CommandError(f"--parameter {parameter}: write NAME=VALUE")
        parameters[name] = value
    if "ConfidenceThreshold" not in parameters:
        print(
            f"warning: {arguments.model} has no card.json with a threshold: the default of"
            " template.yaml was chosen for another model; give --parameter ConfidenceThreshold=X",
            file=sys.stderr,
        )
    return parameters
