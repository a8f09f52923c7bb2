"""Measure in a process of its own: its peak memory is its own too."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def memory_and_seconds(*words: str) -> tuple[float, float]:
    """Run Python with these words; return the peak memory in MB and the seconds that it prints."""
    usage = subprocess.run(
        [sys.executable, *words], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    memory, seconds = map(float, usage.split())
    return memory, seconds
