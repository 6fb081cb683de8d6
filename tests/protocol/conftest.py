"""Where the vectors, the CDDL and the document are."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs"


@pytest.fixture(scope="session")
def examples() -> ModuleType:
    """The module tests/protocol/vectors.py."""
    spec = importlib.util.spec_from_file_location("protocol_vectors", HERE / "vectors.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def vectors() -> dict[str, Any]:
    """The content of vectors.json."""
    content: dict[str, Any] = json.loads((HERE / "vectors.json").read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="session")
def cddl() -> str:
    """The schema of the messages."""
    return (DOCS / "protocol.cddl").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def document() -> str:
    """The specification."""
    return (DOCS / "protocol.md").read_text(encoding="utf-8")
