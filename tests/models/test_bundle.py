"""A bundle: whole and consistent, or an error in one line."""

import io
import json
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from overtone_models.archive import pack, unpack
from overtone_models.bundle import COMMON_FILES, MANIFEST, MAX_BYTES, WEIGHTS, read_bundle
from overtone_models.digests import digest_bytes
from overtone_models.errors import BundleError, LayoutError
from overtone_models.front_end import FrontEndSpec
from overtone_models.layout import weights_digest
from overtone_models.network_spec import EdgeTcnSpec
from overtone_models.trained_model import TrainedModel

Make = Callable[..., bytes]
FILES = ("streaming.tflite", *COMMON_FILES)


def npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def forged(data: bytes, edit: Callable[[dict[str, Any]], object] = lambda m: None, **files: bytes) -> bytes:
    """The bundle with an edited manifest and other files, with digests that fit, as a careless maker would write it."""
    entries = unpack(data, MAX_BYTES) | {name.replace("__", "."): value for name, value in files.items()}
    manifest = json.loads(entries[MANIFEST])
    for name in FILES:
        if name in entries:
            manifest["files"][name] = {"bytes": len(entries[name]), "sha256": digest_bytes(entries[name])}
    edit(manifest)
    return pack({**entries, MANIFEST: json.dumps(manifest).encode()})


def test_round_trip(make_bundle: Make, parts: dict[str, Any]) -> None:
    data = make_bundle()
    found = read_bundle(data)
    assert found.manifest == parts["manifest"]
    assert found.digest == digest_bytes(data)
    assert found.base == weights_digest(parts["weights"])
    for name in ("weights", "standardise_mean", "standardise_scale", "golden_probabilities"):
        np.testing.assert_array_equal(getattr(found, name), parts[name])
    np.testing.assert_allclose(found.golden_samples, parts["golden_samples"], atol=1 / 65_536)
    assert (found.streaming_model, found.training_model) == (b"streaming", b"training")
    np.testing.assert_array_equal(found.head, parts["weights"][found.manifest.layout.head_slice])


def test_equal_parts_give_equal_bytes_and_reading_again_too(make_bundle: Make) -> None:
    data = make_bundle()
    assert make_bundle() == data
    assert read_bundle(data).to_bytes() == data


def test_the_digest_is_always_that_of_the_file(make_bundle: Make) -> None:
    found = read_bundle(make_bundle())
    changed = replace(found, manifest=replace(found.manifest, version=8))
    assert changed.digest == digest_bytes(changed.to_bytes()) != found.digest
    # A file of another maker: the same content, other white space.
    other = forged(make_bundle())
    assert read_bundle(other).digest == digest_bytes(other) != digest_bytes(read_bundle(other).to_bytes())


def test_a_streaming_network_is_no_window_network(make_bundle: Make) -> None:
    manifest = read_bundle(make_bundle()).manifest
    assert manifest.edge == manifest.network
    with pytest.raises(BundleError, match="small: the network edge-tcn streams, this needs one that looks at whole"):
        _ = manifest.window


def test_standardise_takes_out_mean_and_scale(make_bundle: Make) -> None:
    found = read_bundle(make_bundle())
    frames = np.random.default_rng(1).normal(size=(5, 40)).astype(np.float32)
    expected = (frames - found.standardise_mean) * found.standardise_scale
    np.testing.assert_array_equal(found.standardise(frames), expected)
    assert found.standardise(frames).dtype == np.float32


def test_one_flipped_bit_anywhere_is_refused(make_bundle: Make) -> None:
    data = make_bundle()
    rng = np.random.default_rng(0)
    places = np.unique(np.concatenate([np.arange(0, len(data), 97), rng.integers(0, len(data), 300)]))
    for place in places:
        changed = bytearray(data)
        changed[place] ^= 1 << int(rng.integers(8))
        with pytest.raises(BundleError):
            read_bundle(bytes(changed))


def test_a_file_that_is_not_the_listed_one(make_bundle: Make) -> None:
    entries = unpack(make_bundle(), MAX_BYTES)
    with pytest.raises(BundleError, match=r"streaming\.tflite in the bundle is not the file that bundle\.json lists"):
        read_bundle(pack({**entries, "streaming.tflite": b"Streaming"}))


@pytest.mark.parametrize("name", [MANIFEST, *FILES])
def test_missing_file(make_bundle: Make, name: str) -> None:
    entries = unpack(make_bundle(), MAX_BYTES)
    del entries[name]
    with pytest.raises(BundleError, match="it must hold"):
        read_bundle(pack(entries))


def test_extra_file(make_bundle: Make) -> None:
    with pytest.raises(BundleError, match=r"extra\.bin"):
        read_bundle(forged(make_bundle(), extra__bin=b""))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_numbers(make_bundle: Make, parts: dict[str, Any], value: float) -> None:
    weights = parts["weights"].copy()
    weights[3] = value
    with pytest.raises(BundleError, match=r"weights\.npy holds a value that is not finite"):
        read_bundle(make_bundle(weights=weights))


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.zeros(5, np.float32), r"weights\.npy holds float32 of shape \(5,\), it must be float32 of"),
        (np.zeros(5), "holds float64"),
        (np.zeros((5, 1), np.float32), r"shape \(5, 1\)"),
    ],
)
def test_weights_of_another_shape_or_kind(make_bundle: Make, array: np.ndarray, text: str) -> None:
    with pytest.raises(BundleError, match=text):
        read_bundle(forged(make_bundle(), weights__npy=npy(array)))


