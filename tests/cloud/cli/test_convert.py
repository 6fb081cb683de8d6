"""`overtone convert`, `verify`, `sign`, `export` and `keys`, end to end on a run of synthetic voices."""

import errno
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from overtone_cloud.bundles.sources import load_bundle
from overtone_cloud.training.run_folder import RunFolder
from overtone_models import pretrained
from overtone_models.archive import unpack
from overtone_models.bundle import MAX_BYTES, Bundle, read_bundle
from overtone_models.errors import BundleError

Overtone = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from overtone_cloud.cli.main import main

    folder = tmp_path_factory.mktemp("signing") / "keys"
    assert main(["keys", "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def signed(trained: Path, cache: Path, keys: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's signed bundle, version 4."""
    from overtone_cloud.cli.main import main

    path = tmp_path_factory.mktemp("bundles") / "voices.bundle"
    words = ["convert", trained, "--out", path, "--keys", keys, "--version", 4, "--name", "voices", "--cache", cache]
    assert main(list(map(str, words))) == 0
    return path


@pytest.fixture
def bundle(signed: Path) -> Bundle:
    return load_bundle(signed)


def rewritten(bundle: Bundle, path: Path, **changes: object) -> Path:
    """A bundle file that is consistent in itself, with some parts exchanged."""
    path.write_bytes(replace(bundle, **changes).to_bytes())  # type: ignore[arg-type]
    return path


def test_the_signed_bundle_is_the_runs_model(bundle: Bundle, trained: Path) -> None:
    model, manifest = RunFolder(trained).load_model(), bundle.manifest
    np.testing.assert_array_equal(bundle.weights, model.weights)
    assert (manifest.name, manifest.version, manifest.base_round) == ("voices", 4, 0)
    assert manifest.labels == model.labels
    assert manifest.calibration == model.calibration
    assert manifest.front_end.digest == model.front_end.digest
    assert set(manifest.lineage) >= {"training_data", "training_data_digest", "split", "fold", "seed", "quantisation"}
    assert bundle.golden_samples.size == 32_000
    assert len(bundle.golden_probabilities) == 19


def test_a_run_is_written_as_onnx(
    overtone: Overtone, trained: Path, cache: Path, bundle: Bundle, tmp_path: Path
) -> None:
    from overtone_converters.onnx_export import OnnxNetwork, check_parity

    status, out, _ = overtone("export", trained, "--onnx", tmp_path / "run.onnx", "--cache", cache)
    assert (status, "of the float network in ONNX Runtime" in out) == (0, True)
    model = (tmp_path / "run.onnx").read_bytes()
    assert OnnxNetwork(model).metadata["labels"] == json.dumps(bundle.manifest.labels)
    assert check_parity(bundle, model, bundle.golden_samples).hops == 19


def test_a_missing_library_is_named_before_the_work(
    overtone: Overtone, trained: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    words = ("export", trained, "--onnx", tmp_path / "y", "--cache", cache)
    status, out, err = overtone(*words)
    assert (status, out) == (1, "")
    assert err.startswith("overtone: the library onnxruntime is not installed; ")
    assert list(tmp_path.iterdir()) == []


def test_the_signature_is_checked_with_the_root(signed: Path, keys: Path, tmp_path: Path) -> None:
    from overtone_converters.errors import SigningError
    from overtone_converters.signing import make_keys

    assert load_bundle(signed, keys / "root.json").digest == load_bundle(signed).digest
    with pytest.raises(SigningError, match="not to be trusted"):
        load_bundle(signed, make_keys(tmp_path / "others"))


def test_verify_repeats_the_checks(overtone: Overtone, signed: Path, trained: Path, cache: Path, keys: Path) -> None:
    words = ("verify", signed, "--run", trained, "--cache", cache, "--root", keys / "root.json")
    status, out, _ = overtone(*words, "--json")
    assert status == 0
    found = json.loads(out)
    assert found["utterances"] == 24
    assert found["label_agreement"] >= 0.98
    assert max(found["head_step_difference"], found["full_step_difference"]) <= 1e-5
    assert found["golden_difference"] <= 1e-6
    status, out, _ = overtone(*words)
    assert (status, "label agreement" in out) == (0, True)


def test_an_unsigned_bundle_can_be_read_but_not_trusted(
    overtone: Overtone, bundle: Bundle, trained: Path, cache: Path, keys: Path, tmp_path: Path
) -> None:
    plain = rewritten(bundle, tmp_path / "plain.bundle")
    assert load_bundle(plain).digest == bundle.digest
    words = ("verify", plain, "--run", trained, "--cache", cache)
    status, _, err = overtone(*words, "--root", keys / "root.json")
    assert status == 1
    assert err.startswith("overtone: ")


def test_verify_refuses_weights_that_are_not_the_int8_files(
    overtone: Overtone, bundle: Bundle, trained: Path, cache: Path, tmp_path: Path
) -> None:
    weights = np.random.default_rng(0).permutation(bundle.weights)
    path = rewritten(bundle, tmp_path / "wrong.bundle", weights=weights)
    status, out, err = overtone("verify", path, "--run", trained, "--cache", cache)
    assert status == 1
    assert "bundle refused" in err
    assert "label agreement" in out


def test_verify_refuses_a_golden_clip_with_other_answers(
    overtone: Overtone, bundle: Bundle, trained: Path, cache: Path, tmp_path: Path
) -> None:
    other = np.roll(bundle.golden_probabilities, 1, axis=1)
    path = rewritten(bundle, tmp_path / "wrong.bundle", golden_probabilities=other)
    status, _, err = overtone("verify", path, "--run", trained, "--cache", cache)
    assert status == 1
    assert "golden clip difference" in err


def test_a_bundle_that_fails_is_not_written(
    overtone: Overtone, trained: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("overtone_converters.verify.MIN_AGREEMENT", 1.01)
    status, _, err = overtone("convert", trained, "--out", tmp_path / "x.bundle", "--cache", cache)
    assert status == 1
    assert "bundle refused: label agreement" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_one_changed_bit_is_refused(
    overtone: Overtone, signed: Path, trained: Path, tmp_path: Path, place: float
) -> None:
    data = bytearray(signed.read_bytes())
    data[int(place * len(data))] ^= 4
    (tmp_path / "changed.bundle").write_bytes(data)
    status, _, err = overtone("verify", tmp_path / "changed.bundle", "--run", trained)
    assert status == 1
    assert "not a bundle" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("data", [b"", b"nonsense"])
def test_files_that_are_no_bundles(overtone: Overtone, trained: Path, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.bundle").write_bytes(data)
    status, _, err = overtone("verify", tmp_path / "x.bundle", "--run", trained)
    assert (status, "not a bundle" in err) == (1, True)


def test_files_that_are_missing(overtone: Overtone, signed: Path, trained: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    for words in (
        ("verify", nowhere, "--run", trained),
        ("verify", signed, "--run", nowhere),
        ("verify", signed, "--run", trained, "--root", nowhere),
        ("convert", nowhere, "--out", tmp_path / "x"),
        ("convert", trained, "--out", tmp_path / "x", "--keys", nowhere),
    ):
        status, _, err = overtone(*words)
        assert status == 1
        assert "nowhere" in err
        assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(BundleError, match="cannot read"):
        load_bundle(nowhere)


@pytest.mark.parametrize("command", [("verify",), ("convert", "--out", "x")])
def test_files_that_cannot_be_looked_at(
    overtone: Overtone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """Root may read everything, so that the system's refusal is made here."""
    path, exists = tmp_path / "model.bundle", Path.exists

    def refused(self: Path, **more: bool) -> bool:
        if self == path:
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return exists(self, **more)

    monkeypatch.setattr(Path, "exists", refused)
    status, _, err = overtone(*command, path)
    assert (status, err) == (1, f"overtone: cannot read {path}: Permission denied\n")


@pytest.mark.parametrize("words", [("--version", 0), ("--name", "my model"), ("--name", "../up")])
def test_what_cannot_be_signed_fails_before_the_work(
    overtone: Overtone, trained: Path, keys: Path, tmp_path: Path, words: tuple[object, ...]
) -> None:
    status, out, err = overtone("convert", trained, "--out", tmp_path / "x", "--keys", keys, *words)
    assert status == 1
    assert err.startswith(f"overtone: {'release version' if words[0] == '--version' else 'name'} is ")
    assert out == ""


def test_a_run_with_half_a_model(overtone: Overtone, trained: Path, tmp_path: Path) -> None:
    import shutil

    run = tmp_path / "run"
    shutil.copytree(trained, run)
    for name in ("weights.safetensors", "model.json"):
        data = (run / name).read_bytes()
        (run / name).write_bytes(data[: len(data) // 2])
        status, _, err = overtone("convert", run, "--out", tmp_path / "x")
        assert status == 1
        assert "holds no whole model" in err or "cannot be read" in err
        (run / name).write_bytes(data)


def test_a_finished_bundle_is_signed_for_a_fleet(
    overtone: Overtone, bundle: Bundle, keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretrained, "FOLDERS", (tmp_path / "pretrained",))
    (tmp_path / "pretrained" / "tiny").mkdir(parents=True)
    rewritten(bundle, tmp_path / "pretrained" / "tiny" / "tiny.bundle")
    out = tmp_path / "first.bundle"
    status, text, _ = overtone("sign", "tiny", "--keys", keys, "--out", out, "--version", 7)
    assert (status, "signed" in text) == (0, True)
    found = load_bundle(out, keys / "root.json")
    assert (found.manifest.version, found.manifest.name, found.base) == (7, "voices", bundle.base)
    again = tmp_path / "renewed.bundle"
    status, text, _ = overtone("sign", out, "--keys", keys, "--out", again, "--version", 8, "--name", "mine", "--json")
    described = {"file": str(again), "bytes": again.stat().st_size, "name": "mine", "version": 8}
    assert (status, json.loads(text)) == (0, described)
    assert load_bundle(again, keys / "root.json").base == bundle.base


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (("--keys", "keys", "--out", "x"), "overtone sign {source} --keys DIR --out FILE"),
        (("--out", "x"), "overtone sign {source} --keys DIR --out FILE"),
        (("--micro", "c"), "overtone export {source} --micro c"),
        (("--onnx", "m.onnx"), "overtone export {source} --onnx m.onnx"),
    ],
)
def test_old_spellings_name_the_new_command(
    overtone: Overtone, signed: Path, words: tuple[str, ...], command: str
) -> None:
    status, out, err = overtone("convert", signed, *words)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert command.format(source=signed) in err


def test_an_export_says_what_it_needs(overtone: Overtone, signed: Path) -> None:
    status, _, err = overtone("export", signed)
    assert (status, err) == (1, "overtone: export needs --micro DIR or --onnx FILE\n")


def test_keys_are_made_once(overtone: Overtone, keys: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in keys.iterdir()}
    status, _, err = overtone("keys", "--out", keys)
    assert status == 1
    assert "holds keys already" in err
    assert {path.name: path.read_bytes() for path in keys.iterdir()} == before
    status, out, _ = overtone("keys", "--out", tmp_path / "new")
    assert status == 0
    assert "give this file to every device" in out


def test_a_signed_file_holds_the_bundle_and_no_key(signed: Path) -> None:
    entries = unpack(signed.read_bytes(), MAX_BYTES)
    (target,) = [data for name, data in entries.items() if name.startswith("targets/")]
    assert read_bundle(target).manifest.name == "voices"
    assert not any(b"PRIVATE KEY" in data for data in entries.values())
