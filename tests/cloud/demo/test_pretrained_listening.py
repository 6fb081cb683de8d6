"""What the demonstration says of the pretrained model before it trains: what it is, why that is no measure."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.bundles import committed_bundles

from overtone_cloud.corpora.registry import read_corpus
from overtone_cloud.demo import fleet, pretrained_listening
from overtone_edge.core.config import load_config
from overtone_models import pretrained
from overtone_models.bundle import Bundle, read_bundle
from overtone_models.errors import BundleError


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    made = read_bundle(committed_bundles()["tiny-1"])
    return replace(made, manifest=replace(made.manifest, lineage={"training_data": "emodb, ravdess, tess"}))


@pytest.mark.parametrize(
    ("corpus", "synthetic", "text"),
    [
        ("manifest", True, "It was trained on human speech (emodb, ravdess, tess); these voices are synthesised"),
        (
            "ravdess",
            False,
            "It was trained on speakers of ravdess, these among them perhaps: this is no measure",
        ),
        ("savee", False, "It was trained on emodb, ravdess, tess; a few recordings are no measure of it."),
    ],
)
def test_the_caveat_says_whom_it_knows(bundle: Bundle, corpus: str, synthetic: bool, text: str) -> None:
    assert pretrained_listening.caveat(bundle, corpus, synthetic=synthetic).startswith(text)


def test_what_it_heard_is_told_without_a_score(bundle: Bundle, tmp_path: Path) -> None:
    told = pretrained_listening.facts(pretrained.PretrainedModel(tmp_path / "medium"), bundle, [], "why")
    assert set(told) == {"name", "labels", "licence", "caveat", "heard"}


def test_without_one_there_is_nothing_to_hear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "FOLDERS", (tmp_path,))
    assert pretrained_listening.default_model() is None
    (tmp_path / "medium").mkdir()
    (tmp_path / "medium" / "medium.bundle").write_bytes(b"broken")
    with pytest.raises(BundleError):
        pretrained_listening.default_model()
    (tmp_path / "medium" / "medium.bundle").write_bytes(committed_bundles()["tiny-1"])
    found = pretrained_listening.default_model()
    assert found is not None and found[0].name == "medium"


def test_one_speaker_is_heard_with_labels_that_the_model_has(voices: Path) -> None:
    chosen = pretrained_listening._demo_utterances(read_corpus(voices), ("sad",))
    assert {(u.speaker, u.label) for u in chosen} == {("spk06", "sad")}
    assert len({u.label for u in pretrained_listening._demo_utterances(read_corpus(voices), ("bored",))}) == 3


def test_its_device_was_given_neither_bundle_nor_keys(tmp_path: Path) -> None:
    config = load_config(fleet.unconfigured_listening(tmp_path, recording=tmp_path / "speech.wav"))
    assert (config.trust.root_file, config.mqtt, config.source.paced) == (None, None, False)
