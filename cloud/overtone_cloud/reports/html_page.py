"""The HTML that reports are made of: one page with its pictures inside, so that it can be sent as one file."""

import base64
import html
from pathlib import Path

from overtone_cloud.errors import CloudError

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 1rem 0; }
td, th { border-bottom: 1px solid #ccc; padding: .3rem .8rem; text-align: left; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
img { max-width: 100%; }
.note { color: #555; }
"""


def page(title: str, *body: str, style: str = "") -> str:
    """Return a whole page; `body` is HTML, `title` plain text."""
    title = html.escape(title)
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>{title}</title><style>{STYLE}{style}</style></head><body><h1>{title}</h1>{''.join(body)}</body></html>\n"
    )


def note(text: str) -> str:
    """Return a paragraph of small print, or nothing where `text` is empty."""
    return f"<p class='note'>{html.escape(text)}</p>" if text else ""


def picture(path: Path, caption: str) -> str:
    """Return a PNG file as an image inside the page; raise CloudError where it cannot be read."""
    try:
        data = base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise CloudError(f"{path}: picture of the report cannot be read: {error.strerror or error}") from error
    return f"<img alt='{html.escape(caption)}' src='data:image/png;base64,{data}'>"
