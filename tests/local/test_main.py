"""The command line of local: what it teaches, and what it says when it cannot work."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from local.__main__ import COMMANDS, main
from tests.support.help import wide
from tests.support.processes import command, run, take_interrupts
from tests.support.project import ROOT


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """The program takes over the signals of the process that runs it."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_teaches(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert f"python -m local {name}" in told
    assert wide(told) == []


@pytest.mark.parametrize(
    "words", [["--help"], *([name, "--help"] for name in COMMANDS)], ids=" ".join
)
def test_help_needs_no_extra(words: list[str]) -> None:
    code = (
        "import sys; from local.__main__ import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: print([name for name in sys.modules if name in"
        " ('boto3', 'botocore', 'moto', 'numpy', 'PIL', 'rich', 'samtranslator')])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ended.stdout.splitlines()[-1] == "[]"


def test_a_library_that_is_missing_is_named() -> None:
    code = (
        "import sys; sys.modules['moto'] = None\n"
        "from local.__main__ import main; sys.exit(main(['demo']))"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert "run make .venv/.extra-local" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["classify", "nowhere.jpg"], "nowhere.jpg: there is no such file"),
        (["demo", "--model", "ops"], "--model ops: it holds no model.onnx"),
        (["demo", "--parameter", "ConfidenceThreshold"], "write NAME=VALUE"),
        (["up", "--parameter", "ConfidenceThreshold=2"], "ConfidenceThreshold"),
        (["up", "--host", "192.0.2.1"], "cannot listen at 192.0.2.1:0"),
    ],
)
def test_what_cannot_be_done_is_named(arguments: list[str], words: str) -> None:
    done = run(*arguments)
    assert done.returncode not in (0, 130)
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("delay_s", [0.2, 0.5, 1.0, 1.5])
def test_an_interrupt_during_the_imports_shows_no_traceback(delay_s: float) -> None:
    process = subprocess.Popen(
        command("up", "--json"),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=take_interrupts,
    )
    time.sleep(delay_s)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode in (130, -signal.SIGINT)  # by it: before the first line of ours
    assert err in ("", "interrupted\n")


def test_the_program_is_listed_with_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    assert [name for name in COMMANDS if f"\n  {name} " not in shown] == []
    assert "Exit codes:" in shown


@pytest.mark.parametrize("name", ["demo", "up", "classify"])
def test_a_full_disk_is_named_at_the_start(name: str) -> None:
    unshare = ["unshare", "--user", "--map-root-user", "--mount"]
    mount = "mkdir -p .local && mount -t tmpfs -o size=2m tmpfs .local"
    if shutil.which("unshare") is None or subprocess.run([*unshare, "true"]).returncode:
        pytest.skip("no small disk can be mounted: this system has no user namespaces")
    words = command(name, *(["events/images/bicycle.png"] if name == "classify" else []))
    ended = subprocess.run(
        [*unshare, "sh", "-c", f'{mount} && exec "$@"', "sh", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr == (
        f"error: {ROOT}/.local: 2 MB are free, and 100 MB are needed: free some space there\n"
    )
