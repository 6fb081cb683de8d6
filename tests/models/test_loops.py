"""The inner loops: C and numpy agree with each other and with what they are meant to compute."""

import os
import subprocess
import sys
import sysconfig
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import overtone_models.loops
from overtone_models import loops
from overtone_models.front_end import EDGE_FRONT_END, FrontEnd, FrontEndSpec, dct_matrix, hann_window, mel_filters, mfcc
from overtone_models.loops import plain

FOLDER = Path(overtone_models.loops.__file__).parent
SPECS = [
    EDGE_FRONT_END,
    FrontEndSpec(),
    FrontEndSpec(n_mels=40, n_mfcc=13, fmin_hz=0.0, fmax_hz=8_000.0),
    FrontEndSpec(window_samples=400, fft_samples=1024, n_mels=80, n_mfcc=77, block_frames=3),
    FrontEndSpec(window_samples=60, fft_samples=64, hop_samples=7, n_mels=4, n_mfcc=4, block_frames=1),
    FrontEndSpec(sample_rate_hz=8_000, window_samples=8, fft_samples=8, hop_samples=3, n_mels=1, n_mfcc=1, fmax_hz=4e3),
]


@pytest.fixture(scope="session", params=["installed", "portable"])
def compiled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The compiled loops: as they are installed, and without what only newer x86-64 processors have."""
    if request.param == "installed":
        return import_module("overtone_models.loops.compiled")
    out = tmp_path_factory.mktemp("portable") / "compiled.abi3.so"
    options = ["-O3", "-DPORTABLE", "-Wall", "-Wextra", "-Werror", "-Wno-psabi", "-Wno-cast-function-type"]
    include = ["-fPIC", "-shared", f"-I{sysconfig.get_path('include')}"]
    source = str(FOLDER / "compiled.c")
    subprocess.run(["gcc", *options, *include, source, "-o", str(out), "-lm"], check=True, timeout=120)
    spec = spec_from_file_location("compiled", out)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tables(spec: FrontEndSpec) -> tuple:
    return hann_window(spec), mel_filters(spec), dct_matrix(spec), spec.hop_samples, spec.floor_power


def noise(size: int, scale: float = 0.1, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=size) * scale).astype(np.float32)


def by_definition(samples: np.ndarray, spec: FrontEndSpec) -> np.ndarray:
    """Decibels in float64, frame by frame."""
    count = spec.frames(samples.size)
    places = np.arange(count)[:, None] * spec.hop_samples + np.arange(spec.fft_samples)
    power = np.abs(np.fft.rfft(samples[places].astype(np.float64) * hann_window(spec))) ** 2
    return 10.0 * np.log10(np.maximum(power @ mel_filters(spec).astype(np.float64), spec.floor_power))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"fft {spec.fft_samples}, {spec.n_mfcc} of {spec.n_mels}")
@pytest.mark.parametrize("scale", [1e-6, 0.1, 1.0, 1e3])
def test_frames_are_what_they_are_defined_as(compiled: ModuleType, spec: FrontEndSpec, scale: float) -> None:
    samples = noise(spec.fft_samples + 26 * spec.hop_samples, scale)
    decibels = by_definition(samples, spec)
    for made in (compiled.Frames(*tables(spec)), plain.PlainFrames(*tables(spec))):
        out = np.empty((27, 1, spec.n_mels), np.float32)
        made.decibels(samples, out)
        np.testing.assert_allclose(out[:, 0], decibels, atol=1e-3, rtol=0)
        out = np.empty((27, 1, spec.n_mfcc), np.float32)
        made.cepstra(samples, out)
        np.testing.assert_allclose(out[:, 0], decibels @ dct_matrix(spec), atol=2e-3, rtol=0)


@pytest.mark.parametrize("fft", [2**n for n in range(3, 13)])
def test_every_power_of_two_is_transformed(compiled: ModuleType, fft: int) -> None:
    """One filter a bin: the decibels are those of the spectrum."""
    bins = fft // 2 + 1
    window, filters, dct = np.ones(fft, np.float32), np.eye(bins, dtype=np.float32), np.eye(bins, dtype=np.float32)
    samples, out = noise(fft, 1.0), np.empty((1, 1, bins), np.float32)
    compiled.Frames(window, filters, dct, 1, 1e-10).decibels(samples, out)
    power = np.abs(np.fft.rfft(samples.astype(np.float64))) ** 2
    np.testing.assert_allclose(10 ** (out[0, 0] / 10.0), power, atol=1e-5 * power.max(), rtol=0)


@given(count=st.integers(1, 30), first=st.integers(0, 29))
@settings(max_examples=30, deadline=None)
def test_a_frame_has_the_same_bits_wherever_it_stands(compiled: ModuleType, count: int, first: int) -> None:
    spec = EDGE_FRONT_END
    made, samples = compiled.Frames(*tables(spec)), noise(spec.fft_samples + 59 * spec.hop_samples)
    whole = np.empty((60, 1, spec.n_mfcc), np.float32)
    made.cepstra(samples, whole)
    part = np.empty((count, 1, spec.n_mfcc), np.float32)
    made.cepstra(samples[first * spec.hop_samples :], part)
    np.testing.assert_array_equal(part, whole[first : first + count])


def test_silence_and_what_is_too_loud_stay_finite(compiled: ModuleType) -> None:
    spec, out = EDGE_FRONT_END, np.empty((1, 8, EDGE_FRONT_END.n_mfcc), np.float32)
    made = compiled.Frames(*tables(spec))
    for value in (0.0, 1e-30, 1e15, 3e38):
        made.cepstra(np.full(spec.block_samples, value, np.float32), out)
        assert np.isfinite(out).all(), value


@given(st.lists(st.floats(-3.0, 3.0, width=32), min_size=1, max_size=300))
@settings(max_examples=60, deadline=None)
def test_pcm_rounds_half_to_even_and_saturates(compiled: ModuleType, values: list[float]) -> None:
    halves = (np.arange(-70_000, 70_000, 317) / 2.0 / 32767.0).astype(np.float32)
    samples = np.concatenate([np.array(values, np.float32), halves, np.float32([-1.0, 1.0, 0.0, -0.0])])
    wanted = np.clip(np.rint(samples * np.float32(32767.0)), -32768, 32767).astype(np.int16)
    for pcm in (compiled.pcm, plain.pcm):
        np.testing.assert_array_equal(np.frombuffer(pcm(samples), np.int16), wanted)


@given(rows=st.integers(1, 40), width=st.integers(1, 200), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_pooled_is_mean_and_deviation(compiled: ModuleType, rows: int, width: int, seed: int) -> None:
    hops = noise(rows * width, 2.0, seed).reshape(rows, width) + np.float32(3.0)
    wide = hops.astype(np.float64)
    wanted = np.concatenate([wide.mean(0), np.sqrt(wide.var(0) + 1e-4)])
    for pooled in (compiled.pooled, plain.pooled):
        out = np.empty(2 * width, np.float32)
        pooled(hops, 1e-4, out)
        np.testing.assert_allclose(out, wanted, rtol=1e-5, atol=1e-5)


def test_arrays_that_do_not_fit_are_refused_and_nothing_is_written(compiled: ModuleType) -> None:
    spec = EDGE_FRONT_END
    window, filters, dct, hop, floor = tables(spec)
    made, samples, out = compiled.Frames(*tables(spec)), noise(spec.block_samples), np.zeros((1, 8, 64), np.float32)
    with pytest.raises(ValueError, match="which take 1912 samples; there are 1911"):
        made.cepstra(samples[:-1], out)
    with pytest.raises(ValueError, match="out holds 511 values of frames of 64"):
        made.decibels(samples, out.reshape(-1)[:-1])
    with pytest.raises(ValueError, match="samples has the format d, it must be float32"):
        made.cepstra(samples.astype(np.float64), out)
    with pytest.raises(ValueError):
        made.cepstra(samples[::2], out)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        made.cepstra(samples, out)
    assert not out.any()
    with pytest.raises(ValueError, match="do not fit each other"):
        compiled.Frames(window, filters[:-1], dct, hop, floor)
    with pytest.raises(ValueError, match="do not fit each other"):
        compiled.Frames(window, filters, dct[1:], hop, floor)
    with pytest.raises(ValueError, match="window has 400 samples, limit is the powers of 2"):
        compiled.Frames(window[:400], np.zeros((201, 64), np.float32), dct, hop, floor)
    with pytest.raises(ValueError, match="hop is 0, limit is 1"):
        compiled.Frames(window, filters, dct, 0, floor)
    with pytest.raises(ValueError, match="out twice the channels"):
        compiled.pooled(np.zeros((3, 4), np.float32), 0.0, np.zeros(7, np.float32))
    with pytest.raises(ValueError, match="hops must be rows"):
        compiled.pooled(np.zeros((0, 4), np.float32), 0.0, np.zeros(8, np.float32))
    with pytest.raises(TypeError):
        compiled.pcm([0.1, 0.2])


def test_tables_can_be_given_anew(compiled: ModuleType) -> None:
    made, out = compiled.Frames(*tables(SPECS[1])), np.empty((1, 1, 13), np.float32)
    made.__init__(*tables(SPECS[2]))
    made.cepstra(noise(512), out)
    again = np.empty_like(out)
    compiled.Frames(*tables(SPECS[2])).cepstra(noise(512), again)
    np.testing.assert_array_equal(out, again)


def test_other_lengths_than_powers_of_two_are_left_to_numpy() -> None:
    spec = FrontEndSpec(window_samples=400, fft_samples=400, n_mels=40, n_mfcc=13)
    samples = noise(8_000)
    np.testing.assert_allclose(mfcc(samples, spec), by_definition(samples, spec) @ dct_matrix(spec), atol=2e-3, rtol=0)


@pytest.mark.parametrize("block", [1, 7, 160, 1024])
def test_numpy_streams_with_the_same_bits_too(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    from overtone_models import front_end

    monkeypatch.setattr(loops, "compiled", None)
    front_end._frames.cache_clear()
    try:
        samples, stream = noise(9_000), FrontEnd(EDGE_FRONT_END)
        parts = [stream.process(part) for part in np.split(samples, range(block, samples.size, block))]
        np.testing.assert_array_equal(np.concatenate([*parts, stream.flush()]), mfcc(samples, EDGE_FRONT_END))
    finally:
        front_end._frames.cache_clear()


def test_one_can_do_without_c() -> None:
    code = "from overtone_models import loops; print(loops.KIND, loops.frames.__module__, loops.compiled)"
    environment = {**os.environ, "OVERTONE_COMPILED": "0"}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["numpy", "overtone_models.loops", "None"]
