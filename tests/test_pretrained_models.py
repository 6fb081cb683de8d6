"""The models that are shipped: whole, checked on the device's runtime, described by the card that their facts give."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from overtone_cloud.cli.main import main
from overtone_cloud.corpora.split_file import load_split
from overtone_cloud.pretraining.card import card
from overtone_cloud.recognition.limits import Limits, check_bundle, check_network
from overtone_cloud.synthesis.corpus import golden_clip, write_wav
from overtone_cloud.training.settings import TrainSettings
from overtone_edge.agent.cli import main as agent
from overtone_models import pretrained
from overtone_models.bundle import read_bundle
from overtone_models.digests import digest_bytes
from overtone_models.pretrained import PretrainedModel, all_pretrained, find_pretrained

NAMES = ("medium", "small")
MAX_BYTES = 1_000_000
LEAST_SEEDS = 3


@pytest.fixture(autouse=True)
def shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look in this checkout alone."""
    monkeypatch.setattr(pretrained, "FOLDERS", (Path(__file__).parents[1] / "models" / "pretrained",))


@pytest.fixture(params=NAMES)
def model(request: pytest.FixtureRequest) -> Iterator[PretrainedModel]:
    """Each of them; a test fails where one is missing."""
    yield find_pretrained(request.param)


def test_small_and_medium_are_there_and_nothing_half_made() -> None:
    assert tuple(one.name for one in all_pretrained()) == NAMES
    for one in all_pretrained():
        whole = {one.bundle.name, "MODEL_CARD.md", "card.json", "split.json", "settings.toml"}
        assert {path.name for path in one.folder.iterdir()} == whole


def test_it_passes_verify(model: PretrainedModel, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", model.name, "--json"]) == 0, capsys.readouterr().err


@pytest.mark.data
def test_it_passes_verify_with_the_recordings_of_its_split(
    model: PretrainedModel, speech_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpora = json.loads(model.card_data.read_text())["corpora"]
    words = [word for name in corpora for word in ("--corpus", f"{name}={speech_data / name}")]
    assert main(["verify", model.name, *words, "--json"]) == 0, capsys.readouterr().err


def test_the_card_is_what_the_generator_makes_of_the_facts(model: PretrainedModel) -> None:
    assert model.card.read_text() == card(json.loads(model.card_data.read_text()))


def test_the_facts_are_of_this_bundle_and_this_split(model: PretrainedModel) -> None:
    facts, data = json.loads(model.card_data.read_text()), model.bundle.read_bytes()
    bundle, fold = read_bundle(data), load_split(model.split).folds[0]
    assert facts["name"] == bundle.manifest.name == model.name
    assert facts["bundle"]["sha256"] == digest_bytes(data)
    assert facts["bundle"]["labels"] == list(bundle.manifest.labels)
    assert facts["bundle"]["licence"] == bundle.manifest.licence
    inner = {f"{name.split('/')[0]}/" for name in fold.test}
    assert {f"{speaker.split('/')[0]}/" for speaker in facts["training"]["inner_speakers"]} == inner
    assert not set(fold.train) & set(fold.test)
    assert load_split(model.split).digest == facts["training"]["digest"]
    settings = TrainSettings.from_json(tomllib.loads(model.settings.read_text()))
    network = settings.network(n_features=bundle.manifest.front_end.n_mfcc, n_classes=len(bundle.manifest.labels))
    assert network == bundle.manifest.edge
    assert settings.seed == facts["training"]["seed"]


def test_every_figure_is_honest_and_has_its_command(model: PretrainedModel) -> None:
    facts = json.loads(model.card_data.read_text())
    figures = facts["figures"]
    assert len(figures["seeds"]) >= LEAST_SEEDS
    assert figures["command"].startswith("overtone benchmark recognition ")
    assert "--quick" not in figures["command"]
    assert {row["corpus"] for row in figures["joint"]} == set(facts["corpora"])
    for name in ("unseen_speakers", "corpus_not_heard", "personal_gain_not_heard"):
        assert all(len(row[name]) == len(figures["seeds"]) for row in figures["joint"]), name


def test_the_cards_figures_are_those_of_the_report_that_is_kept(model: PretrainedModel) -> None:
    kept = json.loads((Path(__file__).parents[1] / "docs" / "recognition" / f"{model.name}.json").read_text())
    figures = json.loads(model.card_data.read_text())["figures"]
    assert {name: figures[name] for name in ("date", "command", "seeds", "joint")} == {
        name: kept[name] for name in ("date", "command", "seeds", "joint")
    }
    assert figures["one_model"]["figures"] == kept["joint_details"]["figures"]


def test_it_keeps_the_limits_of_size(model: PretrainedModel) -> None:
    bundle = read_bundle(model.bundle.read_bytes())
    check_bundle(bundle, Limits())
    check_network(bundle.manifest.edge, Limits())
    assert model.bundle.stat().st_size < MAX_BYTES


def test_an_agent_without_anything_hears_with_it(
    model: PretrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    write_wav(tmp_path / "speech.wav", golden_clip())
    config = tmp_path / "agent.toml"
    config.write_text(f'[device]\nid = "a"\nstate_dir = "state"\n[trust]\npretrained = "{model.name}"\n')
    assert agent(["run", "--file", str(tmp_path / "speech.wav"), "--config", str(config)]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    labels = read_bundle(model.bundle.read_bytes()).manifest.labels
    assert any(event["final"] for event in events)
    assert all(set(event["probabilities"]) == set(labels) for event in events)
