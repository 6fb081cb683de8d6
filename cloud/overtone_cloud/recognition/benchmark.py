"""The recognition benchmark: plans and runs trainings and measures, and resumes after interruptions."""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from overtone_cloud.corpora.utterance import Reading
from overtone_cloud.errors import ConfigError
from overtone_cloud.recognition.joint import ALL, cross_protocol, joint_protocol, write_joint
from overtone_cloud.recognition.limits import check_network
from overtone_cloud.recognition.measures import CLEAN, NAMES, Measure, MeasureInputs, measures
from overtone_cloud.recognition.protocol import (
    LoadedCorpus,
    Protocol,
    Seeds,
    Training,
    shared_protocol,
    speaker_protocol,
)
from overtone_cloud.recognition.results import TrainingResults, take
from overtone_cloud.recognition.subject import Subject, recalibrate, refuse_test_speakers
from overtone_cloud.training.experiment import check_plan, divide, read_features, train_run
from overtone_cloud.training.features import Features
from overtone_cloud.training.inputs import check_neutral_speech
from overtone_cloud.training.run_folder import METRICS, RunFolder, progress_lines
from overtone_cloud.training.settings import TrainSettings
from overtone_models.front_end import EDGE_FRONT_END
from overtone_models.trained_model import TrainedModel

ALONE, RANDOM, JOINT, CROSS = "alone", "random", "joint", "cross"
PROTOCOLS = (ALONE, RANDOM, JOINT, CROSS)
"""A model per corpus, one of a random split, one model of all corpora, one of all corpora but the tested one."""
LOUDNESS = ("quiet", "loud")
"""Measures in the table of one model for all, besides `CLEAN`: some corpora are normalised, others quiet."""
PERSONAL = "personal"
"""The measure of corpora outside the training, besides `CLEAN`: devices meet other rooms, languages and voices."""
LEAST_SEEDS = 3
"""Seeds needed for a figure that may be quoted."""
TRIAL_SETTINGS = {"size": "S", "epochs": 4, "evaluate_every_epochs": 2, "patience_epochs": 4, "warmup_steps": 10}
"""Changes of a quick run to the training settings."""
REPORTS = 6
TOO_FEW = 2


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """Specification of a benchmark; `own_settings` replace `settings` for a corpus, or for ALL together."""

    corpora: tuple[LoadedCorpus, ...]
    settings: TrainSettings
    own_settings: Mapping[str, TrainSettings] = field(default_factory=dict)
    seeds: tuple[int, ...]
    out: Path
    protocols: tuple[str, ...] = PROTOCOLS
    folds: Mapping[str, str] = field(default_factory=dict)
    measure_inputs: MeasureInputs = field(default_factory=MeasureInputs)
    parts: tuple[str, ...] = NAMES
    quick: bool = False
    calibration: LoadedCorpus | None = None
    cache: Path | None = None
    log: Callable[[str], None] = lambda line: None

    def settings_of(self, name: str) -> TrainSettings:
        """Return the training settings of a corpus, or of ALL."""
        return self.own_settings.get(name, self.settings)

    def protocol_seeds(self, settings: TrainSettings) -> Seeds:
        """Return the seeds of the trainings with their share of inner speakers."""
        return Seeds(seeds=self.seeds, inner_fraction=settings.inner_fraction)


@dataclass(frozen=True, kw_only=True)
class Task:
    """A protocol of a corpus, the settings of its trainings, and the names of their measures."""

    protocol: Protocol
    corpus: LoadedCorpus
    settings: TrainSettings
    measures: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ProtocolResults:
    """The results of one protocol's trainings.

    `skipped` are the corpus' utterances that cannot be read, or in which the gate detects no speech as recorded.
    """

    protocol: Protocol
    reading: Reading
    trainings: tuple[TrainingResults, ...]
    skipped: tuple[str, ...] = ()

    @property
    def by_seed(self) -> dict[int, list[TrainingResults]]:
        """The results of each seed's folds."""
        return {seed: [t for t in self.trainings if t.seed == seed] for seed in self.protocol.seeds}


def run(benchmark: Benchmark) -> Iterator[tuple[dict[str, ProtocolResults], bool]]:
    """Yield the results so far, by the protocol's name, after each protocol, and whether they are complete.

    Everything that can be refused is refused before any training.
    """
    tasks = _tasks(benchmark)
    if not tasks:
        names = ", ".join(corpus.name for corpus in benchmark.corpora)
        if not {ALONE, RANDOM} & set(benchmark.protocols):
            raise ConfigError(f"{' and '.join(benchmark.protocols)} need at least two corpora, here is {names}")
        raise ConfigError(f"nothing can be measured: {names} have too few speakers for folds of their own")
    for task in tasks:
        network = task.settings.network(n_features=EDGE_FRONT_END.n_mfcc, n_classes=len(task.protocol.labels))
        check_network(network, benchmark.measure_inputs.limits)
        if task.settings.neutral_speech:
            speech = benchmark.measure_inputs.speech
            check_neutral_speech(task.protocol.labels, None if speech is None else speech.folder)
        if benchmark.calibration is not None and not task.protocol.split.speakers_shared:
            _check_calibration(task, benchmark.calibration)
    trainings = sum(len(task.protocol.folds) * len(task.protocol.seeds) for task in tasks)
    benchmark.log(f"{len(tasks)} protocols, {trainings} trainings, kept in {benchmark.out}")
    results: dict[str, ProtocolResults] = {}
    for task in tasks:
        results[task.protocol.name] = _run_task(benchmark, task)
        yield dict(results), len(results) == len(tasks)


