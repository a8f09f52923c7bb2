"""The options that the commands of local share."""

import argparse
import json
from pathlib import Path

import pytest

from cli.errors import CommandError
from cli.program import Program
from local.__main__ import COMMANDS
from local.arguments import add_cloud_options, cloud_options, stack_parameters


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_cloud_options(parser)
    return parser.parse_args(words)


def test_the_threshold_is_that_of_the_model_s_card(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "card.json").write_text(json.dumps({"threshold": {"value": 0.91234}}))
    found = stack_parameters(parsed("--model", str(tmp_path)))
    assert found == {
        "WorkflowType": "STANDARD",
        "ConfidenceThreshold": "0.913",
        "NoneThreshold": "0",
    }
    assert not capsys.readouterr().err


def test_the_shipped_model_s_threshold_is_the_template_s_default() -> None:
    from model.endpoint.place import WORKFLOW, declared

    default = declared(WORKFLOW, "ConfidenceThreshold")
    assert stack_parameters(parsed())["ConfidenceThreshold"] == default


def test_a_parameter_wins_over_the_card() -> None:
    found = stack_parameters(parsed("--parameter", "ConfidenceThreshold=0.5"))
    assert found["ConfidenceThreshold"] == "0.5"


def test_a_model_without_a_card_keeps_the_default_with_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "ConfidenceThreshold" not in stack_parameters(parsed("--model", str(tmp_path)))
    assert f"warning: {tmp_path} has no card.json" in capsys.readouterr().err


def test_a_parameter_without_a_value_is_refused() -> None:
    with pytest.raises(CommandError, match="^--parameter Threshold: write NAME=VALUE$"):
        stack_parameters(parsed("--parameter", "Threshold"))


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=f"^--model {tmp_path}: it holds no model.onnx"):
        cloud_options(parsed("--model", str(tmp_path)))


@pytest.mark.parametrize("command", ["demo", "up", "classify"])
def test_options_are_judged_before_anything_starts(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    images = ["picture.jpg"] if command == "classify" else []
    program = Program("python -m local", "Runs.", COMMANDS, "local.commands", "local")
    assert program.main([command, "--parameter", "Threshold", *images]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "error: --parameter Threshold: write NAME=VALUE\n"
