"""`overtone convert` and `verify` on folders of window networks: small forms of the papers' own."""

import json
from pathlib import Path

import numpy as np
import pytest

from overtone_cloud.bundles.sources import load_bundle
from overtone_converters.window_testing import write_network
from overtone_models.networks import papers, tf

SMALL = {"windows": 20, "filters": [8, 8, 8, 8], "width": 16}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small a-conv in the folder `networks/small`."""
    tf.keras.utils.set_random_seed(0)
    folder = tmp_path_factory.mktemp("study") / "networks" / "small"
    feature = {"name": "short-term", "windows": 20}
    return write_network(folder, "a-conv", papers.build("a-conv", **SMALL), (feature,), options=SMALL)


def test_a_folder_becomes_a_bundle_with_a_table(overtone, network: Path) -> None:
    status, out, err = overtone("convert", network)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split() == [
        *("network", "form", "bundle", "multiply-adds", "p50", "features", "accuracy", "change", "agreement")
    ]
    assert lines[1].startswith("a-conv ") and " MB " in lines[1] and " ms " in lines[1]
    assert "a-conv: cannot stream: looks at the last 2.1 s every 0.5 s; 64 test rows, split: none" in out
    bundle = load_bundle(network / "small.bundle")
    assert bundle.manifest.window is not None and bundle.manifest.name == "a-conv"
    status, out, _ = overtone("verify", network / "small.bundle", "--run", network)
    assert status == 0 and "label agreement" in out


def test_json_and_a_signed_file(overtone, network: Path, tmp_path: Path) -> None:
    assert overtone("keys", "--out", tmp_path / "keys")[0] == 0
    words = ("--out", tmp_path / "x.signed", "--keys", tmp_path / "keys", "--name", "mine", "--version", 4, "--json")
    status, out, _ = overtone("convert", network, *words)
    found = json.loads(out)
    assert status == 0 and found["signed"] and found["label_agreement"] >= 0.98
    for name in ("multiply_adds", "latency_p50_ms", "bundle_bytes", "body_bytes", "accuracy_change", "form"):
        assert name in found
    bundle = load_bundle(tmp_path / "x.signed", tmp_path / "keys" / "root.json")
    assert (bundle.manifest.name, bundle.manifest.version) == ("mine", 4)


def test_a_folder_of_networks_goes_on_past_a_broken_one(overtone, network: Path, tmp_path: Path) -> None:
    import shutil

    for name in ("a", "b"):
        shutil.copytree(network, tmp_path / "all" / name)
    (tmp_path / "all" / "a" / "calibration.npz").unlink()
    status, out, err = overtone("convert", tmp_path / "all", "--out", tmp_path / "bundles", "--json")
    assert status == 1 and [row["folder"] for row in json.loads(out)] == [str(tmp_path / "all" / "b")]
    assert "calibration.npz is missing" in err
    assert [path.name for path in (tmp_path / "bundles").iterdir()] == ["b.bundle"]
    status, _, err = overtone("convert", tmp_path / "all", "--out", tmp_path / "one.bundle")
    assert status == 1 and "holds 2 networks: --out must be a folder" in err


@pytest.mark.parametrize("name", ["window.json", "weights.safetensors", "calibration.npz", "test.npz"])
def test_a_folder_with_a_broken_file_is_one_line(overtone, network: Path, tmp_path: Path, name: str) -> None:
    import shutil

    folder = tmp_path / "broken"
    shutil.copytree(network, folder)
    (folder / name).write_bytes(b"garbage")
    status, out, err = overtone("convert", folder)
    assert (status, out, err.count("\n")) == (1, "", 1) and name in err


@pytest.mark.parametrize("option", ["--micro", "--onnx"])
def test_forms_of_networks_that_stream_are_refused(overtone, network: Path, tmp_path: Path, option: str) -> None:
    status, out, err = overtone("export", network, option, tmp_path / "x")
    assert (status, out) == (1, "")
    assert err.endswith(f"holds networks that look at whole windows; {option} takes a run or its bundle\n")
    assert err.count("\n") == 1 and list(tmp_path.iterdir()) == []


def test_a_folder_that_is_nothing_is_one_line(overtone, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        status, _, err = overtone("convert", folder)
        assert status == 1 and "is not a window network's folder; a run needs --out FILE" in err


FEATURES = {
    "a": ({"name": "short-term"},),
    "c": ({"name": "mean-mfcc"},),
}


def features_of(name: str, shapes: list[tuple[int, ...]]) -> tuple[dict, ...]:
    """The features that give a paper network's inputs."""

    def of(shape: tuple[int, ...]) -> dict:
        if name[0] == "d":
            return {"name": "acoustic"} if shape[1] == 36 else {"name": "text", "width": shape[1]}
        if name[0] == "b":
            return {"name": "crop", "width": shape[1]}
        return {"name": "log-mel"} if len(shape) == 3 else {"name": "mean-vector"}

    return FEATURES.get(name[0]) or tuple(map(of, shapes))


def paper_networks() -> list[str]:
    """The names of all networks of the papers."""
    import importlib

    modules = [importlib.import_module(f"{papers.__name__}.{module}") for module in papers.MODULES.values()]
    return [name for module in modules for name in module.NETWORKS]


@pytest.mark.slow
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("name", paper_networks())
def test_every_network_of_the_papers_converts(overtone, name: str, tmp_path: Path) -> None:
    tf.keras.utils.set_random_seed(0)
    keras = papers.build(name)
    shapes = [tuple(x.shape[1:]) for x in keras.inputs]
    write_network(tmp_path / name, name, keras, features_of(name, shapes))
    status, out, err = overtone("convert", tmp_path / name, "--json")
    assert status == 0, err
    found = json.loads(out)
    assert found["label_agreement"] >= 0.98 and np.isfinite(found["logit_difference"])
    assert bool(found["refused_by_agent"]) == (name in ("d-text", "d-early", "d-late"))
