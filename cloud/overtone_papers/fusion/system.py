"""System D: emotion from acoustic features and text, fused early or late, and what the folds make of it."""

from collections.abc import Mapping

from overtone_cloud.corpora.utterance import Reading
from overtone_cloud.errors import CorpusError
from overtone_papers.common.options import described
from overtone_papers.common.report import Report, choices_of
from overtone_papers.common.study import Study
from overtone_papers.common.system import System
from overtone_papers.fusion.claims import AUDIO, CHOICES, claims
from overtone_papers.fusion.data import Settings, audio_feature, read, text_keys, text_sources, transcribed, usable
from overtone_papers.fusion.experiment import run_corpus, trained_systems
from overtone_papers.fusion.folds import CRITERIA, make
from overtone_papers.fusion.tables import folds_part, fusion_part

MIN_SPEAKERS = 2
SECONDS_PER_FRAME = {"audio": 6e-6, "CS": 7e-6, "WS": 6e-6, "PT": 0.1e-6}
TEXT_SECONDS_PER_FRAME = 0.6e-6
"""Measured on 2 cores: an epoch of one utterance, divided by its frames; fusions by how they start."""
START_S = 3.0
"""What a training costs before its first step."""
TYPICAL_S, FRAMES_PER_SECOND = 4.0, 100


def needs(readings: Mapping[str, Reading]) -> None:
    """Raise CorpusError for a corpus without the four classes or with one speaker.

    Transcripts may come from an option: they are looked at when the study starts, before anything is computed.
    """
    for name, reading in readings.items():
        used = usable(name, reading.labelled)
        speakers = {u.speaker for u in used if u.speaker is not None}
        if len(speakers) < MIN_SPEAKERS:
            raise CorpusError(
                f"corpus {name} has {len(speakers)} speaker(s) with a name, system D needs {MIN_SPEAKERS}; "
                "a CSV manifest with a column speaker names them"
            )


def estimate(study: Study) -> str:
    """Return how many trainings there will be and about how long they take; bad options are refused here."""
    settings = study.settings(Settings)
    sources = text_keys(settings)
    trainings, seconds = 0, 0.0
    for name, reading in study.readings.items():
        used = transcribed(name, reading, settings)
        for criterion in CRITERIA:
            systems = trained_systems(study, settings, criterion, sources)
            for fold in make(name, used, criterion, settings)[1] if systems else ():
                trainings += len(systems)
                seconds += sum(_seconds(system, len(fold.train), settings) for system in systems)
    seeds = study.seeds
    return (
        f"system D: {seeds * trainings} trainings, {seeds} seed{'' if seeds == 1 else 's'}, {settings.epochs} epochs, "
        f"about {max(1.0, seeds * seconds / 60):.0f} min on 2 cores beside the features"
    )


def _seconds(system: str, utterances: int, settings: Settings) -> float:
    """Return about how long a system trains on a fold, without its branches."""
    start = system.rpartition("-")[2]
    epochs = settings.fusion_epochs if start in ("WS", "PT") else settings.epochs
    frames = utterances * min(settings.max_s, TYPICAL_S) * FRAMES_PER_SECOND
    return START_S + epochs * frames * SECONDS_PER_FRAME.get(start, TEXT_SECONDS_PER_FRAME)


def run(study: Study) -> Report:
    """Train audio, text and fusions on every corpus under three criteria and read the paper's claims."""
    settings = study.settings(Settings)
    text_keys(settings)
    feature = audio_feature(settings)
    sources = text_sources(settings, study.readings.values())
    results = [
        run_corpus(study, settings, read(study, settings, name, reading, sources, feature))
        for name, reading in study.readings.items()
    ]
    encoders = ", ".join(f"{source.title} ({source.encoder.width} wide)" for source in sources.values())
    parts = [folds_part(results, study.seeds)] if "folds" in study.parts else []
    if "fusion" in study.parts:
        parts.append(fusion_part(results, study, encoders))
    values = {**vars(settings), "encoder": encoders, "audio": AUDIO[settings.audio]}
    choices = choices_of(CHOICES, **values)
    return Report(parts=tuple(parts), choices=choices, claims=claims(results, quick=study.quick))


SYSTEM = System(
    letter="D",
    title="Acoustic and text fusion",
    paper="Fusion Approaches for Emotion Recognition from Speech using Acoustic and Text-Based Features, "
    "L. Pepino, P. Riera, L. Ferrer, A. Gravano",
    parts=("folds", "fusion"),
    run=run,
    needs=needs,
    estimate=estimate,
    options=described(Settings),
    requires="speech with the labels neutral, happy, sad and angry, and its words (in the corpus, or a CSV file); "
    "a text encoder's folder or word vectors",
)
