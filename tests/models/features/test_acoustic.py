"""Acoustic descriptors: known voices, their invariances, and what Praat and openSMILE say of the same sounds."""

import itertools
import subprocess
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile

from overtone_models.errors import FrontEndError
from overtone_models.features.acoustic import STATIC, AcousticSpec
from overtone_models.features.acoustic_pitch import JUMP_COST, VOICING_COST, best_path
from overtone_models.features.acoustic_spectrum import equal_loudness
from overtone_models.features.registry import spec_from_json

REPOSITORY = Path(__file__).resolve().parents[3]
PYTHON = REPOSITORY / ".venv-reference" / "bin" / "python"
SCRIPT = Path(__file__).with_name("reference_acoustic.py")
SPEC = AcousticSpec()
RATE_HZ = 16_000
PITCH, JITTER, SHIMMER, HNR, LOUDNESS = range(5)


def voice(
    hz: float, *, jitter: float = 0.0, shimmer: float = 0.0, noise: float = 0.0, seconds: float = 1.5
) -> tuple[np.ndarray, float, float]:
    """Return a voice whose pulses are disturbed by these shares, and its true local jitter and shimmer.

    Each pulse rings at three formants; it is placed exactly, between samples too.
    """
    rng = np.random.default_rng(round(hz))
    count = int(hz * (seconds - 0.05))
    periods = (1.0 + jitter * rng.normal(size=count)) / hz
    heights = 1.0 + shimmer * rng.normal(size=count)
    samples = noise * rng.normal(size=int(seconds * RATE_HZ))
    for start, height in zip(0.01 + np.cumsum(periods), heights, strict=True):
        first = int(np.ceil(start * RATE_HZ))
        t = np.arange(first, min(first + 160, samples.size)) / RATE_HZ - start
        rings = sum(np.sin(2 * np.pi * f * t) / f for f in (600, 1_200, 2_500))
        samples[first : first + t.size] += height * 1e5 * t * np.exp(-900 * t) * rings
    true_jitter = np.abs(np.diff(periods)).mean() / periods.mean()
    return samples.astype(np.float32), float(true_jitter), float(np.abs(np.diff(heights)).mean() / heights.mean())


def steady(samples: np.ndarray) -> np.ndarray:
    """Return the static descriptors without the ends."""
    return SPEC.static(samples)[10:-15]


@pytest.mark.parametrize("hz", [80.0, 117.3, 220.0, 391.0, 560.0])
def test_a_steady_voice_has_its_pitch_in_every_window(hz: float) -> None:
    found = steady(voice(hz)[0])
    np.testing.assert_allclose(found[:, PITCH], hz, rtol=2e-3)
    assert found[:, JITTER].max() < 0.004
    assert found[:, SHIMMER].max() < 0.02
    assert found[:, HNR].min() > 12


@pytest.mark.parametrize("hz", [95.0, 130.0, 210.0])
@pytest.mark.parametrize("jitter", [0.004, 0.01, 0.02])
def test_jitter_is_what_was_put_in(hz: float, jitter: float) -> None:
    samples, true, _ = voice(hz, jitter=jitter)
    assert steady(samples)[:, JITTER].mean() == pytest.approx(true, rel=0.15)


@pytest.mark.parametrize("hz", [95.0, 130.0, 210.0])
@pytest.mark.parametrize("shimmer", [0.02, 0.05, 0.1])
def test_shimmer_is_what_was_put_in(hz: float, shimmer: float) -> None:
    samples, _, true = voice(hz, shimmer=shimmer)
    assert steady(samples)[:, SHIMMER].mean() == pytest.approx(true, rel=0.15)


def test_log_hnr_is_the_ratio_of_voice_and_noise() -> None:
    clean = voice(150.0)[0]
    for decibels in (5.0, 10.0, 15.0):
        noise = np.sqrt(np.square(clean).mean() / 10 ** (decibels / 10))
        found = steady(voice(150.0, noise=float(noise))[0])
        assert np.median(found[:, HNR]) == pytest.approx(decibels, abs=1.0)


