"""The models need numpy alone; each other library is imported by one module."""

import sys

import grimp

ALLOWED = {"numpy", "overtone_common"}
EXCEPTIONS = {
    "tensorflow": {"overtone_models.networks"},
    "_webrtcvad": {"overtone_models.gate"},
    "safetensors": {"overtone_models.window_model"},
}
"""Libraries beside numpy, with the modules that import them."""


def test_the_models_import_numpy_alone() -> None:
    graph = grimp.build_graph("overtone_models", include_external_packages=True)
    outside = {name for name in graph.modules if not name.startswith("overtone_models")} - set(sys.stdlib_module_names)
    importers = {name: graph.find_modules_that_directly_import(name) for name in outside}
    assert {name: modules for name, modules in importers.items() if name not in ALLOWED} == EXCEPTIONS


def test_definitions_of_networks_stay_apart_from_what_devices_import() -> None:
    graph = grimp.build_graph("overtone_models")
    networks = graph.find_descendants("overtone_models.networks") | {"overtone_models.networks"}
    importers = {name for module in networks for name in graph.find_modules_that_directly_import(module)}
    assert importers <= networks
