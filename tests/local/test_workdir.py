"""The folder of a run: removed at its end, or at the next start if it was killed."""

import multiprocessing
import os
import signal
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from cli.errors import CommandError
from local.workdir import work_folder

SPAWN = multiprocessing.get_context("spawn")


def work(parent: Path, said: Connection) -> None:
    with work_folder(parent) as folder:
        (folder / "package").write_text("of a function")
        said.send(folder.name)
        said.poll(60)


def started(parent: Path) -> tuple[multiprocessing.process.BaseProcess, Connection, str]:
    """Start a run; return its process, what ends it, and the name of its folder."""
    said, end = SPAWN.Pipe()
    process = SPAWN.Process(target=work, args=(parent, end), daemon=True)
    process.start()
    assert said.poll(60)
    return process, said, said.recv()


def test_what_a_killed_run_has_left_goes_at_the_next_start_and_a_live_one_s_stays(
    tmp_path: Path,
) -> None:
    killed, _, left = started(tmp_path)
    live, end, used = started(tmp_path)
    assert killed.pid is not None
    os.kill(killed.pid, signal.SIGKILL)
    killed.join()
    # What is not a run's stays: .local also holds what tests unpack.
    (tmp_path / "engine").mkdir()
    assert (tmp_path / left / "package").exists()
    with work_folder(tmp_path) as folder:
        found = {path.name for path in tmp_path.iterdir() if path.is_dir()}
        assert found == {used, folder.name, "engine"}
        assert (tmp_path / used / "package").exists()
    end.send(None)
    live.join()
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"engine"}


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / ".local").write_text("a file where the folder should be")
    with (
        pytest.raises(CommandError, match=r"\.local: .*start it from a folder that you may write"),
        work_folder(tmp_path / ".local"),
    ):
        pass
