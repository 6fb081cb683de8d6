"""An emotion and a corpus that the software does not know: added at run time, read, plotted, trained and described."""

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

from overtone_cloud.corpora import CORPORA, read_corpus
from overtone_cloud.corpora.corpus import Archive, Corpus, NameFields, OfficialCounts
from overtone_cloud.corpora.registry import temporary_corpus
from overtone_cloud.errors import SynthesisError
from overtone_cloud.synthesis import write_corpus
from overtone_cloud.training.run_folder import RunFolder
from overtone_models.bundle import read_bundle
from overtone_models.labels import EMOTIONS, Affect, Emotion, temporary_emotion

Overtone = Callable[..., tuple[int, str, str]]

RELIEVED = Emotion(
    name="relieved",
    synonyms=("relief",),
    colour="#0b6e4f",
    weak=Affect(3.5, 2.0),
    normal=Affect(4.0, 2.0),
    strong=Affect(4.5, 1.5),
)
SPEAKERS, CLIPS = 6, 4
# The synthetic voice has no style for relief: angry speech stands in, which networks easily tell from sad speech.
RECORDED_AS = {"R": "angry", "S": "sad"}
SETTINGS = """\
size = "S"
epochs = 12
batch = 8
warmup_steps = 5
evaluate_every_epochs = 4
inner_fraction = 0.25
"""


def parse_name(relative: PurePosixPath) -> NameFields | None:
    """Return the fields of a name such as `studio-3R2.wav`: speaker, emotion, take."""
    match = re.fullmatch(r"studio-(\d)([RS])(\d)", relative.stem)
    if match is None:
        return None
    return NameFields(key=relative.stem, corpus_label=match[2], speaker=match[1], sentence=match[3])


STUDIO = Corpus(
    name="studio",
    title="Studio recordings",
    language="Frisian",
    page="https://studio.example.org",
    licence="CC BY-NC 4.0 (not for commercial use)",
    model_terms="CC BY-NC 4.0 (Studio)",
    commercial=False,
    archive=Archive(url="https://studio.example.org/studio.zip", file_name="studio.zip"),
    official=OfficialCounts(
        utterances=SPEAKERS * 2 * CLIPS,
        speakers=tuple(str(number) for number in range(1, SPEAKERS + 1)),
        labels=dict.fromkeys(RECORDED_AS, SPEAKERS * CLIPS),
    ),
    labels={"r": "relieved", "s": "sad"},
    affect={"r": Affect(5.0, 1.0)},
    parse_name=parse_name,
)


@dataclass(frozen=True, kw_only=True)
class Results:
    """The recordings of the added corpus, and what was made of them."""

    recordings: Path
    run: Path
    pretrained: Path


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Results]:
    """Train a run and a pretrained model on the added corpus; it and the added emotion stay for these tests."""
    from overtone_cloud.cli.main import main

    folder = tmp_path_factory.mktemp("extending")
    voices = write_corpus(folder / "voices", SPEAKERS, tuple(RECORDED_AS.values()), CLIPS, seed=9).parent
    recordings, run, out = folder / "recordings", folder / "run", folder / "pretrained"
    recordings.mkdir()
    settings = folder / "settings.toml"
    settings.write_text(SETTINGS)
    for speaker in range(1, SPEAKERS + 1):
        for code, emotion in RECORDED_AS.items():
            for clip in range(1, CLIPS + 1):
                source = voices / f"spk{speaker:02d}" / f"{emotion}_{clip:02d}.wav"
                shutil.copy(source, recordings / f"studio-{speaker}{code}{clip}.wav")
    train = ("train", recordings, "--out", run, "--test-speakers", "5,6", "--config", settings, "--cache", cache)
    pretrain = (
        "pretrain",
        "--corpus",
        f"studio={recordings}",
        "--settings",
        settings,
        "--name",
        "studio",
        "--out",
        out,
    )
    with temporary_emotion(RELIEVED), temporary_corpus(STUDIO):
        assert main([str(word) for word in train]) == 0
        assert main([str(word) for word in (*pretrain, "--work", folder / "work", "--cache", cache)]) == 0
        yield Results(recordings=recordings, run=run, pretrained=out / "studio")
    assert "relieved" not in EMOTIONS
    assert "studio" not in CORPORA


def test_an_added_corpus_is_read_listed_and_checked(overtone: Overtone, results: Results) -> None:
    reading = read_corpus(results.recordings)
    assert (reading.corpus, reading.problems) == ("studio", ())
    assert {u.label for u in reading.utterances} == {"relieved", "sad"}
    status, out, _ = overtone("data", "list")
    assert status == 0
    assert "overtone data fetch studio --to DIR" in out
    assert "studio: CC BY-NC 4.0 (not for commercial use); https://studio.example.org" in out
    status, out, _ = overtone("data", "check", results.recordings, "--corpus", "studio")
    assert status == 0
    assert "Studio recordings: 48 utterances, 48 with a label, 6 speakers" in out


def test_an_added_corpus_gives_its_terms_to_models_and_cards(results: Results) -> None:
    terms = "non-commercial research only, as the recordings it was trained on: CC BY-NC 4.0 (Studio)"
    assert RunFolder(results.run).load_model().licence == terms
    assert read_bundle((results.pretrained / "studio.bundle").read_bytes()).manifest.licence == terms
    card = (results.pretrained / "MODEL_CARD.md").read_text()
    assert "**Non-commercial research only, as the recordings it was trained on.**" in card
    assert "- Studio recordings: CC BY-NC 4.0 (not for commercial use)" in card
    assert "- Commercial use, as long as" in card
    assert "[Studio recordings](https://studio.example.org) | Frisian | 48" in card


def test_an_added_emotion_is_read_from_folders_and_plotted(
    overtone: Overtone, results: Results, tmp_path: Path
) -> None:
    for label, code in (("Relief", "R"), ("sad", "S")):
        shutil.copytree(results.recordings, tmp_path / "folders" / label, ignore=_all_but(code))
    reading = read_corpus(tmp_path / "folders", "folders")
    assert {u.label for u in reading.utterances} == {"relieved", "sad"}
    status, _, _ = overtone("data", "plot", tmp_path / "folders", "--corpus", "folders", "--out", tmp_path / "plots")
    assert status == 0
    assert (tmp_path / "plots" / "utterance-relieved.png").read_bytes().startswith(b"\x89PNG")


def _all_but(code: str) -> Callable[[str, list[str]], list[str]]:
    return lambda folder, names: [name for name in names if code not in name]


def test_an_added_emotion_is_trained_and_stands_in_the_card(results: Results) -> None:
    bundle = read_bundle((results.pretrained / "studio.bundle").read_bytes())
    assert bundle.manifest.labels == ("sad", "relieved")
    assert RunFolder(results.run).load_model().labels == ("sad", "relieved")
    assert "An int8 network that tells sad and relieved apart" in (results.pretrained / "MODEL_CARD.md").read_text()


def test_an_added_emotion_without_a_style_is_refused_by_the_synthetic_voice(results: Results, tmp_path: Path) -> None:
    assert "relieved" in EMOTIONS
    with pytest.raises(
        SynthesisError, match=r"^the synthetic voice cannot speak 'relieved': it has styles for [^\n]*$"
    ):
        write_corpus(tmp_path, 1, ("relieved",), 1, seed=0)
