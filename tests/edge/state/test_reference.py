"""The reference on the disk: it comes back for its model alone, and a broken file is named."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from overtone_edge.core.errors import StorageError
from overtone_edge.state.reference import ReferenceStore
from overtone_models.bundle import Bundle
from overtone_models.reference import Reference, ReferenceSpec


@pytest.fixture
def relative(bundle: Bundle) -> Bundle:
    mean = (0.25,) * bundle.manifest.network.embedding_size
    spec = ReferenceSpec(mean=mean, prior_utterances=5.0, memory_utterances=100, max_norm=10.0)
    return replace(bundle, manifest=replace(bundle.manifest, reference=spec))


def heard(bundle: Bundle) -> Reference:
    reference = Reference(bundle.manifest.reference)
    for value in (1.0, 2.0, 4.0):
        reference.add(np.full(bundle.manifest.network.embedding_size, value, np.float32))
    return reference


def test_it_goes_on_after_a_restart_and_is_bounded(relative: Bundle, tmp_path: Path) -> None:
    store = ReferenceStore(tmp_path)
    store.save(relative, heard(relative))
    again = ReferenceStore(tmp_path).load(relative)
    np.testing.assert_allclose(again.shift, heard(relative).shift, atol=1e-6)
    assert (tmp_path / "reference.npz").stat().st_size < 20_000


def test_it_is_of_one_model_alone(relative: Bundle, bundle: Bundle, tmp_path: Path) -> None:
    store = ReferenceStore(tmp_path)
    assert store.load(bundle) is None
    assert store.load(relative).state[0] == 0
    store.save(relative, heard(relative))
    spec = replace(relative.manifest.reference, prior_utterances=6.0)
    other = replace(relative, manifest=replace(relative.manifest, reference=spec))
    assert store.load(other).state[0] == 0


def test_erased_it_begins_anew(relative: Bundle, tmp_path: Path) -> None:
    store = ReferenceStore(tmp_path)
    store.save(relative, heard(relative))
    store.erase()
    assert store.load(relative).state[0] == 0
    assert list(tmp_path.iterdir()) == []


def test_a_broken_file_is_named(relative: Bundle, tmp_path: Path) -> None:
    store = ReferenceStore(tmp_path)
    (tmp_path / "reference.npz").write_bytes(b"no archive")
    with pytest.raises(StorageError, match=r"reference\.npz"):
        store.load(relative)
    np.savez(tmp_path / "reference.npz", key=np.array(relative.reference_key), count=np.array(2.0), mean=np.ones(3))
    with pytest.raises(StorageError, match=r"reference\.npz: not a reference \(a reference of 3 values"):
        store.load(relative)
