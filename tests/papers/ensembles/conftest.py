"""A small pool of synthetic voices with the seven classes, as a study of system E."""

from collections.abc import Callable
from pathlib import Path

import pytest

from overtone_cloud.corpora.registry import read_corpus
from overtone_cloud.corpora.utterance import Utterance
from overtone_cloud.synthesis import write_corpus
from overtone_papers.common.study import Study
from overtone_papers.ensembles.data import LABELS

Make = Callable[..., Study]


@pytest.fixture(scope="session")
def seven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of 6 synthetic speakers, 7 emotions, 2 clips of each."""
    folder = tmp_path_factory.mktemp("seven") / "corpus"
    write_corpus(folder, 6, LABELS, 2, seed=4)
    return folder


@pytest.fixture(scope="session")
def study(seven: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Return a function that makes a quick study of the synthetic pool, each in a folder of its own."""

    def make(*parts: str, **options: str) -> Study:
        return Study(
            system="E",
            readings={"voices": read_corpus(seven, "manifest")},
            parts=parts,
            out=tmp_path_factory.mktemp("study") / "out",
            quick=True,
            cache=cache,
            jobs=1,
            options=options,
        )

    return make


@pytest.fixture
def people() -> tuple[Utterance, ...]:
    """Two corpora: one of two women, one of ten people; every speaker says each class three times."""
    utterances = []
    for corpus, names in (("tess", ("a", "b")), ("ravdess", tuple(f"{n:02}" for n in range(1, 11)))):
        for index, name in enumerate(names):
            gender = "female" if corpus == "tess" or index % 2 else "male"
            for label in LABELS:
                for take in range(3):
                    path = f"{corpus}/{name}-{label}-{take}.wav"
                    utterances.append(
                        Utterance(
                            id=path,
                            path=Path(path),
                            corpus=corpus,
                            label=label,
                            speaker=f"{corpus}/{name}",
                            gender=gender,
                        )
                    )
    return tuple(utterances)
