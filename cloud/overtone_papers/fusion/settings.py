"""What system D's options choose."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from overtone_cloud.errors import ConfigError
from overtone_papers.common.study import Study

LABELS = ("neutral", "happy", "sad", "angry")
CRITERIA = ("random", "speaker", "speaker-script")
SYSTEMS = ("EF-CS", "EF-WS", "EF-PT", "LF-PT", "LF-CS", "LF-WS")
PAPERS_SYSTEMS = SYSTEMS[:4]
AUDIO = ("own", "opensmile")
QUICK_EPOCHS, QUICK_FUSION_EPOCHS, QUICK_FOLDS, QUICK_S = 10, 25, 2, 4.0
HOP_S = 0.01
MAX_S, MAX_TOKENS = 60.0, 512
SMALL, LARGE = 0.5, 2.0

OPTIONS = {
    "encoder": (
        "local Hugging Face folder of a BERT-like encoder (config.json, vocabulary, model.safetensors)",
        "none",
    ),
    "width": ("numbers a token that the encoder must have (BERT-base: 768), or any", "any"),
    "glove": ("text file of GloVe word vectors, one word and its numbers a line", "none"),
    "transcripts": ("CSV file with transcripts, for corpora that have none", "none"),
    "audio": ("own, or opensmile (pip install opensmile; its licence forbids commercial products)", "own"),
    "systems": (f"fusions to train, of {', '.join(SYSTEMS)}", ",".join(PAPERS_SYSTEMS)),
    "folds": ("folds by speaker and at random", "5"),
    "script_folds": ("folds of scripts, for every fold of speakers", "2"),
    "epochs": ("epochs of a training", "30"),
    "fusion_epochs": ("epochs of the fusions that start from trained branches (pre-trained, warm start)", "60"),
    "batch": ("utterances in a batch", "32"),
    "max_s": ("seconds of an utterance that the audio network hears", "10"),
    "max_tokens": ("tokens of a transcript that the text network reads", "64"),
    "sizes": ("also train the audio and text networks with half and twice the nodes (figure 2): yes or no", "no"),
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the options leave to choose; the rates and 40 warm-up steps are the paper's."""

    encoder: Path | None = None
    width: int | None = None
    glove: Path | None = None
    transcripts: Path | None = None
    audio: str = "own"
    systems: tuple[str, ...] = PAPERS_SYSTEMS
    folds: int = 5
    script_folds: int = 2
    tested_folds: int | None = None
    """Of each criterion only so many folds are trained; None for all."""
    epochs: int = 30
    fusion_epochs: int = 60
    batch: int = 32
    max_s: float = 10.0
    max_tokens: int = 64
    sizes: bool = False
    learning_rate: float = 7e-4
    fine_tuning_rate: float = 1e-4
    late_rate: float = 1e-2
    warmup_steps: int = 40

    @property
    def max_frames(self) -> int:
        """The longest audio track, in hops of 10 ms."""
        return round(self.max_s / HOP_S)

    def training(self) -> dict[str, Any]:
        """Return what changes a training's result, without folders of this machine, as JSON."""
        left_out = {"encoder", "glove", "transcripts", "systems", "sizes", "tested_folds", "width"}
        return {name: value for name, value in asdict(self).items() if name not in left_out}


def settings_of(study: Study) -> Settings:
    """Return the settings of a study; raise ConfigError in one line for an option that cannot be."""
    given = {name: study.options.get(name, default) for name, (_, default) in OPTIONS.items()}
    if study.quick:
        quick = {"epochs": str(QUICK_EPOCHS), "fusion_epochs": str(QUICK_FUSION_EPOCHS), "max_s": str(QUICK_S)}
        given |= quick | dict(study.options)
    if given["audio"] not in AUDIO:
        raise ConfigError(f"option audio is {given['audio']!r}; it takes {' or '.join(AUDIO)}")
    if given["sizes"] not in ("yes", "no"):
        raise ConfigError(f"option sizes is {given['sizes']!r}; it takes yes or no")
    return Settings(
        encoder=_path(given["encoder"]),
        width=None if given["width"] == "any" else _whole("width", given, 1),
        glove=_path(given["glove"]),
        transcripts=_path(given["transcripts"]),
        audio=given["audio"],
        systems=_systems(given["systems"]),
        folds=_whole("folds", given, 2),
        script_folds=_whole("script_folds", given, 2),
        tested_folds=QUICK_FOLDS if study.quick else None,
        epochs=_whole("epochs", given, 1),
        fusion_epochs=_whole("fusion_epochs", given, 1),
        batch=_whole("batch", given, 2),
        max_s=_seconds(given["max_s"]),
        max_tokens=_whole("max_tokens", given, 2, MAX_TOKENS),
        sizes=given["sizes"] == "yes",
    )


def _path(text: str) -> Path | None:
    return None if text == "none" else Path(text).expanduser()


def _systems(text: str) -> tuple[str, ...]:
    chosen = tuple(word.strip().upper() for word in text.split(","))
    if set(chosen) - set(SYSTEMS) or len(set(chosen)) != len(chosen):
        raise ConfigError(f"option systems is {text!r}; it takes {', '.join(SYSTEMS)}, each once")
    return tuple(name for name in SYSTEMS if name in chosen)


def _whole(name: str, given: dict[str, str], least: int, most: int = 100_000) -> int:
    text = given[name]
    if not (text.isascii() and text.isdecimal()) or not least <= int(text) <= most:
        raise ConfigError(f"option {name} is {text!r}, it must be a whole number from {least} to {most}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0.5 <= value <= MAX_S:
        raise ConfigError(f"option max_s is {text!r}, it must be a number from 0.5 to {MAX_S:g} s")
    return value