def _tasks(benchmark: Benchmark) -> list[Task]:
    """Return the tasks in their order."""
    measure_names = tuple(name for name in NAMES if name == CLEAN or name in benchmark.parts)
    protocols, several = benchmark.protocols, len(benchmark.corpora) > 1
    tasks: list[Task] = []
    for corpus in benchmark.corpora if {ALONE, RANDOM} & set(protocols) else ():
        folds, few = benchmark.folds.get(corpus.name), len(corpus.reading.speakers)
        settings = benchmark.settings_of(corpus.name)
        seeds = benchmark.protocol_seeds(settings)
        if few <= TOO_FEW and folds is None and several:
            benchmark.log(f"{corpus.name}: {few} speakers are too few for folds of its own, not for one model for all")
            continue
        if ALONE in protocols:
            protocol = speaker_protocol(corpus, folds, seeds, quick=benchmark.quick)
            tasks.append(Task(protocol=protocol, corpus=corpus, settings=settings, measures=measure_names))
        if RANDOM in protocols:
            protocol = shared_protocol(corpus, seeds)
            tasks.append(Task(protocol=protocol, corpus=corpus, settings=settings, measures=(CLEAN,)))
    if several and {JOINT, CROSS} & set(protocols):
        tasks += _joint_tasks(benchmark, measure_names)
    return tasks


def _joint_tasks(benchmark: Benchmark, measure_names: tuple[str, ...]) -> list[Task]:
    """Return one model for all corpora, and those that are trained without one of them."""
    settings = benchmark.settings_of(ALL)
    seeds = benchmark.protocol_seeds(settings)
    joint = write_joint({corpus.name: corpus.reading for corpus in benchmark.corpora}, benchmark.out / ALL)
    tasks = []
    if JOINT in benchmark.protocols:
        protocol = joint_protocol(joint, seeds, quick=benchmark.quick)
        tasks.append(Task(protocol=protocol, corpus=joint, settings=settings, measures=measure_names))
    for corpus in benchmark.corpora[: 1 if benchmark.quick else None] if CROSS in benchmark.protocols else ():
        protocol = cross_protocol(joint, corpus.name, seeds)
        unheard = tuple(name for name in measure_names if name in (CLEAN, PERSONAL))
        tasks.append(Task(protocol=protocol, corpus=joint, settings=settings, measures=unheard))
    return tasks


def _check_calibration(task: Task, calibration: LoadedCorpus) -> None:
    by_id = {u.id: u for u in task.corpus.reading.utterances}
    for fold in map(task.protocol.split.fold, task.protocol.folds):
        what = f"{task.protocol.name}, {fold.name}: calibration"
        refuse_test_speakers(what, calibration.reading.labelled, [by_id[i] for i in fold.test])


def _run_task(benchmark: Benchmark, task: Task) -> ProtocolResults:
    available = measures(benchmark.measure_inputs)
    task_measures = [available[name] for name in task.measures if name in available]
    features: Features | None = None
    trainings = []
    for training in task.protocol.trainings(benchmark.out):
        model = _train_or_load(benchmark, task.settings, training)
        if features is None:
            _, features = read_features(
                training.plan, front_end=model.front_end, gate=model.gate, cache=benchmark.cache
            )
        trainings.append(_measure(benchmark, task.settings, training, model, features, task_measures))
    skipped = features.skipped if features is not None else ()
    return ProtocolResults(
        protocol=task.protocol, reading=task.corpus.reading, trainings=tuple(trainings), skipped=skipped
    )


def _train_or_load(benchmark: Benchmark, settings: TrainSettings, training: Training) -> TrainedModel:
    """Return a training's model: loaded where the training is finished, else trained from its last checkpoint."""
    settings = replace(settings, seed=training.seed)
    folder = RunFolder(training.folder)
    sounds, speech = benchmark.measure_inputs.sounds, benchmark.measure_inputs.speech
    plan = replace(
        training.plan,
        sounds=None if sounds is None else sounds.folder,
        speech=speech.folder if speech is not None and settings.neutral_speech else None,
    )
    check_plan(folder, plan, settings)
    if (folder.path / METRICS).exists():
        return folder.load_model()
    benchmark.log(f"{training.describe()}: training")
    report = progress_lines(lambda line: benchmark.log(f"{training.describe()}: {line}"), settings.epochs, REPORTS)
    model, _ = train_run(plan, settings, folder, cache=benchmark.cache, report=report)
    _forget_graphs()
    return model


def _forget_graphs() -> None:
    """Free the graphs that Keras caches: dozens of trainings in one process would exhaust the memory."""
    from overtone_models.networks import tf

    tf.keras.backend.clear_session()
    gc.collect()


def _measure(
    benchmark: Benchmark,
    settings: TrainSettings,
    training: Training,
    model: TrainedModel,
    features: Features,
    task_measures: Sequence[Measure],
) -> TrainingResults:
    train, inner, test = divide(features, training.plan.run_fold, replace(settings, seed=training.seed))
    subject = Subject(model, train, inner, test, training.folder, benchmark.cache)
    if benchmark.calibration is not None and not training.protocol.split.speakers_shared:
        calibration = benchmark.calibration.reading.labelled
        sounds = () if benchmark.measure_inputs.sounds is None else benchmark.measure_inputs.sounds.calibration
        subject = recalibrate(subject, calibration, settings, sounds)

    def begin(measure: Measure) -> Callable[[], None]:
        return lambda: benchmark.log(f"{training.describe()}: {measure.title}")

    results = {measure.name: take(measure, subject, begin(measure)) for measure in task_measures}
    return TrainingResults(fold=training.fold, seed=training.seed, results=results)
