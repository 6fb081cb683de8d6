"""A system's report as one HTML page with its pictures inside, so that it can be sent as one file."""

import html
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from overtone_cloud.reports.html_page import note, page, picture

MORE_STYLE = """
figure { margin: 1rem 0; }
figcaption, caption { color: #555; text-align: left; }
caption { font-weight: 600; color: #222; padding: .3rem 0; }
.yes, .no, .open { white-space: nowrap; }
.yes { color: #1a7f37; } .no { color: #b3261e; } .open { color: #555; }
"""
VERDICTS = {True: ("yes", "holds"), False: ("no", "does not hold"), None: ("open", "cannot be told here")}
DASH = "–"


def as_html(report: Mapping[str, Any], folder: Path) -> str:
    """Return the page of a report (`running.record`); pictures are read from `folder`."""
    return page(
        f"System {report['system']}: {report['title']}",
        note(f"Rebuilt from: {report['paper']}"),
        note(_circumstances(report)),
        _claims(report["claims"]),
        *(_part(part, folder) for part in report["parts"]),
        _choices(report["choices"]),
        _corpora(report["corpora"]),
        note(", ".join(f"{name} {value}" for name, value in report["versions"].items())),
        style=MORE_STYLE,
    )


def cell_text(cell: Any) -> str:
    """Return a cell as reports show it: floats with one decimal, a dash for None."""
    if cell is None:
        return DASH
    return f"{cell:.1f}" if isinstance(cell, float) else str(cell)


def _circumstances(report: Mapping[str, Any]) -> str:
    commit = f", commit {report['commit']}" if report["commit"] else ""
    where = ", ".join(report["accelerators"]) or "no accelerator"
    seeds = f"{report['seeds']} seed{'' if report['seeds'] == 1 else 's'}"
    options = "".join(f", {name} = {value}" for name, value in report["options"].items())
    quick = "A quick run: fewer epochs and folds than the paper's protocol. " if report["quick"] else ""
    return f"{quick}{report['date']}{commit}; {seeds}{options}; {report['seconds']:.0f} s in all, {where}."


def _claims(claims: Sequence[Mapping[str, Any]]) -> str:
    heading = "<h2>What holds and what does not</h2>"
    if not claims:
        return heading + note("These parts of the system read none of the paper's claims.")
    rows = []
    for claim in claims:
        kind, words = VERDICTS[claim["holds"]]
        said = "".join(f"<td>{html.escape(claim[key])}</td>" for key in ("claim", "paper", "ours"))
        rows.append(f"<tr>{said}<td class='{kind}'>{words}</td></tr>")
    head = "<tr><th>claim</th><th>the paper</th><th>here</th><th></th></tr>"
    return f"{heading}<table>{head}{''.join(rows)}</table>"


def _part(part: Mapping[str, Any], folder: Path) -> str:
    split = f"Split: {part['split']}" if part["split"] else ""
    tables = [_table(table, split) for table in part["tables"]]
    pictures = [_figure(given, folder) for given in part["pictures"]]
    seconds = f"{part['seconds']:.0f} s." if part["seconds"] else ""
    body = "".join((*tables, *pictures))
    return f"<h2>{html.escape(part['title'])}</h2>{'' if tables else note(split)}{body}{note(seconds)}"


def _table(table: Mapping[str, Any], split: str) -> str:
    caption = f"<caption>{html.escape(table['title'])}</caption>"
    head = _row(table["columns"], "th")
    rows = "".join(_row(row, "td") for row in table["rows"])
    below = " ".join(text for text in (f"{split}." if split else "", table["note"]) if text)
    return f"<table>{caption}{head}{rows}</table>{note(below)}"


def _row(cells: Iterable[Any], tag: str) -> str:
    made = []
    for cell in cells:
        numeric = " class='n'" if isinstance(cell, (int, float)) or cell is None else ""
        made.append(f"<{tag}{numeric}>{html.escape(cell_text(cell))}</{tag}>")
    return f"<tr>{''.join(made)}</tr>"


def _figure(given: Mapping[str, Any], folder: Path) -> str:
    caption = given["caption"]
    image = picture(folder / given["path"], caption)
    return f"<figure>{image}<figcaption>{html.escape(caption)}</figcaption></figure>"


def _choices(choices: Sequence[Mapping[str, str]]) -> str:
    if not choices:
        return ""
    rows = "".join(_row((choice["what"], choice["chosen"], choice["why"]), "td") for choice in choices)
    return f"<h2>What the paper leaves open</h2><table>{_row(('what', 'chosen', 'why'), 'th')}{rows}</table>"


def _corpora(corpora: Mapping[str, Mapping[str, Any]]) -> str:
    keys = ("utterances", "labelled", "speakers")
    rows = "".join(
        _row((name, *(c[key] for key in keys), _counts(c["labels"]), c["digest"][:12]), "td")
        for name, c in corpora.items()
    )
    return f"<h2>Corpora</h2><table>{_row(('corpus', *keys, 'labels', 'digest'), 'th')}{rows}</table>"


def _counts(labels: Mapping[str, int]) -> str:
    return ", ".join(f"{label} {count}" for label, count in labels.items())
