"""The options that the commands of local share."""

import argparse
import json
from pathlib import Path

import pytest

from local.arguments import add_cloud_options, stack_parameters


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_cloud_options(parser)
    return parser.parse_args(words)


def test_the_threshold_is_that_of_the_model_s_card(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "card.json").write_text(json.dumps({"threshold": {"value": 0.91234}}))
    found = stack_parameters(parsed("--model", str(tmp_path)))
    assert found == {"WorkflowType": "STANDARD", "ConfidenceThreshold": "0.913"}
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
    with pytest.raises(SystemExit, match="--parameter Threshold: write NAME=VALUE"):
        stack_parameters(parsed("--parameter", "Threshold"))
