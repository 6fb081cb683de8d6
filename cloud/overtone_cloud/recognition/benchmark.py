"""The benchmark of recognition: what is trained and measured, in which order; every step is kept and taken once."""

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from overtone_cloud.corpora.utterance import Reading
from overtone_cloud.recognition.joint import ALL, cross_protocol, joint_protocol, write_joint
from overtone_cloud.recognition.limits import check_network, planned_network
from overtone_cloud.recognition.measures import NAMES, Material, Measure, measures
from overtone_cloud.recognition.protocol import (
    Given,
    Protocol,
    Seeds,
    Training,
    shared_protocol,
    speaker_protocol,
)
from overtone_cloud.recognition.results import Taken, take
from overtone_cloud.recognition.subject import Subject, recalibrated, refuse_test_speakers
from overtone_cloud.training.experiment import divide, read_features, save_plan, train_run
from overtone_cloud.training.features import Features
from overtone_cloud.training.run_folder import METRICS, RunFolder
from overtone_cloud.training.settings import TrainSettings
from overtone_models.trained import TrainedModel

SHARED_PART, JOINT_PART = "shared", "joint"
PARTS = (*NAMES, SHARED_PART, JOINT_PART)
"""What can be asked for alone: a measure, the random split beside the honest one, one model for all corpora."""
ALWAYS = "clean"
LOUDNESS = ("quiet", "loud")
"""What one model for all corpora is measured under besides: some corpora are normalised, others quiet."""
REPORTS = 6


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """What is asked for."""

    corpora: tuple[Given, ...]
    settings: TrainSettings
    seeds: tuple[int, ...]
    out: Path
    folds: Mapping[str, str] = field(default_factory=dict)
    material: Material = field(default_factory=Material)
    parts: tuple[str, ...] = PARTS
    quick: bool = False
    calibration: Given | None = None
    cache: Path | None = None
    log: Callable[[str], None] = lambda line: None

    @property
    def drawn(self) -> Seeds:
        """The seeds, and how inner speakers are drawn with them."""
        return Seeds(seeds=self.seeds, inner_fraction=self.settings.inner_fraction)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was found of one protocol: every training's results."""

    protocol: Protocol
    reading: Reading
    taken: tuple[Taken, ...]

    @property
    def by_seed(self) -> dict[int, list[Taken]]:
        """The results of each seed's folds."""
        return {seed: [t for t in self.taken if t.seed == seed] for seed in self.protocol.seeds}


def run(benchmark: Benchmark) -> dict[str, Finding]:
    """Return what was found, by the protocol's name; everything that can be refused is refused before any training."""
    wanted = _protocols(benchmark)
    for protocol, _, _ in wanted:
        check_network(planned_network(benchmark.settings, len(protocol.labels)), benchmark.material.limits)
    for given, (protocol, _, _) in ((g, w) for g in benchmark.corpora for w in wanted if w[0].name == g.name):
        _check_calibration(benchmark, given, protocol)
    trainings = sum(len(protocol.folds) * len(protocol.seeds) for protocol, _, _ in wanted)
    benchmark.log(f"{len(wanted)} protocols, {trainings} trainings, kept in {benchmark.out}")
    return {protocol.name: _find(benchmark, protocol, given, names) for protocol, given, names in wanted}


