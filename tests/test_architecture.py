"""Structure of the whole product: command lines stay in their modules, imports are named in code, no circles."""

import ast
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grimp
import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = {
    path.name: path
    for path in sorted(REPOSITORY.glob("*/overtone_*"))
    if (path / "__init__.py").is_file() and path.parent.name != "tests"
}
COMMAND_LINES = ("cli", "__main__")
"""Names of modules and packages that parse arguments."""
IMPORTS_BY_STRING = {
    "overtone_edge.hearing.runtime": "takes whichever TFLite runtime is installed",
    "overtone_models.loops": "takes the compiled loops where they were built",
    "overtone_models.features.registry": "imports a feature's libraries only when that feature is computed",
    "overtone_models.networks.papers": "imports a published system's networks only when they are built",
    "overtone_converters.window_body": "TensorFlow's error type has no public name",
}
"""Modules that import by a name in a string, each with its reason."""


def modules() -> Iterator[tuple[str, Path]]:
    """Yield the dotted name and the file of every module of the product."""
    for package, folder in PACKAGES.items():
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            inner = parts[:-1] if parts[-1] == "__init__" else parts
            yield ".".join((package, *inner)), path


MODULES = dict(modules())


def names_used(path: Path) -> set[str]:
    """Return every name that a module's code mentions, imported, called or read."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.name for alias in node.names}
            names |= {node.module} if isinstance(node, ast.ImportFrom) and node.module else set()
    return names


def test_the_packages_are_found() -> None:
    assert {"overtone_protocol", "overtone_models", "overtone_converters", "overtone_edge"} <= set(PACKAGES)
    assert {"overtone_common", "overtone_cloud", "overtone_papers"} <= set(PACKAGES)
    assert len(MODULES) > 300


@pytest.mark.parametrize("package", PACKAGES)
def test_only_command_lines_know_argparse(package: str) -> None:
    inside = {name: path for name, path in MODULES.items() if name.split(".")[0] == package}
    others = {name: path for name, path in inside.items() if not set(name.split(".")) & set(COMMAND_LINES)}
    assert [name for name, path in others.items() if {"argparse", "Namespace"} & names_used(path)] == []


def test_nothing_is_imported_by_a_string() -> None:
    by_string = {name for name, path in MODULES.items() if {"import_module", "__import__"} & names_used(path)}
    assert by_string <= set(IMPORTS_BY_STRING)


def test_the_cloud_prints_only_in_commands() -> None:
    printing = [name for name, path in MODULES.items() if "print" in names_used(path)]
    assert [name for name in printing if name.startswith("overtone_cloud.") and ".cli." not in name] == []


def circle_through(imports: dict[str, set[str]], module: str, imported: str) -> tuple[str, ...] | None:
    """Return the shortest way from `imported` back to `module`, both named; None where there is none."""
    ways = {imported: (imported,)}
    queue = deque([imported])
    while queue:
        here = queue.popleft()
        if here == module:
            return ways[here]
        for following in sorted(imports[here] - set(ways)):
            ways[following] = (*ways[here], following)
            queue.append(following)
    return None


def test_no_module_imports_itself_through_others() -> None:
    """Imports inside functions and for type checkers count: a circle is two modules that are one thought."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    # A package may name what lies in it.
    inside = {
        (module, name) for module, names in imports.items() for name in names if f"{name}.".startswith(f"{module}.")
    }
    imports = {module: {name for name in names if (module, name) not in inside} for module, names in imports.items()}
    circles = set()
    for module, names in imports.items():
        for imported in names:
            if way := circle_through(imports, module, imported):
                start = way.index(min(way))
                circles.add((*way[start:], *way[:start]))
    assert {" > ".join(circle) for circle in circles} == set()


@dataclass(frozen=True)
class Hop:
    """One row of a trip in docs/architecture.md."""

    path: Path
    symbol: str
    reached: str

    @property
    def called(self) -> str:
        """The name by which others call it."""
        return self.symbol.rpartition(".")[2]


def trips() -> dict[str, list[Hop]]:
    """Return the rows of the tables under "Three trips", by their headings."""
    text = (REPOSITORY / "docs" / "architecture.md").read_text("utf-8")
    chapter = text.partition("## Three trips")[2].partition("\n## ")[0]
    row = re.compile(r"^\| \d+ \| `([^`]+)` \| `([^`]+)` \| .* \| (.*?) ?\|$", re.MULTILINE)
    return {
        part.partition("\n")[0]: [Hop(REPOSITORY / path, symbol, how) for path, symbol, how in row.findall(part)]
        for part in chapter.split("### ")[1:]
    }


def defines(path: Path, symbol: str) -> bool:
    """Return whether a module defines a function, a class or a class' method."""
    body: list[ast.stmt] = ast.parse(path.read_text("utf-8")).body
    for name in symbol.split("."):
        matches = [n for n in body if isinstance(n, ast.FunctionDef | ast.ClassDef) and n.name == name]
        if not matches:
            return False
        body = matches[0].body
    return True


@pytest.mark.parametrize("title", trips())
def test_each_hop_of_a_trip_is_there_and_reached_as_the_page_says(title: str) -> None:
    hops = trips()[title]
    assert len(hops) >= 10
    for hop in hops:
        assert defines(hop.path, hop.symbol), hop
        if match := re.fullmatch(r"called by (\d+)", hop.reached):
            assert hop.called in names_used(hops[int(match[1]) - 1].path), hop
        elif match := re.fullmatch(r"iterates (\d+)", hop.reached):
            assert hops[int(match[1]) - 1].called in names_used(hop.path), hop
        elif match := re.fullmatch(r"process of (\d+)", hop.reached):
            module = ".".join(hop.path.relative_to(REPOSITORY).with_suffix("").parts[1:])
            assert f'"{module}"' in hops[int(match[1]) - 1].path.read_text("utf-8"), hop
        else:
            assert hop.reached in ("", "MQTT", "loop", "callback"), hop
