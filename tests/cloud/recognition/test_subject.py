"""A trained model under measure: its bundle is kept, and nothing of the test reaches its calibration."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from overtone_cloud.errors import ConfigError, TrainingError
from overtone_cloud.recognition.int8_streaming import listen_to_test, predict_int8
from overtone_cloud.recognition.label_seconds import count_label_seconds, silences
from overtone_cloud.recognition.limits import Limits, check_bundle, check_network
from overtone_cloud.recognition.measures import MeasureInputs, measures
from overtone_cloud.recognition.personal import draw_rows, personalise_speakers
from overtone_cloud.recognition.results import key_of, take
from overtone_cloud.recognition.subject import BUNDLE, Subject, predict_test_part, recalibrate, refuse_test_speakers
from overtone_cloud.training.experiment import predict
from overtone_cloud.training.settings import TrainSettings
from overtone_models.calibration import Calibration


def test_the_float_network_is_scored_as_overtone_train_does(subject: Subject) -> None:
    found = predict_test_part(subject)
    np.testing.assert_allclose(found.probabilities, predict(subject.model, subject.test), atol=1e-6)
    assert set(found.speakers) == {"spk05", "spk06"}
    assert found.thresholds.tolist() == [np.float32(subject.model.calibration.threshold)] * 24


def test_what_the_gate_does_not_hear_is_wrong(subject: Subject) -> None:
    class Deaf:
        name = "deaf"

        def apply(self, samples: np.ndarray) -> np.ndarray:
            return np.zeros(16_000, np.float32)

        def to_json(self) -> dict[str, str]:
            return {"name": "deaf"}

    few = replace(subject, test=subject.test.where([u.id for u in subject.test.utterances[:8]]))
    found = predict_test_part(few, Deaf())
    assert not found.answered.any()
    assert found.uar == 0.0


def test_the_bundle_is_made_once_and_anew_for_another_model(subject: Subject) -> None:
    bundle = subject.bundle
    path = subject.folder / BUNDLE
    stamp = path.stat().st_mtime_ns
    assert replace(subject).bundle.digest == bundle.digest
    assert path.stat().st_mtime_ns == stamp
    calibration = Calibration(temperature=2.0, threshold=0.5)
    other = replace(subject, model=replace(subject.model, calibration=calibration))
    assert other.bundle.manifest.calibration == calibration
    path.write_bytes(path.read_bytes()[:100])
    assert replace(subject).bundle.manifest.calibration == subject.model.calibration


def test_int8_and_listening_agree_with_whole_utterances(subject: Subject) -> None:
    floating, int8 = predict_test_part(subject), predict_int8(subject)
    assert np.abs(int8.probabilities - floating.probabilities).mean() < 0.05
    agreement = listen_to_test(subject)
    assert agreement.utterances == 24
    assert agreement.same >= 23
    assert agreement.right_of_whole >= agreement.same - 24 + agreement.right_of_streamed


def test_calibration_with_test_speakers_is_refused(subject: Subject) -> None:
    with pytest.raises(TrainingError, match=r"calibration refused: temperature and threshold .* \(spk05, spk06\)"):
        recalibrate(subject, subject.test.utterances, TrainSettings())
    copies = [replace(u, corpus="other", speaker="nobody") for u in subject.test.utterances[:1]]
    with pytest.raises(TrainingError, match=r"calibration refused.*\(nobody\)"):
        refuse_test_speakers("ranges", copies, subject.test.utterances)
    mixed = replace(subject, train=subject.test)
    (mixed.folder / BUNDLE).unlink(missing_ok=True)
    with pytest.raises(TrainingError, match="calibration refused: the int8 ranges"):
        _ = mixed.bundle


def test_calibration_with_others_replaces_the_inner_speakers(subject: Subject) -> None:
    found = recalibrate(subject, subject.train.utterances, TrainSettings())
    assert found.model.calibration != subject.model.calibration
    np.testing.assert_array_equal(found.model.weights, subject.model.weights)
    unknown = [replace(u, label="bored") for u in subject.train.utterances]
    with pytest.raises(TrainingError, match="no speech with a label of the model"):
        recalibrate(subject, unknown, TrainSettings())


def test_sizes_over_a_limit_name_the_costliest_layer(subject: Subject) -> None:
    network = TrainSettings(size="L").network(n_features=40, n_classes=8)
    check_network(TrainSettings(size="S").network(n_features=40, n_classes=8), Limits())
    with pytest.raises(ConfigError, match=r"takes \d+ multiply-adds .* limit is 1000; its layer block2 takes most"):
        check_network(
            TrainSettings(size="L", separable=False).network(n_features=40, n_classes=8), Limits(max_multiply_adds=1000)
        )
    with pytest.raises(ConfigError, match=r"weights alone are \d+ bytes, limit is 5000; its layer late takes most"):
        check_network(network, Limits(max_bytes=5000, max_multiply_adds=10**8))
    size = len(subject.bundle.streaming_model)
    check_bundle(subject.bundle, Limits(max_bytes=size))
    with pytest.raises(ConfigError, match=rf"int8 streaming model is {size} bytes, limit is {size - 1}; its layer"):
        check_bundle(subject.bundle, Limits(max_bytes=size - 1))
    with pytest.raises(ConfigError, match="max_bytes is 0"):
        Limits(max_bytes=0)


def test_silence_is_no_decision(subject: Subject) -> None:
    found = count_label_seconds(subject, silences())
    assert (found.recordings, found.seconds) == (5, 100)
    assert found.undecided >= 95
    assert sum(found.ends.values()) == 5


def test_seconds_of_speech_have_the_labels_that_were_in_force(subject: Subject, voices: Path) -> None:
    from overtone_cloud.corpora import audio

    sure = replace(subject, model=replace(subject.model, calibration=Calibration(temperature=0.05, threshold=0.0)))
    speech = np.concatenate([audio.load(voices / "spk05" / "angry_01.wav")] * 2)
    found = count_label_seconds(sure, [speech, np.zeros(32_000, np.float32)])
    assert found.recordings == 2
    assert found.seconds == -(-speech.size // 16_000) + 2
    assert 2 <= found.undecided < found.seconds
    assert found.ends["no decision"] == 1
    assert sum(found.labels.values()) >= found.seconds - found.undecided


def test_owners_give_five_utterances_or_half_and_keep_the_rest_for_the_test() -> None:
    targets = np.array([0] * 8 + [1] * 6 + [2] * 4 + [3])
    given, rest = draw_rows(targets, 5, np.random.default_rng(0))
    assert np.bincount(targets[given], minlength=4).tolist() == [5, 3, 2, 0]
    assert sorted([*given, *rest]) == list(range(19))


def test_a_personal_head_is_used_only_where_the_device_keeps_it(subject: Subject) -> None:
    few = personalise_speakers(subject, draws=1)
    assert [(owner.speaker, owner.given, owner.tested) for owner in few] == [("spk05", 6, 6), ("spk06", 6, 6)]
    assert personalise_speakers(subject, per_emotion=1, draws=1) == []  # nothing that a device could judge with
    one = tuple(replace(u, speaker="both") for u in subject.test.utterances)
    (owner,) = personalise_speakers(replace(subject, test=replace(subject.test, utterances=one)), draws=2)
    assert (owner.speaker, owner.given, owner.tested) == ("both", 15, 9)
    for draw in owner.draws:
        assert draw.judged == 15
        fall = draw.judged_loss[0] - draw.judged_loss[1]
        assert draw.kept == (fall > draw.margin)
        assert draw.uar_personal == (draw.uar_new if draw.kept else draw.uar)
    assert owner.uar_personal == pytest.approx(np.mean([draw.uar_personal for draw in owner.draws]))
    row = json.loads(json.dumps(owner.to_json()))
    assert len(row["draws"]) == 2
    assert row["uar_personal"] == pytest.approx(owner.uar_personal, abs=1e-4)


def test_a_head_that_the_device_does_not_keep_gains_nothing(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    from overtone_edge.learning import cross_validation

    one = tuple(replace(u, speaker="both") for u in subject.test.utterances)
    both = replace(subject, test=replace(subject.test, utterances=one))
    monkeypatch.setattr(cross_validation, "MARGIN_ERRORS", 1e6)
    (owner,) = personalise_speakers(both, draws=1)
    assert owner.kept == 0.0
    assert owner.uar_personal == owner.uar


def test_results_are_kept_until_model_or_settings_change(subject: Subject) -> None:
    possible = measures(MeasureInputs())
    clean = possible["clean"]
    calls: list[str] = []
    first = take(clean, subject, lambda: calls.append("taken"))
    assert take(clean, subject, lambda: calls.append("taken")) == first
    assert calls == ["taken"]
    changed = replace(clean, settings={"version": 2})
    assert key_of(changed, subject) != key_of(clean, subject)
    take(changed, subject, lambda: calls.append("taken"))
    assert calls == ["taken", "taken"]
    (subject.folder / "measures" / "clean.json").write_text("{half")
    assert take(clean, subject) == first


def test_measures_follow_from_the_material(sounds: Path) -> None:
    from overtone_cloud.conditions.read_speech import ReadSpeech
    from overtone_cloud.conditions.sounds import sound_halves
    from overtone_cloud.recognition.measures import NAMES

    few = set(measures(MeasureInputs()))
    assert few == set(NAMES) - {"noise", "sounds", "speech"}
    halves = sound_halves(sounds)
    reading = ReadSpeech(folder=sounds, training=halves.training, test=halves.test)
    assert tuple(measures(MeasureInputs(sounds=halves, speech=reading))) == NAMES


def test_sounds_change_nothing_where_the_training_heard_none(subject: Subject, sounds: Path) -> None:
    settings, others = TrainSettings(), subject.train.utterances
    assert subject.model.calibration.speech is None
    plain = recalibrate(subject, others, settings)
    beside = recalibrate(subject, others, settings, tuple(sounds.iterdir()))
    assert beside.model.calibration == plain.model.calibration
    calibrated = replace(subject.model, calibration=replace(subject.model.calibration, speech=1.0))
    heard = recalibrate(replace(subject, model=calibrated), others, settings, tuple(sounds.iterdir()))
    assert heard.model.calibration.speech is not None


def test_what_devices_do_follows_from_their_settings_too(sounds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from overtone_cloud.conditions.read_speech import ReadSpeech
    from overtone_cloud.conditions.sounds import sound_halves

    halves = sound_halves(sounds)
    reading = ReadSpeech(folder=sounds, training=halves.training, test=halves.test)
    measure_inputs = MeasureInputs(sounds=halves, speech=reading)
    before = measures(measure_inputs)
    monkeypatch.setattr("overtone_converters.device.device_settings", lambda: {"decision": {"another": 1}})
    changed = {name for name, measure in measures(measure_inputs).items() if measure.settings != before[name].settings}
    assert changed == {"listening", "silence", "sounds", "speech", "personal"}
