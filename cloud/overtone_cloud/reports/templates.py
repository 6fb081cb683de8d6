"""HTML pages from Jinja templates; their pictures are inside, so that a page can be sent as one file.

A package's templates lie beside its modules and extend `base_page.html`; `parts.html` has macros for notes, tables and
pictures. Values are escaped, and one that is missing is an error.
"""

import base64
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from overtone_cloud.errors import CloudError


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture as a page holds it: a data URI, and the caption that readers without images get."""

    uri: str
    caption: str


def render(package: str, template: str, **values: Any) -> str:
    """Return a template of `package`, filled with `values`."""
    return environment(package).get_template(template).render(values)


@lru_cache
def environment(package: str) -> Environment:
    """Return the environment of a package's templates and of the shared ones."""
    loaders = [PackageLoader(name, package_path="") for name in (package, __package__)]
    return Environment(
        loader=ChoiceLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def picture(path: Path, caption: str) -> Picture:
    """Return a PNG file for a page; raise CloudError where it cannot be read."""
    try:
        data = base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise CloudError(f"{path}: picture of the report cannot be read: {error.strerror or error}") from error
    return Picture(uri=f"data:image/png;base64,{data}", caption=caption)
