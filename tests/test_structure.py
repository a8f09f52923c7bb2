"""What has to agree between the template, the state machine, the functions and the ledger."""

import json
import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from local.moto_patches.pipes import passes
from model.training.suffixes import SUFFIXES
from ops.stack.ledger import ABSENT_REASONS, Decision
from tests.support.asl_layout import copied, written
from tests.support.functions import load_function
from tests.support.project import (
    ACCEPT,
    ASL_TEXT,
    BACKFILL_TEXT,
    NONE,
    ROOT,
    STEPS,
    backfill,
    exception_classes,
    pinned,
    resources,
    state_machine,
    template,
)

STATES: dict[str, dict[str, Any]] = state_machine()["States"]
RECORDS = {name: state for name, state in STATES.items() if name.startswith("Record ")}
WORKFLOW = resources("AWS::Serverless::StateMachine")["ImageWorkflow"]
FUNCTIONS = resources("AWS::Serverless::Function")

# Names that Lambda, Step Functions and DynamoDB give to faults; every other one is a class of ours.
AWS_ERRORS = re.compile(r"(Lambda|Sandbox|Runtime|States|DynamoDB)\.[A-Za-z.]+")
AWS_BACKFILL_ERRORS = re.compile(r"(States|DynamoDB|S3|StepFunctions|Sfn)\.[A-Za-z0-9.]+")
DOMAIN_ERRORS = {
    *("ImageRejected", "ImageSuperseded", "FolderMarker"),
    *("EndpointRefused", "StorageRefused"),
}
EXPRESS_LIMIT_S = 300


def errors_named(state: dict[str, Any], *fields: str) -> set[str]:
    return {
        error for field in fields for rule in state.get(field, []) for error in rule["ErrorEquals"]
    }


def step_of(state: dict[str, Any]) -> str | None:
    match = re.fullmatch(
        r"\$\{(\w+)FunctionArn\}", state.get("Parameters", {}).get("FunctionName", "")
    )
    return match[1].lower() if match else None


def longest_s(state: dict[str, Any]) -> float:
    """Return the seconds that a Task can take at most: every attempt times out, no jitter helps."""
    [retry] = state["Retry"]
    waits = [
        min(
            retry["IntervalSeconds"] * retry["BackoffRate"] ** attempt,
            retry.get("MaxDelaySeconds", float("inf")),
        )
        for attempt in range(retry["MaxAttempts"])
    ]
    return float(sum(waits) + (retry["MaxAttempts"] + 1) * state["TimeoutSeconds"])


def test_every_substitution_of_the_state_machine_is_given_and_every_given_one_used() -> None:
    assert set(re.findall(r"\$\{(\w+)\}", ASL_TEXT)) == set(WORKFLOW["DefinitionSubstitutions"])


def test_every_error_the_state_machine_names_exists() -> None:
    classes = {name for step in STEPS for name in exception_classes(step)}
    named = {e for state in STATES.values() for e in errors_named(state, "Retry", "Catch")}
    assert {error for error in named if not AWS_ERRORS.fullmatch(error)} <= classes


@pytest.mark.parametrize("step", STEPS)
def test_every_error_class_of_a_function_has_its_route(step: str) -> None:
    [state] = [state for state in STATES.values() if step_of(state) == step]
    named = errors_named(state, "Retry", "Catch")
    # States.ALL is the route of what never passes; what may pass is named in Retry.
    unnamed = {name for name in exception_classes(step) if not name.startswith("_")} - named
    assert unnamed <= {"EndpointRefused", "StorageRefused"}


def test_no_domain_error_is_retried() -> None:
    retried = {error for state in STATES.values() for error in errors_named(state, "Retry")}
    assert not retried & DOMAIN_ERRORS
    assert not retried & {"States.ALL", "States.TaskFailed"}


