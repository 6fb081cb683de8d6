"""The console scripts, also without the libraries of the cloud side."""

import subprocess
import sys

import pytest

from overtone_cloud.cli import entry

WITHOUT_CRYPTOGRAPHY = (
    "import sys; sys.modules['cryptography'] = None; from overtone_cloud.cli import entry; entry.overtone()"
)


def test_a_missing_library_names_the_extra() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_CRYPTOGRAPHY], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("overtone: cryptography is not installed; ") and "overtone[cloud]" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_scripts_reach_their_commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for script, program in ((entry.overtone, "overtone"), (entry.aggregator, "overtone-aggregator")):
        monkeypatch.setattr(sys, "argv", [program, "--help"])
        with pytest.raises(SystemExit) as end:
            script()
        assert end.value.code == 0 and f"usage: {program}" in capsys.readouterr().out


def test_an_interrupt_while_libraries_load_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> entry.Main:
        raise KeyboardInterrupt

    monkeypatch.setattr(entry, "_overtone_main", interrupted)
    monkeypatch.setattr(entry, "_aggregator_main", interrupted)
    assert (entry.overtone(), capsys.readouterr().err) == (130, "overtone: interrupted\n")
    assert (entry.aggregator(), capsys.readouterr().err) == (130, "overtone-aggregator: interrupted\n")