def test_a_gliding_voice_is_followed_without_a_jump() -> None:
    t = np.arange(2 * RATE_HZ) / RATE_HZ
    hz = 120.0 * 2.0 ** (t / 2.0 * 1.5)
    phase = 2 * np.pi * np.cumsum(hz) / RATE_HZ
    samples = sum(np.sin(k * phase) / k for k in range(1, 12)).astype(np.float32) * np.float32(0.1)
    found = SPEC.static(samples)[5:-5, PITCH]
    centres = (np.arange(5, 5 + found.size) * 160 + 256) / RATE_HZ
    np.testing.assert_allclose(found, np.interp(centres, t, hz), rtol=0.01)


def test_what_is_no_voice_is_zero() -> None:
    rng = np.random.default_rng(0)
    silence, noise = np.zeros(RATE_HZ, np.float32), rng.normal(size=RATE_HZ).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quiet, hiss = SPEC.track(silence), SPEC.static(noise)
    assert np.isfinite(quiet).all()
    assert not quiet[:, : HNR + 1].any()
    assert (hiss[:, PITCH] > 0).mean() < 0.05
    unvoiced = hiss[hiss[:, PITCH] == 0]
    assert not unvoiced[:, : HNR + 1].any()


def test_a_quiet_hum_beside_speech_is_no_voice() -> None:
    samples = voice(200.0)[0]
    hum = 5e-4 * np.sin(2 * np.pi * 100 * np.arange(RATE_HZ) / RATE_HZ)
    found = SPEC.static(np.concatenate([samples / np.abs(samples).max(), hum]).astype(np.float32))
    assert (found[20:120, PITCH] > 0).all()
    assert not found[-80:, PITCH].any()


def test_level_changes_loudness_alone() -> None:
    samples = voice(170.0, jitter=0.01, shimmer=0.05, noise=0.01)[0]
    loud, soft = SPEC.static(samples), SPEC.static(samples * np.float32(0.25))
    np.testing.assert_allclose(soft[:, :LOUDNESS], loud[:, :LOUDNESS], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(soft[:, LOUDNESS], loud[:, LOUDNESS] * 0.0625**0.33, rtol=1e-3)
    np.testing.assert_allclose(soft[:, LOUDNESS + 1 :], loud[:, LOUDNESS + 1 :], atol=1e-2)


def test_the_second_half_is_the_difference_from_the_window_before() -> None:
    found = SPEC.track(voice(140.0, jitter=0.01)[0])
    assert found.dtype == np.float32
    assert found.shape[1] == SPEC.shape[1] == 36 == 2 * len(STATIC)
    assert not found[0, 18:].any()
    np.testing.assert_array_equal(found[1:, 18:], np.diff(found[:, :18], axis=0))


@pytest.mark.parametrize(("samples", "frames"), [(1, 1), (511, 1), (512, 1), (671, 1), (672, 2), (16_000, 97)])
def test_number_of_windows(samples: int, frames: int) -> None:
    sound = voice(200.0)[0][1_000 : 1_000 + samples]
    found = SPEC.compute(sound)
    assert found.shape == (frames, 36)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 48_000])
def test_other_rates_hear_the_same_voice(rate_hz: int) -> None:
    t = np.arange(rate_hz) / rate_hz
    samples = sum(0.1 / k * np.sin(2 * np.pi * 150 * k * t) for k in range(1, 10)).astype(np.float32)
    found = AcousticSpec(sample_rate_hz=rate_hz).static(samples)[5:-5]
    np.testing.assert_allclose(found[:, PITCH], 150.0, rtol=1e-3)


def test_the_best_path_is_the_best_of_all() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        strengths, octaves = rng.uniform(size=(5, 3)), rng.uniform(0.0, 3.0, size=(5, 2))

        def worth(path: tuple[int, ...], strengths=strengths, octaves=octaves) -> float:
            total = sum(strengths[i, s] for i, s in enumerate(path))
            for i, (a, b) in enumerate(itertools.pairwise(path)):
                if a and b:
                    total -= JUMP_COST * abs(octaves[i, a - 1] - octaves[i + 1, b - 1])
                elif a or b:
                    total -= VOICING_COST
            return float(total)

        best = max(itertools.product(range(3), repeat=5), key=worth)
        assert tuple(best_path(strengths, octaves)) == best


