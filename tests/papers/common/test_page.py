"""The page holds every figure, its split, its pictures and the reading of the claims."""

import re
from pathlib import Path

import pytest

from overtone_cloud.corpora.utterance import Reading, Utterance
from overtone_cloud.errors import CloudError
from overtone_papers.common.report import Choice, Claim, Part, Picture, Report, Table
from overtone_papers.common.running import as_html, execute, record, versions
from overtone_papers.common.study import Study
from overtone_papers.common.system import System

PNG = b"\x89PNG\r\n\x1a\nxx"
REPORT = Report(
    parts=(
        Part(
            name="random",
            title="Random <split>",
            split="random, speakers shared",
            tables=(
                Table(title="Accuracy", columns=("who", "%"), rows=(("paper", 50.0), ("ours", None)), note="A note."),
            ),
            pictures=(Picture(path="random/curves.png", caption="Curves"),),
            seconds=3.0,
        ),
    ),
    choices=(Choice(what="learning rate", chosen="0.001", why="Adam's default"),),
    claims=(
        Claim(claim="It learns", paper="90 %", ours="97 %", holds=True),
        Claim(claim="It generalises", paper="yes", ours="no", holds=False),
        Claim(claim="It is small", paper="yes", ours="", holds=None),
    ),
)
SYSTEM = System(
    letter="C",
    title="A system",
    paper="A paper",
    parts=("random", "speaker"),
    run=lambda _study: REPORT,
    needs=lambda _readings: None,
    estimate=lambda _study: "",
)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    (tmp_path / "random").mkdir()
    (tmp_path / "random" / "curves.png").write_bytes(PNG)
    told = Utterance(id="a.wav", path=Path("a.wav"), corpus="tess", label="sad", speaker="OAF")
    readings = {"tess": Reading(corpus="tess", root=tmp_path, utterances=(told,))}
    return Study(system="C", readings=readings, parts=SYSTEM.parts, out=tmp_path, quick=True)


def test_the_page_says_everything(study: Study) -> None:
    data = record(SYSTEM, study, REPORT, seconds=12.0)
    page = as_html(data, study.out)
    assert "Random &lt;split&gt;" in page
    assert "Split: random, speakers shared. A note." in page
    assert '<td class="n">50.0</td>' in page
    assert '<td class="n">–</td>' in page
    assert re.search(r'src="data:image/png;base64,[A-Za-z0-9+/=]+"', page)
    assert "http" not in page
    for words in ("holds", "does not hold", "cannot be told here", "Adam&#39;s default", "A quick run", "12 s in all"):
        assert words in page
    assert str(study.out) not in page


def test_the_record_tells_corpora_versions_and_no_folder(study: Study) -> None:
    data = record(SYSTEM, study, REPORT, seconds=12.0)
    assert data["corpora"]["tess"]["labels"] == {"sad": 1}
    assert data["corpora"]["tess"]["digest"] == study.readings["tess"].digest
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", data["date"])
    assert data["commit"] is None or re.fullmatch(r"[0-9a-f]{40}(-dirty)?", data["commit"])
    assert set(versions()) >= {"python", "numpy", "tensorflow"}
    assert str(study.out) not in str(data)


def test_a_part_alone_leaves_the_whole_report(study: Study) -> None:
    execute(SYSTEM, study)
    whole = (study.out / "report.json").read_bytes()
    some = Study(system="C", readings=study.readings, parts=("random",), out=study.out)
    execute(SYSTEM, some)
    assert (study.out / "report.json").read_bytes() == whole
    assert (study.out / "report-random.html").is_file()


def test_a_lost_picture_is_one_line(study: Study) -> None:
    (study.out / "random" / "curves.png").unlink()
    with pytest.raises(CloudError, match=r"curves\.png: picture of the report cannot be read"):
        execute(SYSTEM, study)


def test_a_figure_that_is_no_number_is_one_line(study: Study) -> None:
    broken = Report(parts=(Part(name="a", title="a", split="", figures={"loss": float("nan")}),))
    system = System(**{**vars(SYSTEM), "run": lambda _study: broken})
    with pytest.raises(CloudError, match="report of system C cannot be written as JSON"):
        execute(system, study)
