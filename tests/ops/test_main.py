"""The command line of ops: what it teaches, and what it says when it cannot work."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from cli.errors import explained
from cli.terminal import own_command
from ops.__main__ import COMMANDS, main
from ops.stack.outputs import Stack as OpsStack
from ops.stack.outputs import deployed_stack
from tests.support.cloud import Stack
from tests.support.help import wide
from tests.support.ops import Ops

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_teaches(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    told = capsys.readouterr().out
    assert ended.value.code == 0
    assert f"python -m ops {name}" in told
    assert "--stack NAME" in told
    assert wide(told) == []


def test_help_lists_every_command_and_the_exit_codes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main(["--help"])
    told = capsys.readouterr().out
    assert [name for name in COMMANDS if f"\n  {name} " not in told] == []
    assert "Exit codes:" in told
    assert wide(told) == []


def test_a_command_imports_no_other() -> None:
    code = (
        "import sys; import ops.__main__\n"
        "print([m for m in sys.modules if m.startswith('ops.commands')])"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert told.stdout.strip() == "[]"


def test_a_library_that_is_missing_is_named_and_is_no_finding() -> None:
    code = (
        "import sys; sys.modules['scipy'] = None\n"
        "from ops.__main__ import main; sys.exit(main(['monitor']))"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 2
    assert "scipy" in ended.stderr
    assert "run make .venv/.extra-ops" in ended.stderr


# What the extra installs and no --help may need: each took a quarter of a second or more.
EXTRA = ("boto3", "botocore", "numpy", "scipy", "matplotlib", "PIL", "pi_heif", "resvg_py")


def test_help_of_every_command_needs_nothing_of_the_extra() -> None:
    code = f"""
import sys
for name in {EXTRA}:
    sys.modules[name] = None  # importing it raises ModuleNotFoundError
from ops.__main__ import COMMANDS, main
for words in ([], *([name] for name in COMMANDS)):
    try:
        print("no help of", words, main([*words, "--help"]))
    except SystemExit as ended:
        assert ended.code == 0, words
"""
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "no help of" not in ended.stdout
    assert ended.stdout.count("usage: ") == len(COMMANDS) + 1


@pytest.mark.parametrize("library", ["boto3", "numpy", "matplotlib"])
def test_without_the_extra_a_command_says_what_to_type(library: str) -> None:
    code = (
        f"import sys; sys.modules[{library!r}] = None\n"
        "from ops.__main__ import main; sys.exit(main(['monitor']))"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"error: {library} is not installed: run make .venv/.extra-ops\n"


def test_options_of_the_stack_stand_before_the_command_or_behind_it(
    ops: Ops, standard: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    del standard, ops
    shown = []
    for words in (["--stack", "test-standard", "show"], ["show", "--stack", "test-standard"]):
        assert main([*words, "nobody.png"]) == 2
        shown.append(capsys.readouterr().err)
    assert shown[0] == shown[1]
    assert "is no upload of this stack" in shown[0]


def test_the_environment_names_the_stack_and_lines_to_paste_name_another(
    ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCONES_STACK", "nobody")
    ran = ops(None, "status")
    assert ran.err.startswith("error: there is no stack nobody in us-east-1")
    assert OpsStack("nobody").command("status") == own_command("ops", "status")
    other = OpsStack("it's another", "eu-west-1").command("status")
    assert other == own_command("ops", "status", "--stack", "it's another", "--region", "eu-west-1")


def test_the_stack_is_the_one_that_sam_deploys(tmp_path: Path) -> None:
    (tmp_path / "samconfig.toml").write_text('[default.global.parameters]\nstack_name = "mine"\n')
    assert deployed_stack(tmp_path / "samconfig.toml") == "mine"


def test_a_samconfig_that_is_no_toml_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "samconfig.toml"
    path.write_text("[default.global.parameters\n")
    monkeypatch.delenv("SCONES_STACK", raising=False)
    monkeypatch.setattr("ops.stack.outputs.SAMCONFIG", path)
    assert main(["status"]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"error: {path} is no TOML (")
    assert told.count("\n") == 1


def test_a_stack_that_is_not_there_is_named(ops: Ops) -> None:
    ran = ops(None, "status", "--stack", "nobody")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: there is no stack nobody in us-east-1")
    assert ran.err.count("\n") == 1


def test_a_stack_of_another_template_is_recognised(ops: Ops, standard: Stack) -> None:
    template = '{"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}}'
    client = standard.aws.client("cloudformation")
    client.create_stack(StackName="another", TemplateBody=template)
    try:
        ran = ops(None, "status", "--stack", "another")
    finally:
        client.delete_stack(StackName="another")
    assert ran.code == 2
    assert "not of this template" in ran.err


def test_without_credentials_it_says_how_to_get_some(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in [variable for variable in os.environ if variable.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert main(["status", "--region", "eu-west-1"]) == 2
    assert "error: no AWS credentials" in capsys.readouterr().err
    assert main(["status"]) == 2
    assert "error: no AWS region: give --region" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        pytest.param("ExpiredToken", "have expired (ExpiredToken): log in again", id="expired"),
        pytest.param("InvalidClientTokenId", "does not know these credentials", id="unknown"),
        pytest.param("AccessDenied", "Query is not allowed: so it is", id="denied"),
        pytest.param("403", "Query is not allowed: so it is", id="denied-without-words"),
        pytest.param("InvalidObjectState", "archived (InvalidObjectState): restore it", id="cold"),
        pytest.param("ValidationException", "Query was refused: ValidationException", id="other"),
    ],
)
def test_a_refused_call_says_what_to_do(code: str, advice: str) -> None:
    error = ClientError({"Error": {"Code": code, "Message": "so it is"}}, "Query")
    assert advice in explained(error)
    assert explained(error, "ask").endswith("; ask") == (code in ("AccessDenied", "403"))
    assert "aws configure" in explained(NoCredentialsError())


def test_an_endpoint_that_does_not_answer_is_named(
    ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("ops.stack.outputs.ATTEMPTS", 1)
    ran = ops(None, "status")
    assert ran.code == 2
    assert "AWS cannot be reached" in ran.err
    assert "127.0.0.1:9" in ran.err


def test_a_fault_of_a_command_is_not_reported_as_what_a_command_finds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def faulty(_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr("ops.commands.export.run", faulty)
    assert main(["export"]) == 2
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert "ZeroDivisionError" in told


def test_ctrl_c_ends_with_130(standard: Stack) -> None:
    code = (
        "import os, runpy, signal, sys, threading\n"
        "import ops.commands.status\n"
        "def run(_): os.kill(os.getpid(), signal.SIGINT); threading.Event().wait(60)\n"
        "ops.commands.status.run = run\n"
        "sys.argv = ['ops', 'status']\n"
        "runpy.run_module('ops', run_name='__main__')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | standard.aws.environment(),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert (ended.returncode, ended.stderr) == (130, "interrupted\n")
