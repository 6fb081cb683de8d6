"""A model that came with the software: used while nothing is installed, installed by its name, never by a path."""

import json
from pathlib import Path

import pytest
import soundfile

from overtone_edge.agent.cli import main
from overtone_edge.core.config import load_config
from overtone_edge.core.errors import InstallError
from overtone_edge.install.installer import signed_request
from overtone_edge.state.home import Home
from overtone_models.bundle import read_bundle

FILE_SOURCE = '[source]\nkind = "file"\npath = "speech.wav"\npaced = false\n[decision]\nthreshold = 0.0\n'
STDOUT = "[output]\nstdout = true\n"


def run(capsys: pytest.CaptureFixture[str], *argv: object) -> tuple[int, str, str]:
    capsys.readouterr()
    status = main([str(word) for word in argv])
    output = capsys.readouterr()
    return status, output.out, output.err


def events_of(out: str) -> list[dict]:
    return [json.loads(line) for line in out.splitlines()]


def state(capsys: pytest.CaptureFixture[str], config: Path) -> dict:
    return json.loads(run(capsys, "status", "--json", "--config", config)[1])


def test_without_a_bundle_the_default_one_listens_and_says_what_it_is(
    make_config, shipped: Path, recording: Path, fleet, capsys, caplog
) -> None:
    config = make_config(FILE_SOURCE + STDOUT)
    caplog.set_level("INFO")
    status, out, _ = run(capsys, "run", "--config", config)
    assert status == 0
    assert [event["final"] for event in events_of(out)].count(True) == 2
    lines = [r.getMessage() for r in caplog.records if "pretrained" in r.getMessage()]
    manifest = read_bundle(fleet.payload(1)).manifest
    assert lines == [
        f"nothing is installed: the pretrained model medium is used ({', '.join(manifest.labels)}); "
        f"its licence: {manifest.licence}"
    ]
    found = state(capsys, config)["bundle"]
    assert (found["installed"], found["signed"], found["version"]) == (False, None, 1)
    assert not (Home(load_config(config)).slots.state.current)


def test_no_configuration_is_needed(
    shipped: Path, recording: Path, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    status, out, _ = run(capsys, "run", "--file", recording)
    assert status == 0
    events = events_of(out)
    assert [event["final"] for event in events].count(True) == 2
    assert {event["device"] for event in events} == {"here"}
    assert (tmp_path / "state" / "overtone").stat().st_mode & 0o777 == 0o700


def test_another_one_or_none_can_be_wanted(make_config, shipped: Path, recording: Path, capsys) -> None:
    small = make_config(f'pretrained = "small"\n{FILE_SOURCE}{STDOUT}')
    assert {event["bundle_version"] for event in events_of(run(capsys, "run", "--config", small)[1])} == {2}
    for wanted, text in (("none", "no bundle is installed"), ("huge", "'huge'; there are medium, small")):
        config = make_config(f'pretrained = "{wanted}"\n{FILE_SOURCE}{STDOUT}')
        status, out, err = run(capsys, "run", "--config", config)
        assert (status, out) == (1, "")
        assert text in err.splitlines()[-1]


def test_one_that_is_lost_or_damaged_is_one_line(make_config, shipped: Path, recording: Path, capsys) -> None:
    config = make_config(FILE_SOURCE)
    file = shipped / "medium" / "medium.bundle"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    status, _, err = run(capsys, "run", "--config", config)
    assert (status, "no bundle is installed" in err, "not a bundle" in err) == (1, True, True)
    for one in shipped.rglob("*.bundle"):
        one.unlink()
    status, _, err = run(capsys, "run", "--config", config)
    assert status == 1
    assert "no pretrained model 'medium'; none came with this software" in err.splitlines()[-1]
    assert err.count("overtone-agent: ") == 1


def test_it_learns_like_any_other(make_config, shipped: Path, recording: Path, tmp_path: Path, voice, capsys) -> None:
    rows = ["path,label"]
    for n in range(12):
        soundfile.write(tmp_path / f"{n}.flac", voice(1.2, pitch_hz=110.0 + 110 * (n % 2) + n, seed=n), 16_000)
        rows.append(f"{n}.flac,{'happy' if n % 2 else 'sad'}")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    config = make_config(FILE_SOURCE)
    assert run(capsys, "label", "--manifest", tmp_path / "labels.csv", "--config", config)[0] == 0
    status, out, err = run(capsys, "personalise", "--json", "--config", config)
    assert status == 0, err
    assert json.loads(out)["kept"]
    assert run(capsys, "evaluate", "--manifest", tmp_path / "labels.csv", "--json", "--config", config)[0] == 0
    assert state(capsys, config)["personal"]["base"] == state(capsys, config)["bundle"]["base"]


def test_installing_by_name_and_a_signed_one_after_it(make_config, shipped: Path, fleet, capsys) -> None:
    config = make_config(FILE_SOURCE)
    status, out, _ = run(capsys, "install", "small", "--config", config)
    assert (status, out) == (0, "installed tiny version 2\n")
    assert (state(capsys, config)["bundle"]["installed"], state(capsys, config)["bundle"]["signed"]) == (True, None)
    assert "signed no," in run(capsys, "status", "--config", config)[1]
    assert run(capsys, "install", fleet.path(3), "--config", config)[0] == 0
    found = state(capsys, config)
    assert (found["bundle"]["version"], found["previous_version"]) == (3, 2)


def test_an_unsigned_file_is_refused_whatever_it_is_called(make_config, shipped: Path, fleet, tmp_path, capsys) -> None:
    config = make_config(FILE_SOURCE)
    (tmp_path / "medium").write_bytes(fleet.payload(1))
    for file in (tmp_path / "medium", shipped / "medium" / "medium.bundle"):
        status, _, err = run(capsys, "install", file, "--config", config)
        assert (status, "not to be trusted" in err or "holds one target" in err) == (1, True), err
    assert "there are medium, small" in run(capsys, "install", "huge", "--config", config)[2]
    assert state(capsys, config)["bundle"]["installed"] is False


def test_without_a_root_nobodys_bundle_is_taken(tmp_path: Path, shipped: Path, fleet, capsys) -> None:
    config = tmp_path / "alone.toml"
    config.write_text('[device]\nid = "a"\nstate_dir = "state"\n')
    status, _, err = run(capsys, "install", fleet.path(1), "--config", config)
    assert (status, err.count("\n")) == (1, 1)
    assert "cannot be verified: the configuration has no [trust] root_file" in err
    with pytest.raises(InstallError, match="root_file"):
        signed_request(Home(load_config(config)), fleet.path(1))
    assert run(capsys, "install", "medium", "--config", config)[0] == 0