@pytest.mark.parametrize("step", STEPS)
def test_a_function_that_ends_without_an_answer_is_retried_whatever_lambda_calls_it(
    step: str,
) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html"""
    [state] = [state for state in STATES.values() if step_of(state) == step]
    timed_out, killed = {"Sandbox.Timedout"}, {"Runtime.ExitError", "Runtime.OutOfMemory"}
    assert timed_out | killed | {"Lambda.Unknown"} <= errors_named(state, "Retry")


@pytest.mark.parametrize("name", [name for name, state in STATES.items() if "Catch" in state])
def test_what_is_unforeseen_is_caught_last_and_too_large_states_by_name(name: str) -> None:
    catches = [rule["ErrorEquals"] for rule in STATES[name]["Catch"]]
    assert catches[-1] == ["States.ALL"]
    if step_of(STATES[name]):
        assert ["States.DataLimitExceeded"] in catches  # States.ALL does not catch it


@pytest.mark.parametrize("name", [name for name, s in STATES.items() if s["Type"] == "Task"])
def test_every_task_retries_with_full_jitter_and_a_time_out(name: str) -> None:
    [retry] = STATES[name]["Retry"]
    assert retry["JitterStrategy"] == "FULL"
    assert STATES[name]["TimeoutSeconds"] > 0


@pytest.mark.parametrize("step", STEPS)
def test_a_function_times_out_before_its_task_does(step: str) -> None:
    [state] = [state for state in STATES.values() if step_of(state) == step]
    assert FUNCTIONS[f"{step.title()}Function"]["Timeout"] < state["TimeoutSeconds"]


def routes(name: str) -> list[list[str]]:
    """Return every way from a state to an end, as lists of state names."""
    state = STATES[name]
    following = [state["Next"]] if "Next" in state else []
    following += [rule["Next"] for rule in state.get("Catch", [])]
    onward = [[name, *rest] for next_ in dict.fromkeys(following) for rest in routes(next_)]
    return onward if not state.get("End") and onward else [[name], *onward]


def test_the_slowest_route_fits_into_express_and_the_workflow_s_own_time_out() -> None:
    slowest = max(
        sum(longest_s(STATES[name]) for name in route if STATES[name]["Type"] == "Task")
        for route in routes(state_machine()["StartAt"])
    )
    assert slowest < state_machine()["TimeoutSeconds"] < EXPRESS_LIMIT_S


def attributes_set(state: dict[str, Any]) -> list[str]:
    expression = state["Parameters"]["UpdateExpression"]
    return re.findall(r"(?:SET |ADD |, )(\w+) [=:]", expression)


def test_every_outcome_has_the_same_attributes() -> None:
    assert set(RECORDS) == {"Record decision", "Record failure"}
    assert len({tuple(attributes_set(state)) for state in RECORDS.values()}) == 1


def test_both_documents_that_are_recorded_have_what_the_record_reads() -> None:
    values = RECORDS["Record decision"]["Parameters"]["ExpressionAttributeValues"].values()
    paths = [path for value in values for path in value.values() if path.startswith("$.")]
    documents = (
        STATES["Filter inferences"]["ResultSelector"],
        STATES["Describe rejection"]["Parameters"],
    )
    for document in documents:
        assert {name.removesuffix(".$") for name in document} == {path[2:] for path in paths}


def test_the_ledger_s_item_is_what_the_records_write() -> None:
    written = {*attributes_set(RECORDS["Record decision"]), "upload"}
    assert {field.name for field in fields(Decision)} == written
    page = (ROOT / "docs" / "contracts.md").read_text()
    assert [name for name in sorted(written) if f"`{name}`" not in page] == []


@pytest.mark.parametrize("name", RECORDS)
def test_every_value_of_a_record_is_used_and_given(name: str) -> None:
    parameters = RECORDS[name]["Parameters"]
    used = set(
        re.findall(
            r":\w+", " ".join(parameters[f"{kind}Expression"] for kind in ("Update", "Condition"))
        )
    )
    assert used == set(parameters["ExpressionAttributeValues"])


def test_the_conditions_of_the_records_name_failures_and_absences_as_the_ledger_does() -> None:
    """Who replaces whom by them: tests/workflow/test_record_condition.py."""
    for record in RECORDS.values():
        values = record["Parameters"]["ExpressionAttributeValues"]
        assert values[":failed"] == {"S": "failed"}
        assert {values[f":{reason}"]["S"] for reason in ABSENT_REASONS} == ABSENT_REASONS
    values = RECORDS["Record failure"]["Parameters"]["ExpressionAttributeValues"]
    assert values[":outcome"] == {"S": "failed"}


@pytest.mark.parametrize("name", RECORDS)
def test_both_records_respect_and_replace_what_forget_leaves(name: str) -> None:
    parameters = RECORDS[name]["Parameters"]
    assert "forgotten_at < :uploaded_at" in parameters["ConditionExpression"]
    removed = re.search(r"REMOVE (\w+), (\w+) ADD", parameters["UpdateExpression"])
    assert removed and set(removed.groups()) == {"forgotten_at", "expires_at"}
    table = resources("AWS::DynamoDB::Table")["DecisionsTable"]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_is_tried_again_when_dynamodb_throttles_under_a_name_its_sdk_lacks(
    name: str,
) -> None:
    """On-demand tables may throttle as DynamoDB.AmazonDynamoDBException: aws-cdk#13669."""
    assert "DynamoDB.AmazonDynamoDBException" in errors_named(RECORDS[name], "Retry")


