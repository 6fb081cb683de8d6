"""Features: what the device would hear, kept on disk."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overtone_cloud.corpora import audio
from overtone_cloud.corpora.registry import read_corpus
from overtone_cloud.corpora.utterance import Utterance
from overtone_cloud.errors import TrainingError
from overtone_cloud.training.features import Features, extract
from overtone_models.front_end import FrontEndSpec, mfcc
from overtone_models.gate import Gate, GateSpec, WebRtcDetector

FRONT_END, GATE = FrontEndSpec(), GateSpec()


@pytest.fixture
def utterances(voices: Path) -> tuple[Utterance, ...]:
    return read_corpus(voices).labelled[::12]


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were decoded."""
    seen: list[Path] = []
    load = audio.load

    def counted(path: Path, **options: Any) -> Any:
        seen.append(path)
        return load(path, **options)

    monkeypatch.setattr(audio, "load", counted)
    return seen


def entries(cache: Path) -> list[Path]:
    return sorted(cache.rglob("*.npz"))


def test_features_are_those_of_the_device(utterances: tuple[Utterance, ...], tmp_path: Path) -> None:
    found = extract(utterances, FRONT_END, GATE, cache=tmp_path)
    assert found.utterances == utterances
    for index, utterance in enumerate(utterances):
        segments = Gate(GATE, WebRtcDetector(GATE.aggressiveness)).process(audio.load(utterance.path))
        if sum(segment.begins for segment in segments) == 1:
            expected = mfcc(np.concatenate([segment.samples for segment in segments]), FRONT_END)
            np.testing.assert_allclose(found.mfcc(index), expected, atol=2e-3)
        assert found.log_mels[index].dtype == np.float32


def test_kept_features_are_used(utterances: tuple[Utterance, ...], tmp_path: Path, loads: list[Path]) -> None:
    calls: list[tuple[int, int]] = []
    first = extract(utterances, FRONT_END, GATE, cache=tmp_path, progress=lambda *c: calls.append(c))
    assert calls == [(n, len(utterances)) for n in range(1, len(utterances) + 1)]
    assert len(loads) == len(utterances)
    again = extract(utterances, FRONT_END, GATE, cache=tmp_path)
    assert len(loads) == len(utterances)
    for a, b in zip(first.log_mels, again.log_mels, strict=True):
        np.testing.assert_array_equal(a, b)
    assert len(entries(tmp_path)) == len(utterances)


@pytest.mark.parametrize(
    ("front_end", "gate"), [(FrontEndSpec(n_mels=60), GATE), (FRONT_END, GateSpec(hangover_ms=300))]
)
def test_another_front_end_or_gate_has_its_own(
    utterances: tuple[Utterance, ...], tmp_path: Path, loads: list[Path], front_end: FrontEndSpec, gate: GateSpec
) -> None:
    extract(utterances, FRONT_END, GATE, cache=tmp_path)
    extract(utterances, front_end, gate, cache=tmp_path)
    assert len(loads) == 2 * len(utterances)
    assert len(entries(tmp_path)) == 2 * len(utterances)


@pytest.mark.parametrize("spoil", [lambda d: d[: len(d) // 2], lambda d: b"", lambda d: b"nonsense"])
def test_a_broken_cache_is_made_anew(
    utterances: tuple[Utterance, ...], tmp_path: Path, loads: list[Path], spoil: Callable[[bytes], bytes]
) -> None:
    extract(utterances, FRONT_END, GATE, cache=tmp_path)
    path = entries(tmp_path)[0]
    path.write_bytes(spoil(path.read_bytes()))
    extract(utterances, FRONT_END, GATE, cache=tmp_path)
    assert len(loads) == len(utterances) + 1


def test_a_cache_that_cannot_be_written(utterances: tuple[Utterance, ...], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="cannot be written"):
        extract(utterances, FRONT_END, GATE, cache=tmp_path / "file")


def test_what_cannot_be_used_is_named(utterances: tuple[Utterance, ...], tmp_path: Path) -> None:
    from dataclasses import replace

    silent, broken = tmp_path / "silent.wav", tmp_path / "broken.wav"
    import soundfile

    soundfile.write(silent, np.zeros(16_000), 16_000)
    broken.write_bytes(b"RIFF")
    more = [replace(utterances[0], id=path.stem, path=path) for path in (silent, broken)]
    found = extract([*utterances, *more], FRONT_END, GATE, cache=tmp_path / "cache")
    assert found.skipped == ("silent", "broken")
    assert found.utterances == utterances
    with pytest.raises(TrainingError, match="none of 2 utterances could be read"):
        extract(more, FRONT_END, GATE, cache=tmp_path / "cache")
    with pytest.raises(TrainingError, match="no labelled utterance"):
        extract([replace(utterances[0], label=None)], FRONT_END, GATE, cache=tmp_path / "cache")


def test_parts_and_targets(utterances: tuple[Utterance, ...], tmp_path: Path) -> None:
    found = extract(utterances, FRONT_END, GATE, cache=tmp_path)
    part: Features = found.where([utterances[2].id, utterances[0].id, "unknown"])
    assert part.utterances == (utterances[0], utterances[2])
    np.testing.assert_array_equal(part.log_mels[1], found.log_mels[2])
    labels = ("neutral", "sad", "angry")
    assert [labels[t] for t in found.targets(labels)] == [u.label for u in utterances]
    with pytest.raises(TrainingError, match="is not one of the model's: happy"):
        found.targets(("happy",))
