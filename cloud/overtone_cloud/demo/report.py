"""The demonstration's closing table, and its report as JSON and as one HTML page with its pictures."""

import json
from pathlib import Path
from typing import Any

from overtone_cloud.errors import CloudError
from overtone_cloud.reports.templates import picture, render
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
    pretrained = report["pretrained"]
    versions = ", ".join(f"{name} {value}" for name, value in report["versions"].items())
    return render(
        __package__,
        "demo_page.html",
        title="Overtone demonstration",
        summary=rows(report),
        rounds=[_round(entry) for entry in report["rounds"]],
        heard=_events(report["heard"]),
        pretrained=None if pretrained is None else {**pretrained, "heard": _events(pretrained["heard"])},
        pictures=[picture(out / name, title) for name, title in PICTURES],
        colophon=f"{versions}; seed {report['seed']}; {report['seconds']} s in all.",
    )


def _round(entry: dict[str, Any]) -> tuple[str, ...]:
    before, after = _percent(entry["uar_before"]), _percent(entry["uar_after"])
    duration = f"{entry['duration_s'] or 0:.1f}"
    return str(entry["number"]), str(entry["outcome"]), before, after, str(entry["accepted"]), duration


def _events(events: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    return [
        (
            f"{event['stream_s']:.1f}",
            event["label"] or "no decision",
            _percent(event["confidence"]),
            event["spoken"],
            "whole utterance" if event["final"] else "",
        )
        for event in events
    ]


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"