def test_equal_loudness_follows_the_ear() -> None:
    weights = equal_loudness(np.array([50.0, 200.0, 1_000.0, 4_000.0]))
    assert (np.diff(weights) > 0).all()
    assert weights[0] < 1e-3


def test_json_and_digest() -> None:
    other = AcousticSpec(floor_hz=60.0)
    assert spec_from_json(other.to_json()) == other
    assert spec_from_json({"name": "acoustic"}).digest == SPEC.digest != other.digest


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"sample_rate_hz": 6_000}, "sample_rate_hz is 6000, it must be at least 8000 Hz"),
        ({"hop_ms": 33}, "hop_ms is 33, limits are 1 and window_ms = 32"),
        ({"window_ms": 10}, "window_ms is 10, limits are 16 and 200 ms"),
        ({"floor_hz": 310.0}, "floor_hz is 310.0, limits are 40 Hz and half of ceiling_hz = 600"),
        ({"ceiling_hz": 2_000.0}, "ceiling_hz is 2000.0, limit is 1000 Hz"),
    ],
)
def test_specifications_that_cannot_be(change: dict[str, object], text: str) -> None:
    with pytest.raises(FrontEndError, match=text):
        AcousticSpec(**change)  # type: ignore[arg-type]


def test_no_samples_are_refused() -> None:
    with pytest.raises(FrontEndError, match="no samples"):
        SPEC.track(np.zeros(0, np.float32))


def test_much_faster_than_real_time() -> None:
    samples = np.tile(voice(210.0, jitter=0.01)[0], 14)
    SPEC.track(samples[:RATE_HZ])
    start = time.process_time()
    SPEC.track(samples)
    assert time.process_time() - start < samples.size / RATE_HZ / 10


def reference(sounds: dict[str, np.ndarray], folder: Path) -> dict[str, np.ndarray]:
    """Return what Praat and openSMILE say of the sounds."""
    if not PYTHON.exists():
        pytest.skip("no .venv-reference with Praat and openSMILE: `make setup-test` makes it")
    np.savez(folder / "in.npz", **sounds)
    command = [PYTHON, SCRIPT, folder / "in.npz", folder / "out.npz"]
    with (folder / "log").open("w") as log:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, timeout=200, check=False
        )
    assert done.returncode == 0, (folder / "log").read_text()
    with np.load(folder / "out.npz") as stored:
        return dict(stored)


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Return Pearson's correlation."""
    return float(np.corrcoef(one, other)[0, 1])


def test_equal_to_praat_on_known_voices(tmp_path: Path) -> None:
    made = {f"j{hz}": voice(hz, jitter=0.012)[0] for hz in (95, 130, 210, 320)}
    made |= {f"s{hz}": voice(hz, shimmer=0.06, noise=0.002)[0] for hz in (95, 130, 210, 320)}
    stored = reference(made, tmp_path)
    for name, samples in made.items():
        found, praat = steady(samples), stored[f"{name}/praat"][10:-15]
        np.testing.assert_allclose(np.median(found[:, PITCH]), np.median(praat[:, 1]), rtol=2e-3)
        whole = stored[f"{name}/whole"]
        assert found[:, JITTER].mean() == pytest.approx(whole[0], rel=0.1, abs=4e-4), name
        if name.startswith("s"):
            assert found[:, SHIMMER].mean() == pytest.approx(whole[1], rel=0.15), name
        assert np.median(found[:, HNR]) == pytest.approx(np.median(praat[:, 2]), abs=1.5), name