def test_the_announcement_carries_what_the_ledger_holds_but_event_and_history() -> None:
    [pipe] = resources("AWS::Pipes::Pipe").values()
    announced = re.findall(
        r'"(\w+)": <\$\.dynamodb\.NewImage\.(\w+)\.[SN]>', pipe["TargetParameters"]["InputTemplate"]
    )
    assert all(name == attribute for name, attribute in announced)
    recorded = {*attributes_set(RECORDS["Record decision"]), "upload"} - {"event", "history"}
    assert {name for name, _ in announced} == recorded


def test_what_forget_leaves_is_not_announced_nor_a_deletion() -> None:
    [pipe] = resources("AWS::Pipes::Pipe").values()
    criteria = pipe["SourceParameters"]["FilterCriteria"]
    recorded = {"upload": {"S": "bucket/a.png#0"}, "outcome": {"S": "failed"}}
    left = {"upload": recorded["upload"], "forgotten_at": {"S": "2026-11-26T10:00:00Z"}}
    for change in ("INSERT", "MODIFY"):
        assert passes(criteria, {"eventName": change, "dynamodb": {"NewImage": recorded}})
        assert not passes(criteria, {"eventName": change, "dynamodb": {"NewImage": left}})
    assert not passes(criteria, {"eventName": "REMOVE", "dynamodb": {"OldImage": recorded}})


def test_the_happy_path_has_four_billed_steps() -> None:
    name, path = state_machine()["StartAt"], []
    while name:
        path.append(name)
        name = STATES[name].get("Next")
    assert path == ["Serialize image", "Classify image", "Filter inferences", "Record decision"]


@pytest.mark.parametrize(
    ("prefix", "allowed"),
    [
        pytest.param("uploads/", True, id="one-folder"),
        pytest.param("photos/2026/", True, id="two-folders"),
        pytest.param("backfills/", False, id="the-results-of-backfills"),
        pytest.param("labelled-not/", True, id="alike-but-apart"),
        pytest.param("labelled/", False, id="the-reviewed-pictures"),
        pytest.param("labelled/bicycle/", False, id="below-the-reviewed-pictures"),
        pytest.param("uploads", False, id="no-slash"),
        pytest.param("/", False, id="only-a-slash"),
        pytest.param("", False, id="empty"),
        pytest.param("up loads/", False, id="a-space"),
    ],
)
def test_the_upload_prefix_is_a_folder_apart_from_the_labelled_ones(
    prefix: str, allowed: bool
) -> None:
    pattern = template()["Parameters"]["UploadPrefix"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, prefix)) is allowed