def _protocols(benchmark: Benchmark) -> list[tuple[Protocol, Given, tuple[str, ...]]]:
    """Return every protocol with its corpus and the measures that its models undergo."""
    taken = tuple(name for name in NAMES if name == ALWAYS or name in benchmark.parts)
    wanted: list[tuple[Protocol, Given, tuple[str, ...]]] = []
    for given in benchmark.corpora:
        folds = benchmark.folds.get(given.name)
        if len(given.reading.speakers) > 2 or folds is not None or len(benchmark.corpora) == 1:
            wanted.append((speaker_protocol(given, folds, benchmark.drawn, quick=benchmark.quick), given, taken))
            if SHARED_PART in benchmark.parts:
                wanted.append((shared_protocol(given, benchmark.drawn), given, (ALWAYS,)))
        else:
            few = len(given.reading.speakers)
            benchmark.log(
                f"{given.name}: {few} speakers are too few for folds of its own, but not for one model for all"
            )
    if JOINT_PART in benchmark.parts and len(benchmark.corpora) > 1:
        joint = write_joint({given.name: given.reading for given in benchmark.corpora}, benchmark.out / ALL)
        loudness = tuple(name for name in taken if name in (ALWAYS, *LOUDNESS))
        wanted.append((joint_protocol(joint, benchmark.drawn, quick=benchmark.quick), joint, loudness))
        for given in benchmark.corpora[: 1 if benchmark.quick else None]:
            wanted.append((cross_protocol(joint, given.name, benchmark.drawn), joint, (ALWAYS,)))
    return wanted


def _check_calibration(benchmark: Benchmark, given: Given, protocol: Protocol) -> None:
    if benchmark.calibration is None:
        return
    by_id = {u.id: u for u in given.reading.utterances}
    for fold in map(protocol.split.fold, protocol.folds):
        used = benchmark.calibration.reading.labelled
        refuse_test_speakers(f"{protocol.name}, {fold.name}: calibration", used, [by_id[i] for i in fold.test])


def _find(benchmark: Benchmark, protocol: Protocol, given: Given, names: Sequence[str]) -> Finding:
    possible = measures(benchmark.material)
    chosen = [possible[name] for name in names if name in possible]
    features: Features | None = None
    taken = []
    for training in protocol.trainings(benchmark.out):
        model = _trained(benchmark, training)
        if features is None:
            _, features = read_features(
                training.plan, front_end=model.front_end, gate=model.gate, cache=benchmark.cache
            )
        taken.append(_measured(benchmark, training, model, features, chosen))
    return Finding(protocol=protocol, reading=given.reading, taken=tuple(taken))


def _trained(benchmark: Benchmark, training: Training) -> TrainedModel:
    """Return a training's model: as kept where it is finished, else trained on from its checkpoint."""
    settings = replace(benchmark.settings, seed=training.seed)
    folder = RunFolder(training.folder)
    save_plan(folder, training.plan, settings)
    if (folder.path / METRICS).exists():
        return folder.load_model()
    benchmark.log(f"{training.describe()}: training")
    every = max(1, settings.epochs // REPORTS)

    def report(entry: dict[str, float]) -> None:
        if int(entry["epoch"]) % every == 0:
            benchmark.log(f"{training.describe()}: epoch {int(entry['epoch'])}, loss {entry['loss']:.2f}")

    model, _ = train_run(training.plan, settings, folder, cache=benchmark.cache, report=report)
    _forget_graphs()
    return model


def _forget_graphs() -> None:
    """Free what Keras keeps of a training: dozens of them in one process would fill the memory."""
    from overtone_models.networks import tf

    tf.keras.backend.clear_session()
    gc.collect()


def _measured(
    benchmark: Benchmark, training: Training, model: TrainedModel, features: Features, chosen: Sequence[Measure]
) -> Taken:
    train, inner, test = divide(features, training.plan.chosen, replace(benchmark.settings, seed=training.seed))
    subject = Subject(model, train, inner, test, training.folder, benchmark.cache)
    if benchmark.calibration is not None and not training.protocol.split.speakers_shared:
        used = benchmark.calibration.reading.labelled
        subject = recalibrated(subject, used, benchmark.settings.no_decision_accuracy)

    def begin(measure: Measure) -> Callable[[], None]:
        return lambda: benchmark.log(f"{training.describe()}: {measure.title}")

    results = {measure.name: take(measure, subject, begin(measure)) for measure in chosen}
    return Taken(fold=training.fold, seed=training.seed, results=results)
