"""Executions are started at a limited rate, not all at once."""

import argparse
import time

import pytest

from ops.stack.rate_limit import RateLimit, add_rate_limit


def test_turns_are_evenly_spread_whoever_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    slept: list[float] = []
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(time, "sleep", slept.append)
    limit = RateLimit(4)
    for _ in range(3):
        limit.wait()
    clock[0] = 200.0  # nothing is saved up while nobody comes
    limit.wait()
    limit.wait()
    assert slept == [0, 0.25, 0.5, 0, 0.25]


@pytest.mark.parametrize("given", ["0", "-1", "many", "nan", "1001"])
def test_a_rate_out_of_bounds_is_refused(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_rate_limit(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["--per-second", given])
    assert "write a number from 0.01 to 1000" in capsys.readouterr().err
