"""A Whisper encoder's bundle: weights in int8 before float32, builtin operators, the same answers on the device."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tests.support.whisper_encoders import SMALL, random_weights

from overtone_converters.window_body import Form, forms
from overtone_converters.window_build import WindowBundle, build_window_bundle
from overtone_converters.window_network import WindowNetwork, load_network
from overtone_converters.window_verify import device_embeddings, require_window, verify_window
from overtone_edge.hearing.streaming import open_recogniser
from overtone_models.bundle import Bundle, read_bundle
from overtone_models.features.whisper_log_mel import WhisperLogMelSpec
from overtone_models.front_end import F32
from overtone_models.networks import whisper_encoder, window
from overtone_models.window_model import CALIBRATION, TEST, WindowModel

REPOSITORY = Path(__file__).resolve().parents[2]
LEGACY = REPOSITORY / ".venv-tff" / "bin" / "python"
FEATURE = WhisperLogMelSpec(seconds=0.4)
LABELS = ("neutral", "happy", "sad")


def sound(number: int) -> F32:
    """Noise below a cutoff that tells the class."""
    rng = np.random.default_rng(number)
    spectrum = np.fft.rfft(rng.normal(size=6_400))
    spectrum[400 + 900 * (number % 3) :] *= 0.01
    return (0.1 * np.fft.irfft(spectrum, 6_400)).astype(np.float32)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> WindowNetwork:
    """A small encoder whose head tells three sounds apart."""
    folder = tmp_path_factory.mktemp("whisper")
    options = whisper_encoder.options(SMALL, n_classes=3, feature=FEATURE, outputs=(1, 2))
    model = window.build(whisper_encoder.NAME, **options)
    whisper_encoder.load(model, random_weights(layers=2))
    x = np.stack([FEATURE.compute(sound(number)) for number in range(60)])
    y = np.arange(60) % 3
    rows = whisper_encoder.embeddings(model, x)
    centred = rows - rows.mean(0)
    w = np.linalg.lstsq(centred.T @ centred + 1e-3 * np.eye(rows.shape[1]), centred.T @ (6 * np.eye(3)[y]), rcond=None)[
        0
    ]
    model.get_layer("head").set_weights([w.astype(np.float32), (2.0 - rows.mean(0) @ w).astype(np.float32)])
    WindowModel(
        network=whisper_encoder.NAME,
        options=options,
        labels=LABELS,
        features=(FEATURE.to_json(),),
        input_shapes=(FEATURE.shape,),
        scale_mean=(np.zeros(1, np.float32),),
        scale_std=(np.ones(1, np.float32),),
        decision_every_s=0.2,
        weights=model.get_weights(),
    ).save(folder)
    np.savez(folder / CALIBRATION, x0=x)
    np.savez(folder / TEST, x0=x, y=y)
    return load_network(folder)


@pytest.fixture(scope="module")
def built(network: WindowNetwork) -> WindowBundle:
    return build_window_bundle(network, np.concatenate([sound(n) for n in range(4)]), name="large", version=1)


@pytest.fixture(scope="module")
def bundle(built: WindowBundle) -> Bundle:
    return read_bundle(built.bundle)


def test_int8_weights_come_first(built: WindowBundle, network: WindowNetwork) -> None:
    assert forms(network.body, window.precisions(whisper_encoder.NAME)) == [
        Form("int8 weights", ""),
        Form("float32", ""),
    ]
    assert built.form == Form("int8 weights", "") and built.rejections == ()
    assert built.multiply_adds > 0


def test_the_bias_takes_back_what_rounding_moves(bundle: Bundle, network: WindowNetwork) -> None:
    spec = bundle.manifest.window
    head = bundle.manifest.layout.unflatten(bundle.weights)
    w, b = network.head
    np.testing.assert_allclose(head["head/w"] * spec.embedding_scale, w, rtol=1e-5, atol=1e-6)
    rows = device_embeddings(bundle.streaming_model, network.calibration)
    expected = network.logits(network.calibration).mean(0)
    corrected = np.abs((rows @ w + head["head/b"]).mean(0) - expected).max()
    assert corrected < 1e-3 < np.abs((rows @ w + b).mean(0) - expected).max()


def test_the_device_gives_the_networks_answers(bundle: Bundle, network: WindowNetwork) -> None:
    found = verify_window(bundle, network)
    require_window(found)
    assert found.precision == "int8 weights" and found.label_agreement >= 0.98 and found.accuracy_keras > 0.9
    recogniser = open_recogniser(bundle)
    right = 0
    for number in range(30):
        recogniser.process(sound(number))
        hop = recogniser.end()
        assert hop is not None
        right += int(hop.probabilities.argmax()) == number % 3
    assert right >= 28


def test_builtin_operators_and_one_gelu_each(bundle: Bundle) -> None:
    from ai_edge_litert.interpreter import Interpreter

    listed = [op["op_name"] for op in Interpreter(model_content=bundle.streaming_model)._get_ops_details()]
    assert listed.count("GELU") == 4 and listed.count("SOFTMAX") == 2
    assert listed.count("FULLY_CONNECTED") == 2 + 2 * 4
    assert not [name for name in listed if "CUSTOM" in name or name.startswith("Flex")]


@pytest.mark.skipif(not LEGACY.exists(), reason="no .venv-tff with tflite-runtime 2.14: `make setup-test` makes it")
def test_an_older_runtime_says_what_to_install(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(bundle.streaming_model)
    code = (
        "import sys; from overtone_edge.core.errors import InferenceError\n"
        "from overtone_edge.hearing.runtime import WindowBody\n"
        "try: WindowBody(open(sys.argv[1], 'rb').read())\n"
        "except InferenceError as error: print(error)\n"
    )
    path = os.pathsep.join(str(REPOSITORY / name) for name in ("common", "models", "edge"))
    environment = {**os.environ, "OVERTONE_RUNTIME": "tflite-runtime", "PYTHONPATH": path}
    done = subprocess.run(
        [LEGACY, "-c", code, tmp_path / "body"],
        env={**environment, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    assert done.stdout == (
        "the runtime refuses the model: tflite-runtime 2.14.0 has no operator 'FULLY_CONNECTED' version '12'; "
        "install ai-edge-litert, or a newer one\n"
    )
