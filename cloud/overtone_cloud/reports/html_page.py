"""A page whose body is HTML text already, in the frame of the templates."""

from pathlib import Path

from markupsafe import escape

from overtone_cloud.reports import templates


def page(title: str, *body: str, style: str = "") -> str:
    """Return a whole page; `body` is HTML, `title` plain text."""
    return templates.render(__package__, "plain_page.html", title=title, body="".join(body), style=style)


def note(text: str) -> str:
    """Return a paragraph of small print, or nothing where `text` is empty."""
    return f"<p class='note'>{escape(text)}</p>" if text else ""


def picture(path: Path, caption: str) -> str:
    """Return a PNG file as an image inside the page; raise CloudError where it cannot be read."""
    image = templates.picture(path, caption)
    return f"<img alt='{escape(caption)}' src='{image.uri}'>"
