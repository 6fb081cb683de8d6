"""The examples in the public API's docstrings run as they are printed."""

import doctest
from importlib import import_module

import pytest

MODULES = ["overtone_models.front_end"]
"""Modules of the public API whose docstrings hold examples."""


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    results = doctest.testmod(import_module(name))
    assert results.attempted and not results.failed
