"""What the demonstration's last device listens to."""

from pathlib import Path

import numpy as np

from overtone_cloud.corpora import audio
from overtone_cloud.demo.listening import PAUSE_S, UTTERANCES, background, make_recording, spoken_at
from overtone_cloud.synthesis.corpus import write_wav
from overtone_common.audio import SAMPLE_RATE_HZ


def test_pauses_are_as_loud_as_the_quietest_stretch() -> None:
    rng = np.random.default_rng(0)
    speech, floor = rng.normal(size=SAMPLE_RATE_HZ), 0.01 * rng.normal(size=SAMPLE_RATE_HZ // 2)
    pause = background(np.concatenate([speech, floor, speech]).astype(np.float32))
    assert pause.size == round(PAUSE_S * SAMPLE_RATE_HZ)
    assert 0.008 < pause.std() < 0.012
    assert not background(np.zeros(SAMPLE_RATE_HZ, np.float32)).any()


def test_one_utterance_of_each_label_is_told_from_where_it_begins(tmp_path: Path) -> None:
    rows = ["path,label"]
    for number, label in enumerate(("happy", "sad", "angry", "neutral", "bored")):
        path = tmp_path / f"{label}.wav"
        write_wav(path, np.full(SAMPLE_RATE_HZ * (number + 1), 0.1, np.float32))
        rows.append(f"{path},{label}")
    (tmp_path / "kept.csv").write_text("\n".join(rows))
    recording, spoken = make_recording(tmp_path)
    samples = audio.load(recording)
    assert [label for _, label in spoken] == ["happy", "sad", "angry", "neutral"]
    assert len(spoken) == UTTERANCES
    assert samples.size == round(((UTTERANCES + 1) * PAUSE_S + 10.0) * SAMPLE_RATE_HZ)
    for begins, label in spoken:
        assert spoken_at(begins, spoken) == label
        at = round(begins * SAMPLE_RATE_HZ)
        np.testing.assert_allclose(samples[at : at + 1000], 0.1, atol=1e-4)
    assert spoken_at(0.0, spoken) == ""
