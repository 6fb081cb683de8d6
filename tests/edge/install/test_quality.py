"""Quality of a bundle on the examples that are held out: the network as it listens, its own head, the fitting ones."""

from pathlib import Path

import numpy as np
import pytest

from overtone_edge.hearing.streaming import open_recogniser
from overtone_edge.install import quality
from overtone_edge.install.quality import held_out_quality
from overtone_edge.state.examples import Example, Store
from overtone_edge.state.slots import HeldOutQuality, Slots
from overtone_models.bundle import Bundle
from overtone_models.metrics import unweighted_average_recall


def fill(folder: Path, bundle: Bundle, examples: list[Example], *, fraction: float) -> Store:
    store = Store(folder, max_bytes=10**9, held_out_fraction=fraction)
    for number, example in enumerate(examples):
        store.add(example.frames, example.label, front_end=bundle.manifest.front_end.digest, time_ns=number)
    return store


def test_quality_is_that_of_the_recogniser_on_the_held_out_examples(
    tmp_path: Path, bundle: Bundle, examples: list[Example]
) -> None:
    store = fill(tmp_path, bundle, examples, fraction=0.5)
    held_out = [e for e in store.examples(bundle.manifest.front_end.digest, bundle.manifest.labels) if e.held_out]
    recogniser, labels = open_recogniser(bundle), bundle.manifest.labels
    calibration = bundle.manifest.calibration
    probabilities = np.stack([recogniser.probabilities(recogniser.embedding(e.frames)) for e in held_out])
    numbers = np.array([labels.index(e.label) for e in held_out])
    result = held_out_quality(bundle, store)
    assert result is not None and result.held_out == len(held_out) == 6
    assert result.uar == pytest.approx(unweighted_average_recall(probabilities.argmax(1), numbers, len(labels)))
    if calibration.speech is None:
        expected = -np.log(probabilities[np.arange(len(numbers)), numbers]).mean()
        assert result.loss == pytest.approx(expected, rel=1e-4)


def test_examples_of_other_labels_and_front_ends_do_not_count(
    tmp_path: Path, bundle: Bundle, examples: list[Example]
) -> None:
    store = Store(tmp_path, max_bytes=10**9, held_out_fraction=0.9)
    for number, example in enumerate(examples[:6]):
        store.add(example.frames, "unheard-of", front_end=bundle.manifest.front_end.digest, time_ns=number)
        store.add(example.frames + 1, example.label, front_end="f" * 64, time_ns=number)
    assert held_out_quality(bundle, store) is None


def test_the_newest_examples_are_enough(
    tmp_path: Path, bundle: Bundle, examples: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quality, "MAX_HELD_OUT", 2)
    result = held_out_quality(bundle, fill(tmp_path, bundle, examples, fraction=0.5))
    assert result is not None and result.held_out == 2


def test_figures_lie_beside_their_bundle_and_a_broken_file_is_none(tmp_path: Path) -> None:
    slots = Slots(tmp_path / "slots")
    slot = slots.stage(b"signed", b"payload", 1)
    assert slots.quality(slot) is None
    slots.save_quality(slot, HeldOutQuality(3, 0.5, 1.25))
    assert Slots(tmp_path / "slots").quality(slot) == HeldOutQuality(3, 0.5, 1.25)
    (path,) = (tmp_path / "slots").rglob("quality.json")
    path.write_text('{"held_out": 3}')
    assert slots.quality(slot) is None
    slots.save_quality(slot, None)
    assert not path.exists()
