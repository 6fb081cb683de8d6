"""Pages from templates: escaped values, no silent gaps, pictures inside."""

from pathlib import Path

import pytest
from jinja2 import UndefinedError

from overtone_cloud.errors import CloudError
from overtone_cloud.reports.templates import picture, render

EMPTY_REPORT = {
    "title": "<b>A & B</b>",
    "summary": [("split", "a < b")],
    "rounds": [],
    "heard": [],
    "pretrained": None,
    "pictures": [],
    "colophon": "",
}


def test_values_are_escaped() -> None:
    page = render("overtone_cloud.demo", "demo_page.html", **EMPTY_REPORT)
    assert page.startswith("<!doctype html>")
    assert "<title>&lt;b&gt;A &amp; B&lt;/b&gt;</title>" in page
    assert "<td>a &lt; b</td>" in page and "<b>" not in page


def test_a_missing_value_is_an_error_not_a_gap() -> None:
    with pytest.raises(UndefinedError, match="title"):
        render("overtone_cloud.demo", "demo_page.html", **{k: v for k, v in EMPTY_REPORT.items() if k != "title"})


def test_pictures_are_inside_the_page(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    image = picture(tmp_path / "a.png", "what 'it' shows")
    page = render("overtone_cloud.demo", "demo_page.html", **(EMPTY_REPORT | {"pictures": [image]}))
    assert 'src="data:image/png;base64,iVBORw=="' in page
    assert "what &#39;it&#39; shows" in page
    with pytest.raises(CloudError, match=r"none\.png: picture of the report cannot be read"):
        picture(tmp_path / "none.png", "")
