"""The console scripts without the libraries of the cloud side."""

import sys

import pytest

from overtone_cloud import entry


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("overtone_cloud.") and name != entry.__name__]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(SystemExit, match=r"^overtone: cryptography is not installed; .*overtone\[cloud\]'$"):
        entry.overtone()


def test_the_scripts_reach_their_commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for script, program in ((entry.overtone, "overtone"), (entry.aggregator, "overtone-aggregator")):
        monkeypatch.setattr(sys, "argv", [program, "--help"])
        with pytest.raises(SystemExit) as end:
            script()
        assert end.value.code == 0 and f"usage: {program}" in capsys.readouterr().out
