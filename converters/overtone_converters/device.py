"""Simulates a device with a bundle: listening to recordings and learning a personal head by the agent's own code."""

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from overtone_converters.errors import ConversionError
from overtone_edge.core.config import DecisionConfig, LearningConfig
from overtone_edge.core.errors import AgentError
from overtone_edge.hearing.decision import Decider
from overtone_edge.hearing.events import Emotion
from overtone_edge.hearing.example_forms import example_form_for
from overtone_edge.hearing.hearing import Hearing
from overtone_edge.hearing.recent_speech import RecentSpeech
from overtone_edge.hearing.streaming import open_recogniser
from overtone_edge.install.quality import usable_examples
from overtone_edge.learning.trainer import personal_head
from overtone_edge.learning.training_steps import Plan
from overtone_edge.state.examples import Store
from overtone_models.bundle import Bundle
from overtone_models.front_end import F32

BLOCK_SAMPLES = 1600
WINDOW_BLOCKS = 10
RECENT_S = 1.0


class End(NamedTuple):
    """The end of an utterance: its seconds of speech, the decision (None: no decision), its probability per label."""

    speech_s: float
    label: str | None
    probabilities: dict[str, float]


@dataclass(frozen=True)
class Recognition:
    """Decisions of a device on one recording.

    `windows` holds the labels in force in each second (empty: no decision), `utterances` the end of each utterance.
    """

    windows: tuple[frozenset[str], ...]
    utterances: tuple[End, ...]

    @property
    def longest(self) -> End | None:
        """The end of the longest utterance; None where the gate heard no speech."""
        return max(self.utterances, key=lambda end: end.speech_s, default=None)

    @property
    def decision(self) -> str | None:
        """The decision at the end of the longest utterance; None without any decision or speech."""
        return None if self.longest is None else self.longest.label


class Device:
    """A device with a bundle, as its owner gets it: default settings, one recording after another.

    `listen` takes networks of every family; `whole` and `personalise` those that hear MFCC.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        try:
            self.recogniser = open_recogniser(bundle)
        except AgentError as error:
            raise ConversionError(f"the device's runtime refuses the bundle: {error}") from error
        self._form = example_form_for(bundle.manifest)

    def listen(self, samples: F32) -> Recognition:
        """Return the device's decisions on 16 kHz samples fed in blocks of 100 ms: gate, network, decision."""
        recent = RecentSpeech(self._form, max_s=RECENT_S)
        hearing = Hearing(self.recogniser, device="measured", config=DecisionConfig(), recent=recent)
        blocks = [hearing.process(samples[at : at + BLOCK_SAMPLES]) for at in range(0, samples.size, BLOCK_SAMPLES)]
        if not blocks:
            return Recognition((), ())
        blocks[-1] = [*blocks[-1], *hearing.finish()]
        final = (event for events in blocks for event in events if event.final)
        ends = [End(event.speech_s, event.label, event.probabilities) for event in final]
        return Recognition(_windows(blocks), tuple(ends))

    def whole(self, mfcc: F32) -> tuple[str | None, F32]:
        """Return the decision over an utterance's `(frames, n_mfcc)` passed at once, and its probabilities."""
        probabilities = self.recogniser.probabilities(self.recogniser.embedding(mfcc))
        manifest = self.bundle.manifest
        decider = Decider(DecisionConfig(), manifest.labels, manifest.calibration.threshold)
        return decider.end(probabilities).label, probabilities

    def personalise(self, labelled: Sequence[tuple[F32, str]], *, seed: int = 0) -> tuple[F32, dict[str, Any]]:
        """Return the head learned from labelled `(frames, n_mfcc)` and the device's own report on it.

        As on the device with its default settings: `kept` says whether the labelled utterances themselves, each
        judged by a head that did not learn from it, confirm the head.
        """
        learning = LearningConfig()
        plan = Plan(
            scope="head",
            steps=learning.steps,
            learning_rate=learning.learning_rate,
            momentum=learning.momentum,
            seed=seed,
        )
        with tempfile.TemporaryDirectory(prefix="overtone-") as folder:
            store = Store(
                Path(folder) / "store",
                max_bytes=learning.max_store_bytes,
                held_out_fraction=learning.held_out_fraction,
            )
            for number, (mfcc, label) in enumerate(labelled):
                store.add(mfcc, label, front_end=self._form.digest, time_ns=number)
            examples = usable_examples(self.bundle, store.examples(self._form.digest, self.bundle.manifest.labels))
            try:
                return personal_head(self.bundle, examples, plan)
            except AgentError as error:
                raise ConversionError(f"a device cannot learn from {len(labelled)} examples: {error}") from error


def device_settings() -> dict[str, Any]:
    """Return the settings that `Device` listens and learns with, for reports."""
    return {"decision": asdict(DecisionConfig()), "learning": asdict(LearningConfig())}


def _windows(blocks: Sequence[Sequence[Emotion]]) -> tuple[frozenset[str], ...]:
    """Return the labels in force in each second, from the events by block; an utterance's end takes its label with
    it."""
    current: str | None = None
    in_force: list[set[str]] = []
    for events in blocks:
        labels = {current}
        for event in events:
            labels.add(event.label)
            current = None if event.final else event.label
        in_force.append({label for label in labels if label is not None})
    whole = range(0, len(in_force), WINDOW_BLOCKS)
    return tuple(frozenset(set().union(*in_force[start : start + WINDOW_BLOCKS])) for start in whole)
