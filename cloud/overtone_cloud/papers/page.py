"""A system's report as one HTML page with its pictures inside, so that it can be sent as one file."""

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from overtone_cloud.demo.report import STYLE
from overtone_cloud.errors import TrainingError

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
    title = html.escape(f"System {report['system']}: {report['title']}")
    return "".join(
        [
            "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
            "<meta name='viewport' content='width=device-width'>",
            f"<title>{title}</title><style>{STYLE}{MORE_STYLE}</style></head><body><h1>{title}</h1>",
            _note(f"Rebuilt from: {report['paper']}"),
            _note(_circumstances(report)),
            _claims(report["claims"]),
            *(_part(part, folder) for part in report["parts"]),
            _choices(report["choices"]),
            _corpora(report["corpora"]),
            _note(", ".join(f"{name} {value}" for name, value in report["versions"].items())),
            "</body></html>\n",
        ]
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
        return heading + _note("These parts of the system read none of the paper's claims.")
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
    pictures = [_picture(picture, folder) for picture in part["pictures"]]
    seconds = f"{part['seconds']:.0f} s." if part["seconds"] else ""
    body = "".join((*tables, *pictures))
    return f"<h2>{html.escape(part['title'])}</h2>{'' if tables else _note(split)}{body}{_note(seconds)}"


def _table(table: Mapping[str, Any], split: str) -> str:
    caption = f"<caption>{html.escape(table['title'])}</caption>"
    head = _row(table["columns"], "th")
    rows = "".join(_row(row, "td") for row in table["rows"])
    note = " ".join(text for text in (f"{split}." if split else "", table["note"]) if text)
    return f"<table>{caption}{head}{rows}</table>{_note(note)}"


def _row(cells: Iterable[Any], tag: str) -> str:
    made = []
    for cell in cells:
        numeric = " class='n'" if isinstance(cell, (int, float)) or cell is None else ""
        made.append(f"<{tag}{numeric}>{html.escape(cell_text(cell))}</{tag}>")
    return f"<tr>{''.join(made)}</tr>"


def _picture(picture: Mapping[str, Any], folder: Path) -> str:
    path = folder / picture["path"]
    try:
        data = base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise TrainingError(f"{path}: picture of the report cannot be read: {error.strerror or error}") from error
    caption = html.escape(picture["caption"])
    image = f"<img alt='{caption}' src='data:image/png;base64,{data}'>"
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"


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


def _note(text: str) -> str:
    return f"<p class='note'>{html.escape(text)}</p>" if text else ""