@pytest.mark.parametrize("data", [b"", b"\x93NUMPY", b"nothing of the kind", pack({"a.npy": b"1"})])
def test_array_files_that_are_no_arrays(make_bundle: Make, data: bytes) -> None:
    with pytest.raises(BundleError, match=f"{WEIGHTS} in the bundle is not an array"):
        read_bundle(forged(make_bundle(), weights__npy=data))


def test_an_object_array_is_not_unpickled(make_bundle: Make) -> None:
    out = io.BytesIO()
    np.save(out, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(BundleError, match="is not an array"):
        read_bundle(forged(make_bundle(), weights__npy=out.getvalue()))


def set_in(*path: str, to: object) -> Callable[[dict[str, Any]], None]:
    def edit(manifest: dict[str, Any]) -> None:
        for key in path[:-1]:
            manifest = manifest[key]
        manifest[path[-1]] = to

    return edit


@pytest.mark.parametrize(
    ("edit", "text"),
    [
        (set_in("format", to=3), "bundle format is 3, this software reads 1 and 2"),
        (set_in("front_end", "digest", to="0" * 64), "front end digest is [0-9a-f]{12}, the bundle says 000000000000"),
        (set_in("front_end", "hop_samples", to=161), "front end digest is"),
        (set_in("front_end", "colour", to="blue"), "no valid field.*colour"),
        (set_in("front_end", "n_mels", to="64"), "n_mels is '64', it must be a whole number"),
        (set_in("front_end", "floor_power", to=float("nan")), "floor_power is nan"),
        (set_in("layout", "digest", to="1" * 64), "layout digest is [0-9a-f]{12}, the bundle says 111111111111"),
        (set_in("gate", "aggressiveness", to=9), "aggressiveness is 9"),
        (set_in("network", "family", to="lstm"), "format 1 holds a network of the family edge-tcn, got 'lstm'"),
        (set_in("network", "n_features", to=39), "the network takes 39 features, the front end gives 40"),
        (set_in("labels", to=["neutral", "happy"]), "do not fit a network of 3 classes"),
        (set_in("labels", to=["neutral", "happy", "hungry"]), "hungry"),
        (set_in("calibration", "temperature", to=0), "temperature is 0"),
        (set_in("calibration", "threshold", to="x"), "no valid field"),
        (set_in("version", to=0), "version is 0, limit is 1..2147483647"),
        (set_in("version", to="seven"), "no valid field"),
        (set_in("lineage", to=5), "no valid field"),
        (set_in("files", to={}), "does not list its files"),
        (lambda m: m.pop("licence"), "no valid field.*licence"),
    ],
)
def test_manifests_that_do_not_fit(make_bundle: Make, edit: Callable[[dict[str, Any]], object], text: str) -> None:
    with pytest.raises(BundleError, match=text):
        read_bundle(forged(make_bundle(), edit))


@pytest.mark.parametrize("text", [b"", b"[]", b"5", b"{", b"\xff", b"[" * 100_000])
def test_manifests_that_are_no_json_object(make_bundle: Make, text: bytes) -> None:
    with pytest.raises(BundleError, match=MANIFEST):
        read_bundle(pack({**unpack(make_bundle(), MAX_BYTES), MANIFEST: text}))


def test_front_end_and_network_must_agree(parts: dict[str, Any]) -> None:
    with pytest.raises(BundleError, match="the network takes 40 features, the front end gives 39"):
        replace(parts["manifest"], front_end=FrontEndSpec(n_mfcc=39))


def test_oversize_is_refused_before_it_is_parsed(make_bundle: Make) -> None:
    with pytest.raises(BundleError, match=f"archive is {MAX_BYTES + 1} bytes, limit is {MAX_BYTES}"):
        read_bundle(bytes(MAX_BYTES + 1))


def test_golden_clip_saturates(make_bundle: Make) -> None:
    found = read_bundle(make_bundle(golden_samples=np.array([2.0, -2.0, 0.5], np.float32)))
    np.testing.assert_allclose(found.golden_samples, [1.0, -1.0, 0.5], atol=1e-4)


def test_trained_model_checks_its_weights_and_labels(parts: dict[str, Any]) -> None:
    network = EdgeTcnSpec(n_classes=3, channels=4, dilations=(1,))
    common = {"network": network, "standardise_mean": np.zeros(40), "standardise_scale": np.ones(40)}
    with pytest.raises(LayoutError, match="2 labels do not fit 3 classes"):
        TrainedModel(**common, weights=parts["weights"], labels=("neutral", "happy"))
    with pytest.raises(LayoutError, match="not finite"):
        TrainedModel(**common, weights=parts["weights"] * np.nan, labels=("neutral", "happy", "sad"))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of everything that a JSON value holds."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, inner in items for place in places(inner, (*path, key)))]


def test_whatever_stands_in_a_field_is_a_bundle_or_a_bundle_error(make_bundle: Make) -> None:
    data = make_bundle()
    for path in places(json.loads(unpack(data, MAX_BYTES)[MANIFEST]))[1:]:
        for odd in (math.inf, -math.inf, math.nan, 10**400, -1, 0, 0.5, True, None, "x", "", [], {}, [[]], {"a": 1}):

            def edit(manifest: Any, path: tuple[Any, ...] = path, odd: object = odd) -> None:
                for key in path[:-1]:
                    manifest = manifest[key]
                manifest[path[-1]] = odd

            with suppress(BundleError):
                read_bundle(forged(data, edit))
