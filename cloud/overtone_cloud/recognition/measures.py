"""The measures by name: inputs and JSON result of each, for one trained model and its test part."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from overtone_cloud.bundles.sources import RANGES
from overtone_cloud.conditions.conditions import Condition, FarMicrophone, Level, Noise, Telephone
from overtone_cloud.conditions.read_speech import ReadSpeech, read_speech
from overtone_cloud.conditions.sounds import Sounds, content_digest, sound_halves
from overtone_cloud.errors import ConfigError
from overtone_cloud.recognition.int8_streaming import listen_to_test, predict_int8
from overtone_cloud.recognition.label_seconds import SPEECH_S, count_label_seconds, recordings, silences
from overtone_cloud.recognition.limits import Limits, check_bundle, costs_json
from overtone_cloud.recognition.normalisation import CANDIDATES, describe, predict_normalised
from overtone_cloud.recognition.personal import DRAWS, METHOD, PER_EMOTION, personalise_speakers
from overtone_cloud.recognition.subject import Subject, predict_test_part

Result = dict[str, Any]
QUIET_DB, LOUD_DB = -30.0, -1.0
CLEAN = "clean"
"""The measure that is always taken: the float network on recordings as they are."""
NEEDS = {"noise": "--sounds", "sounds": "--sounds", "speech": "--speech"}
"""The option whose folder a measure needs."""


@dataclass(frozen=True, kw_only=True)
class MeasureInputs:
    """Sounds, read speech and limits that measures need besides the corpora."""

    sounds: Sounds | None = None
    speech: ReadSpeech | None = None
    limits: Limits = field(default_factory=Limits)


def read_measure_inputs(
    sounds: Path | None, speech: Path | None, parts: Sequence[str] | None, limits: Limits
) -> MeasureInputs:
    """Return the inputs in the folders; raise ConfigError where one of the measures `parts` lacks its folder."""
    folders = {"--sounds": sounds, "--speech": speech}
    for part in parts or ():
        option = NEEDS.get(part)
        if option is not None and folders[option] is None:
            raise ConfigError(f"--part {part} needs {option} DIR")
    return MeasureInputs(
        sounds=None if sounds is None else sound_halves(sounds),
        speech=None if speech is None else read_speech(speech),
        limits=limits,
    )


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A measure; `settings` are what its result depends on besides the model: they are part of the result's key."""

    name: str
    title: str
    run: Callable[[Subject], Result]
    settings: Mapping[str, Any]


def measures(measure_inputs: MeasureInputs) -> dict[str, Measure]:
    """Return the measures that the inputs allow, by name, in the order in which they are taken."""
    from overtone_converters.device import device_settings

    device = {"device": device_settings(), "int8_ranges": RANGES}
    sizes = {**asdict(measure_inputs.limits), "int8_ranges": RANGES}
    rows = [
        Measure(name=CLEAN, title="as recorded", run=_clean, settings={}),
        Measure(name="int8", title="int8 streaming", run=_int8(measure_inputs.limits), settings=sizes),
        Measure(name="listening", title="listening against whole utterances", run=_listening, settings=device),
        *_conditions(measure_inputs),
        Measure(name="silence", title="silence", run=_silence, settings={"version": 1, **device}),
        *_windows(measure_inputs, device),
        Measure(
            name="personal",
            title="personal head",
            run=_personal,
            settings={"per_emotion": PER_EMOTION, "draws": DRAWS, "method": METHOD, **device},
        ),
        Measure(
            name="normalised",
            title="features normalised to the speaker while listening",
            run=_normalised,
            settings={"candidates": describe(CANDIDATES)},
        ),
    ]
    return {measure.name: measure for measure in rows}


NAMES = (
    CLEAN,
    "int8",
    "listening",
    "noise",
    "room",
    "telephone",
    "quiet",
    "loud",
    "silence",
    "sounds",
    "speech",
    "personal",
    "normalised",
)
"""Every measure; noise and sounds need everyday sounds, speech needs read speech."""
WITHOUT_BUNDLE = (CLEAN, "noise", "room", "telephone", "quiet", "loud")
"""Those that can be taken where speakers are shared: a bundle's int8 ranges must not come from test speakers."""


def _conditions(measure_inputs: MeasureInputs) -> list[Measure]:
    conditions: dict[str, Condition] = {}
    if measure_inputs.sounds is not None:
        conditions["noise"] = Noise(sounds=measure_inputs.sounds.test)
    conditions |= {
        "room": FarMicrophone(),
        "telephone": Telephone(),
        "quiet": Level(peak_db=QUIET_DB),
        "loud": Level(peak_db=LOUD_DB),
    }
    return [
        Measure(name=name, title=condition.name, run=_under(condition), settings=condition.to_json())
        for name, condition in conditions.items()
    ]


def _windows(measure_inputs: MeasureInputs, device: Mapping[str, Any]) -> list[Measure]:
    rows = []
    if measure_inputs.sounds is not None:
        paths = measure_inputs.sounds.test
        settings = {"sounds": content_digest(paths), **device}
        rows.append(Measure(name="sounds", title="everyday sounds", run=_label_seconds(paths, None), settings=settings))
    if measure_inputs.speech is not None:
        settings = {"speech": content_digest(measure_inputs.speech.test), "max_s": str(SPEECH_S), **device}
        run = _label_seconds(measure_inputs.speech.test, SPEECH_S)
        rows.append(Measure(name="speech", title="neutral read speech", run=run, settings=settings))
    return rows


def _clean(subject: Subject) -> Result:
    return {"predictions": predict_test_part(subject).to_json()}


def _under(condition: Condition) -> Callable[[Subject], Result]:
    return lambda subject: {"predictions": predict_test_part(subject, condition).to_json()}


def _int8(limits: Limits) -> Callable[[Subject], Result]:
    def run(subject: Subject) -> Result:
        check_bundle(subject.bundle, limits)
        network = subject.model.network
        return {
            "predictions": predict_int8(subject).to_json(),
            "streaming_bytes": len(subject.bundle.streaming_model),
            "multiply_adds_3_s": network.multiply_adds_3_s,
            "layers": costs_json(network),
        }

    return run


def _listening(subject: Subject) -> Result:
    return listen_to_test(subject).to_json()


def _silence(subject: Subject) -> Result:
    return count_label_seconds(subject, silences()).to_json()


def _label_seconds(paths: Sequence[Path], max_s: float | None) -> Callable[[Subject], Result]:
    return lambda subject: count_label_seconds(subject, recordings(paths, max_s=max_s)).to_json()


def _personal(subject: Subject) -> Result:
    return {"speakers": [owner.to_json() for owner in personalise_speakers(subject)]}


def _normalised(subject: Subject) -> Result:
    norm, predictions = predict_normalised(subject)
    return {"chosen": asdict(norm), "predictions": predictions.to_json()}