@pytest.mark.parametrize("name", template()["Parameters"])
def test_every_parameter_says_what_it_is_and_has_bounds(name: str) -> None:
    parameter = template()["Parameters"][name]
    assert parameter["Description"].endswith(".")
    assert {"AllowedPattern", "AllowedValues", "MaxValue"} & set(parameter)


@pytest.mark.parametrize(("entry", "default"), [("threshold", ACCEPT), ("none", NONE)])
def test_the_default_thresholds_are_the_card_s_rounded_up_to_a_thousandth(
    entry: str, default: str
) -> None:
    card = json.loads((ROOT / "model/pretrained/card.json").read_text())
    assert 0 <= float(default) - card[entry]["value"] < 0.001


def test_number_defaults_with_a_point_are_quoted() -> None:
    """Sam local hands a bare float default to the function as an empty string."""
    for name, parameter in template()["Parameters"].items():
        assert not isinstance(parameter.get("Default"), float), name


def test_no_function_lists_the_classes() -> None:
    for step in STEPS:
        for path in (ROOT / "functions" / step).glob("*.py"):
            assert not re.search(r"bicycle|motorcycle", path.read_text()), path


def test_nothing_that_is_deployed_names_moto() -> None:
    deployed = [*ROOT.glob("functions/**/*.py"), *ROOT.glob("ops/**/*.py"), ROOT / "template.yaml"]
    for path in [*deployed, *ROOT.glob("model/**/*.py")]:
        assert not re.search(r"\bmoto\b", path.read_text()), path


def test_the_state_machine_is_written_in_its_layout() -> None:
    assert written(state_machine()) + "\n" == ASL_TEXT, "run python -m tests.support.asl_layout"


def test_the_embedded_functions_have_the_versions_that_the_package_ships() -> None:
    shipped = pinned(ROOT / "functions/serialize/requirements.txt")
    assert shipped.keys() == {"pillow", "pi-heif"}
    for lock in ("local", "dev", "notebook"):
        assert shipped.items() <= pinned(ROOT / f"locks/{lock}.txt").items(), lock


def test_who_looks_for_pictures_by_name_knows_every_format() -> None:
    formats = load_function("serialize", "formats").FORMATS
    suffixes = {suffix for kind in formats for suffix in kind.suffixes}
    assert suffixes == SUFFIXES


def test_the_announcement_schema_names_what_is_announced_and_why_pictures_are_rejected() -> None:
    schema = json.loads((ROOT / "events" / "schema" / "announcement.json").read_text())
    example = json.loads((ROOT / "events" / "announcement.json").read_text())["detail"]
    jsonschema.validate(example, schema)
    assert list(schema["properties"]) == schema["required"] == list(example)
    [reasons] = [
        rule["then"]["properties"]["reason"]["enum"]
        for rule in schema["allOf"]
        if rule["if"]["properties"]["outcome"] == {"const": "rejected"}
    ]
    assert set(reasons) == set(load_function("serialize", "rejection").Reason)


LOCKS = sorted((ROOT / "locks").glob("*.txt"))
SHIPPED = [ROOT / "functions/serialize", ROOT / "model/serving", ROOT / "model/training"]
LOCKED = [*LOCKS, *(folder / "requirements.txt" for folder in SHIPPED)]
REQUIREMENT = re.compile(
    r"^[a-z0-9-]+==[\w.]+(?: ; [^\\\n]+)? \\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\\n|\n|$))+",
    re.MULTILINE,
)


