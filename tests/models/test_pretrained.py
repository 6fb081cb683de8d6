"""The models that came with the software are found by name, in a checkout and in an installed package."""

from pathlib import Path

import pytest

from overtone_models import pretrained
from overtone_models.errors import PretrainedError
from overtone_models.pretrained import all_pretrained, file_or_pretrained, find_pretrained


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small and a medium model, and things that are none."""
    place = tmp_path / "place"
    for name in ("small", "medium"):
        (place / name).mkdir(parents=True)
        (place / name / f"{name}.bundle").write_bytes(b"")
    (place / "half").mkdir()
    (place / "README.md").write_text("")
    monkeypatch.setattr(pretrained, "FOLDERS", (tmp_path / "elsewhere", place))
    return place


def test_they_are_found_by_name_and_medium_is_the_default(folder: Path) -> None:
    assert [one.name for one in all_pretrained()] == ["medium", "small"]
    assert find_pretrained().bundle == folder / "medium" / "medium.bundle"
    assert find_pretrained("small").card == folder / "small" / "MODEL_CARD.md"


def test_a_name_that_is_not_here_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("huge", "half", "../place/small", ""):
        with pytest.raises(PretrainedError, match=r"no pretrained model .*; there are medium, small"):
            find_pretrained(name)
    monkeypatch.setattr(pretrained, "FOLDERS", (folder / "half", folder))
    with pytest.raises(PretrainedError, match="none came with this software"):
        find_pretrained()


def test_a_file_comes_before_a_name(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert file_or_pretrained(Path("small")) == folder / "small" / "small.bundle"
    assert file_or_pretrained(Path("other/small")) == Path("other/small")
    assert file_or_pretrained(Path("tiny")) == Path("tiny")
    Path("small").write_bytes(b"")
    assert file_or_pretrained(Path("small")) == Path("small")
