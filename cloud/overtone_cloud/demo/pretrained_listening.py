"""The pretrained model listens to a few recordings before any training; its events are printed, not scored."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from overtone_cloud.corpora.utterance import Reading, Utterance
from overtone_cloud.demo import fleet
from overtone_cloud.demo.listening import listen, make_recording
from overtone_cloud.demo.speakers import utterances_of, write_manifest
from overtone_models.bundle import Bundle, read_bundle
from overtone_models.errors import PretrainedError
from overtone_models.pretrained import PretrainedModel, find_pretrained

Say = Callable[[str], None]
NAME = "pretrained"


def default_model() -> tuple[PretrainedModel, Bundle] | None:
    """Return the default pretrained model; None where none is installed; raises BundleError where it is damaged."""
    try:
        model = find_pretrained()
    except PretrainedError:
        return None
    return model, read_bundle(model.bundle.read_bytes())


def caveat(bundle: Bundle, corpus: str, *, synthetic: bool) -> str:
    """Return in one line why the model's answers for these speakers are no measure of it."""
    trained_on = bundle.manifest.lineage.get("training_data", "unknown")
    if synthetic:
        return (
            f"It was trained on human speech ({trained_on}); these voices are synthesised, so this is no measure of it."
        )
    if corpus in trained_on.split(", "):
        return f"It was trained on speakers of {corpus}, these among them perhaps: this is no measure of it."
    return f"It was trained on {trained_on}; a few recordings are no measure of it."


def listen_to_corpus(
    folder: Path, agent: Path, log: Path, reading: Reading, labels: Sequence[str], say: Say
) -> list[dict[str, Any]]:
    """Return the events of an agent without a bundle on one speaker's recordings; prints each as it arrives."""
    write_manifest(folder / "kept.csv", _demo_utterances(reading, labels))
    recording, spoken_labels = make_recording(folder)
    config = fleet.unconfigured_listening(folder, recording=recording)
    return listen(fleet.ChildProcess(NAME, [agent, "run", "--config", config], log), spoken_labels, say)


def _demo_utterances(reading: Reading, labels: Sequence[str]) -> list[Utterance]:
    """Return the last speaker's utterances of the labels that the model has, where there are some."""
    speakers = sorted({str(u.speaker) for u in reading.labelled if u.speaker is not None})
    own = utterances_of(reading.labelled, speakers[-1:])
    return [u for u in own if u.label in labels] or own


def facts(
    model: PretrainedModel, bundle: Bundle, agent_events: Sequence[dict[str, Any]], caveat_line: str
) -> dict[str, Any]:
    """Return the report's entry of the pretrained model; it holds no score."""
    manifest = bundle.manifest
    return {
        "name": model.name,
        "labels": list(manifest.labels),
        "licence": manifest.licence,
        "caveat": caveat_line,
        "heard": list(agent_events),
    }