@pytest.mark.parametrize("path", LOCKED, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_lock_names_exact_versions_with_their_hashes_and_no_index(path: Path) -> None:
    text = path.read_text()
    assert len(REQUIREMENT.findall(text)) == len(re.findall(r"==[\w.]+(?: ;| \\)", text)) > 0
    others = REQUIREMENT.sub("", text).splitlines()
    wanted = ["--find-links https://download.pytorch.org/whl/cpu/torch/"]
    options = [line for line in others if not line.startswith("#")]
    assert options == (wanted if path.name == "torch.txt" else [])


def test_the_locks_agree_with_what_is_pinned_and_with_each_other() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {
        name: version
        for requirements in extras["optional-dependencies"].values()
        for line in requirements
        for name, version in re.findall(r"^([\w-]+)(?:\[.*\])?==([\w.]+)", line)
    }
    versions: dict[str, set[str]] = {}
    for path in LOCKED:
        for name, version in pinned(path).items():
            versions.setdefault(name, set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}
    assert {name: {version} for name, version in wanted.items()}.items() <= versions.items()


def test_every_extra_that_is_installed_has_a_lock() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    inside = {"serialize", "serve"}  # of what ships and of other extras
    names = {path.stem for path in LOCKS} - {"torch"}
    assert names == extras["optional-dependencies"].keys() - inside


BACKFILL: dict[str, dict[str, Any]] = backfill()["States"]
CHILD: dict[str, dict[str, Any]] = BACKFILL["List bucket"]["ItemProcessor"]["States"]


def test_every_substitution_of_the_backfill_is_given_and_every_given_one_used() -> None:
    given = resources("AWS::Serverless::StateMachine")["BackfillWorkflow"]
    assert set(re.findall(r"\$\{(\w+)\}", BACKFILL_TEXT)) == set(given["DefinitionSubstitutions"])


def test_the_backfill_is_written_in_its_layout_and_both_its_maps_do_the_same() -> None:
    expected = written(copied(backfill())) + "\n"
    assert expected == BACKFILL_TEXT, "run python -m tests.support.asl_layout"
    first, second = (dict(BACKFILL[name]) for name in ("List bucket", "Read inventory"))
    for own in ("Comment", "ItemReader", "ItemProcessor"):
        del first[own], second[own]
    for own in ("etag.$", "quoted_etag.$"):
        assert first["ItemSelector"].pop(own) != second["ItemSelector"].pop(own)
    assert first == second


def test_a_backfill_names_each_upload_as_the_ledger_does() -> None:
    [name] = {
        state["Parameters"]["Key"]["upload"]["S.$"]
        for state in CHILD.values()
        if "upload" in state.get("Parameters", {}).get("Key", {})
    }
    [recorded] = {state["Parameters"]["Key"]["upload"]["S.$"] for state in RECORDS.values()}
    detail = "$$.Execution.Input.detail."
    for ours, theirs in (("bucket", "bucket.name"), ("key", "object.key"), ("etag", "object.etag")):
        recorded = recorded.replace(detail + theirs, f"$.{ours}")
    assert name == recorded


def test_a_backfill_starts_the_workflow_with_the_event_that_the_contract_names() -> None:
    started = CHILD["Start workflow"]["Parameters"]["Input"]
    captured = json.loads((ROOT / "events" / "object_created.json").read_text())

    def shape(document: dict[str, Any]) -> dict[str, Any]:
        plain = {name.removesuffix(".$"): value for name, value in document.items()}
        return {k: shape(v) if isinstance(v, dict) else "" for k, v in plain.items()}

    expected = shape(captured)
    for only_s3 in ("request-id", "requester", "source-ip-address"):
        del expected["detail"][only_s3]
    del expected["detail"]["object"]["sequencer"]
    assert shape(started) == expected


def test_what_a_backfill_asks_for_again_is_what_the_ledger_calls_absent() -> None:
    for name in ("Outcome known?", "Recorded?"):
        found = set(re.findall(r'"StringEquals": "(\w+)"', json.dumps(CHILD[name])))
        assert found - {"failed"} == ABSENT_REASONS


@pytest.mark.parametrize("name", [name for name, s in CHILD.items() if s["Type"] == "Task"])
def test_every_task_of_a_backfill_retries_with_full_jitter_and_a_time_out(name: str) -> None:
    [retry] = CHILD[name]["Retry"]
    assert retry["JitterStrategy"] == "FULL"
    assert CHILD[name]["TimeoutSeconds"] > 0
    assert all(AWS_BACKFILL_ERRORS.fullmatch(error) for error in retry["ErrorEquals"])
