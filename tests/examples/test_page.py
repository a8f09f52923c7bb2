"""What docs/integrate.md gives to paste works as it is, but for the names of stacks."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable

import pytest

from local import template as sam
from tests.support.cloud import Cloud
from tests.support.project import ROOT
from tests.verify.tools import SAM, ToolMissing

PAGE = (ROOT / "docs/integrate.md").read_text()
BLOCKS = re.findall(r"```\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [shlex.split(line) for block in BLOCKS for line in block.splitlines()]
PROGRAMS = [words for words in COMMANDS if words[1].startswith("examples/")]
DEPLOYS = [words for words in COMMANDS if words[:2] == ["sam", "deploy"]]

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("words", PROGRAMS, ids=lambda words: words[1])
def test_a_program_takes_the_options_that_the_page_gives_it(words: list[str]) -> None:
    command = [sys.executable, *words[1:2], "--help"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [word for word in words if word.startswith("--") and word not in shown] == []


def test_the_page_s_upload_is_decided(cloud: Cloud, run_example: Run) -> None:
    del cloud
    [words] = [words for words in PROGRAMS if "upload_and_wait" in words[1]]
    words = [word.replace("scones-unlimited", "test-standard") for word in words]
    ran = run_example(words[1].removeprefix("examples/"), *words[2:])
    assert json.loads(ran.stdout)["outcome"] == "accepted", ran.stderr


@pytest.mark.parametrize("words", DEPLOYS, ids=lambda words: words[3])
def test_the_sam_cli_deploys_an_example_as_the_page_says(cloud: Cloud, words: list[str]) -> None:
    bus = cloud.stacks["STANDARD"]["DecisionsBus"]
    try:
        program = str(SAM.require())
    except ToolMissing as missing:
        pytest.skip(str(missing))
    ended = subprocess.run(
        [program, *[word.replace("=BUS", f"={bus}") for word in words[1:]]],
        cwd=ROOT,
        env=os.environ | cloud.aws.environment() | {"SAM_CLI_TELEMETRY": "0"},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout[-1000:] + ended.stderr[-1000:]
    name = words[words.index("--stack-name") + 1]
    cloudformation = cloud.aws.client("cloudformation")
    [stack] = cloudformation.describe_stacks(StackName=name)["Stacks"]
    outputs = {output["OutputKey"] for output in stack["Outputs"]}
    assert outputs == set(sam.load(ROOT / words[3])["Outputs"])
    cloudformation.delete_stack(StackName=name)


def test_the_parser_of_the_page_is_the_example_s() -> None:
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    detail = json.loads((ROOT / "events/announcement.json").read_text())["detail"]
    names = {"json": json, "detail": detail}
    exec(code, names)
    command = [sys.executable, "-c", "import json, sys, announcement as a;"]
    command[2] += "print(json.dumps(a.parse(json.load(sys.stdin))))"
    ended = subprocess.run(
        command,
        cwd=ROOT / "examples/consumer",
        input=json.dumps(detail),
        capture_output=True,
        text=True,
        check=True,
    )
    assert names["parsed"] == json.loads(ended.stdout)
    assert isinstance(names["parsed"]["confidence"], float)
