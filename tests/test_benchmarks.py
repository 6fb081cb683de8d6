"""The side-by-side measurements run, check that the candidates agree, and print JSON."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.parametrize(
    ("script", "figures"),
    [
        ("front_end", ("ms_per_second_of_sound", "largest_difference_from_librosa_in_float64", "librosa_over_ours")),
        ("whole_path", ("ms_per_hop", "script_over_agent", "same_label")),
        ("training_step", ("head", "full")),
    ],
)
def test_benchmark_prints_json(script, figures):
    command = [sys.executable, str(FOLDER / f"{script}.py"), "--rounds", "1", "--seconds", "5"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["benchmark"] == script
    assert report["threads"] == 1
    assert report["machine"]["cores"] >= 1
    assert set(figures) <= set(report)
