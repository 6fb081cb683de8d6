"""The demonstration's closing table, and its report as JSON and as one HTML page with its pictures."""

import html
import json
from pathlib import Path
from typing import Any

from overtone_cloud.errors import CloudError
from overtone_cloud.reports.html_page import note, page, picture
from overtone_common.files import write_atomically

PICTURES = (("curves.png", "Training of the base network"), ("confusion.png", "Confusions on unseen speakers"))


def rows(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the closing table as names and values."""
    before, after = 100 * report["uar_before"], 100 * report["uar_after"]
    kept = sum(1 for r in report["rounds"] if r["kept"])
    verdict = "better" if after > before else "the rounds did not help"
    hop = report["hop_ms"]
    table = [
        ("data", report["data"]),
        ("split", report["split"]),
        ("UAR on unseen speakers", f"{before:.1f} % before, {after:.1f} % after: {verdict}"),
        ("rounds kept", f"{kept} of {len(report['rounds'])}"),
    ]
    for device, gain in report["personal"].items():
        change = f"{100 * gain['uar']:.1f} -> {100 * gain['uar_personal']:.1f} % UAR ({100 * gain['gain']:+.1f} points)"
        table.append((f"personal head, {device}", change if gain["kept"] else f"{change}; not kept: no better"))
    return [
        *table,
        ("bytes sent by devices", f"{report['bytes_up']:,}"),
        ("bytes sent to devices", f"{report['bytes_down']:,}"),
        ("listening model", f"{report['model_bytes']:,} bytes"),
        ("one hop (100 ms of sound)", f"p50 {hop['p50']:.2f} ms, p95 {hop['p95']:.2f} ms, p99 {hop['p99']:.2f} ms"),
        ("largest agent in memory", f"{report['rss_mb']:.0f} MB" if report["rss_mb"] else "unknown"),
    ]


def write_report(report: dict[str, Any], out: Path) -> None:
    """Write report.json and report.html."""
    text = json.dumps(report, indent=1, sort_keys=True, allow_nan=False)
    write_atomically(out / "report.json", text.encode() + b"\n", error=CloudError)
    write_atomically(out / "report.html", as_html(report, out).encode(), error=CloudError)


def as_html(report: dict[str, Any], out: Path) -> str:
    """Return the page; pictures are inside it, so that it can be sent as one file."""
    parts = [
        note(
            "Three rounds of federated learning between four devices. "
            "Raw sound stayed on the devices; only weight changes were sent."
        ),
        _table(("", ""), [(name, value) for name, value in rows(report)]),
        "<h2>Rounds</h2>",
        _table(
            ("round", "outcome", "UAR before", "UAR after", "updates", "seconds"),
            [
                (
                    r["number"],
                    r["outcome"],
                    _percent(r["uar_before"]),
                    _percent(r["uar_after"]),
                    r["accepted"],
                    f"{r['duration_s'] or 0:.1f}",
                )
                for r in report["rounds"]
            ],
        ),
        note("The aggregator measures the float network; the table above the int8 one."),
        "<h2>What one device heard</h2>",
        _heard(report["heard"]),
        *_pretrained(report["pretrained"]),
    ]
    for name, title in PICTURES:
        parts.append(f"<h2>{html.escape(title)}</h2>{picture(out / name, title)}")
    versions = ", ".join(f"{name} {value}" for name, value in report["versions"].items())
    parts.append(note(f"{versions}; seed {report['seed']}; {report['seconds']} s in all."))
    return page("Overtone demonstration", *parts)


def _heard(events: list[dict[str, Any]]) -> str:
    return _table(
        ("second", "emotion", "probability", "spoken", ""),
        [
            (
                f"{e['stream_s']:.1f}",
                e["label"] or "no decision",
                _percent(e["confidence"]),
                e["spoken"],
                "whole utterance" if e["final"] else "",
            )
            for e in events
        ],
    )


def _pretrained(found: dict[str, Any] | None) -> list[str]:
    """Return what the pretrained model heard before any training, with why that is no measure of it."""
    if found is None:
        return []
    said = f"{found['caveat']} Its licence: {found['licence']}"
    return [
        f"<h2>What the pretrained model {html.escape(found['name'])} heard before</h2>",
        note(said),
        _heard(found["heard"]),
    ]


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


def _table(head: tuple[str, ...], lines: list[tuple[Any, ...]]) -> str:
    header = "".join(f"<th>{html.escape(cell)}</th>" for cell in head) if any(head) else ""
    body = "".join("<tr>" + "".join(f"<td>{html.escape(str(c))}</td>" for c in line) + "</tr>" for line in lines)
    return f"<table>{f'<tr>{header}</tr>' if header else ''}{body}</table>"