@pytest.fixture(scope="module")
def real(speech_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[np.ndarray, dict]]:
    """Our descriptors and the references' of real clips, by name."""
    paths = sorted((speech_data / "ravdess").glob("Actor_0[1-4]/*.flac"))[::12]
    paths += sorted((speech_data / "emodb" / "wav").glob("*"))[::70]
    sounds = {path.stem: soundfile.read(path, dtype="float32")[0] for path in paths}
    stored = reference(sounds, tmp_path_factory.mktemp("reference"))
    kinds = ("praat", "whole", "egemaps_loudness", *STATIC)
    return {name: (SPEC.static(x), {k: stored[f"{name}/{k}"] for k in kinds}) for name, x in sounds.items()}


@pytest.mark.data
def test_pitch_and_hnr_of_praat_on_recordings(real: dict[str, tuple[np.ndarray, dict]]) -> None:
    assert len(real) > 20
    agreement, errors, gross, hnr = [], [], [], []
    for found, stored in real.values():
        praat = stored["praat"]
        ours, theirs = found[:, PITCH] > 0, praat[:, 1] > 0
        both = ours & theirs
        cents = np.abs(1_200 * np.log2(found[both, PITCH] / praat[both, 1]))
        agreement.append((ours == theirs).mean())
        errors.append(np.median(cents))
        gross.append((cents > 100).mean())
        hnr.append(correlation(found[both, HNR], praat[both, 2]))
    assert np.mean(agreement) > 0.95
    assert np.max(errors) < 6.0
    assert np.mean(gross) < 0.03
    assert np.mean(hnr) > 0.95


@pytest.mark.data
def test_jitter_and_shimmer_of_praat_on_recordings(real: dict[str, tuple[np.ndarray, dict]]) -> None:
    voiced = [(found[found[:, PITCH] > 0], stored["whole"]) for found, stored in real.values()]
    jitter = np.array([(found[:, JITTER].mean(), whole[0]) for found, whole in voiced])
    shimmer = np.array([(found[:, SHIMMER].mean(), whole[1]) for found, whole in voiced])
    assert correlation(*jitter.T) > 0.9
    assert correlation(*shimmer.T) > 0.85
    assert jitter[:, 0].mean() == pytest.approx(jitter[:, 1].mean(), rel=0.15)
    assert shimmer[:, 0].mean() == pytest.approx(shimmer[:, 1].mean(), rel=0.25)


@pytest.mark.data
def test_loudness_and_cepstra_of_opensmile_on_recordings(real: dict[str, tuple[np.ndarray, dict]]) -> None:
    for name in ("loudness", *STATIC[LOUDNESS + 1 :]):
        column, likeness = STATIC.index(name), []
        for found, stored in real.values():
            shared = min(len(found), len(stored[name]))
            likeness.append(correlation(found[:shared, column], stored[name][:shared]))
        assert np.mean(likeness) > (0.97 if name == "loudness" else 0.91), name
    for found, stored in real.values():
        egemaps = stored["egemaps_loudness"][: len(found)]
        assert correlation(found[: len(egemaps), LOUDNESS], egemaps) > 0.93


@pytest.mark.data
def test_voice_of_opensmile_on_recordings(real: dict[str, tuple[np.ndarray, dict]]) -> None:
    """openSMILE smooths, and its 60 ms windows begin where ours do: one to two windows lie between the centres."""
    cents, means = [], []
    for found, stored in real.values():
        ours, theirs = found[2:, PITCH], stored["pitch"]
        shared = min(ours.size, theirs.size)
        both = (ours[:shared] > 0) & (theirs[:shared] > 0)
        cents.append(np.median(np.abs(1_200 * np.log2(ours[:shared][both] / theirs[:shared][both]))))
        voiced = found[found[:, PITCH] > 0]
        means.append([voiced[:, HNR].mean(), stored["log_hnr"][theirs > 0].mean()])
        means[-1] += [voiced[:, SHIMMER].mean(), stored["shimmer"][theirs > 0].mean()]
    assert np.median(cents) < 40
    assert correlation(*np.array(means)[:, :2].T) > 0.55
    assert correlation(*np.array(means)[:, 2:].T) > 0.35
