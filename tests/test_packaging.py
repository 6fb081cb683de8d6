"""The wheel holds our packages whole and nothing else, and says what it needs."""

import configparser
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = {
    "overtone_common": "common",
    "overtone_protocol": "protocol",
    "overtone_models": "models",
    "overtone_converters": "converters",
    "overtone_edge": "edge",
    "overtone_cloud": "cloud",
    "overtone_papers": "cloud",
}
PRETRAINED = "overtone_models/pretrained_bundles"
COMPILED = "overtone_models/loops/compiled.abi3.so"
LIGHT = {"numpy", "cbor2"}
CLOUD_ONLY = {"tensorflow", "librosa", "sqlalchemy", "matplotlib", "scipy", "pyroomacoustics"}


def pretrained_files() -> set[str]:
    """Return the files of the pretrained models, by their paths in their folder."""
    folder = REPOSITORY / "models" / "pretrained"
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def build(copy: Path, **environment: str) -> Path:
    """Build the wheel from a copy, so that nothing is left in the repository and nothing old gets in."""
    for name in ("setup.cfg", "setup.py", "pyproject.toml", "LICENSE", "README.md"):
        if (REPOSITORY / name).exists():
            shutil.copy(REPOSITORY / name, copy)
    for folder in (*dict.fromkeys(PACKAGES.values()), "tests", "firmware_tests", "benchmarks"):
        if (REPOSITORY / folder).exists():
            shutil.copytree(REPOSITORY / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    out = copy / "dist"
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(copy)]
    variables = {**os.environ, **environment}
    built = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = out.glob("*.whl")
    return path


def files_in(wheel: Path) -> set[str]:
    """Return what a wheel installs."""
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def read(wheel: Path) -> Callable[[str], str]:
    """Return a reader of the files in the wheel's dist-info folder."""

    def reader(name: str) -> str:
        with zipfile.ZipFile(wheel) as archive:
            (path,) = [n for n in archive.namelist() if n.endswith(f".dist-info/{name}")]
            return archive.read(path).decode()

    return reader


@pytest.fixture(scope="module")
def metadata(read: Callable[[str], str]) -> Message:
    return Parser().parsestr(read("METADATA"))


def requirements(metadata: Message, extra: str | None) -> set[str]:
    """Return the names that an extra (None: the bare package) needs."""
    from packaging.requirements import Requirement

    wanted = [Requirement(line) for line in metadata.get_all("Requires-Dist") or []]
    return {
        item.name.lower()
        for item in wanted
        if (item.marker is None if extra is None else item.marker and item.marker.evaluate({"extra": extra}))
    }


def test_the_wheel_is_for_any_python_on_machines_like_this_one(wheel: Path):
    assert wheel.name.endswith(f"-cp311-abi3-linux_{platform.machine()}.whl")


def test_the_wheel_holds_every_file_of_our_packages_and_nothing_else(wheel: Path):
    inside = files_in(wheel)
    expected = {
        path.relative_to(REPOSITORY / folder).as_posix()
        for package, folder in PACKAGES.items()
        for path in (REPOSITORY / folder / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".so"
    }
    expected |= {COMPILED} | {f"{PRETRAINED}/{name}" for name in pretrained_files()}
    assert sorted(inside - expected) == []
    assert sorted(expected - inside) == []
    assert {name.split("/")[0] for name in inside} == set(PACKAGES)


def test_without_a_c_compiler_the_rest_is_installed_and_computes_with_numpy(wheel: Path, tmp_path: Path):
    source, site = tmp_path / "source", tmp_path / "site-packages"
    source.mkdir()
    without = build(source, CC=str(tmp_path / "no-such-compiler"))
    assert files_in(wheel) - files_in(without) == {COMPILED}
    with zipfile.ZipFile(without) as archive:
        archive.extractall(site)
    code = "from overtone_models import loops; print(loops.KIND, loops.__file__)"
    environment = {"PYTHONPATH": str(site), "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    kind, file = done.stdout.split()
    assert kind == "numpy"
    assert Path(file).is_relative_to(site)


def test_pretrained_models_are_found_in_an_installed_wheel(wheel: Path, tmp_path: Path):
    """Also one that is not in the repository yet: whatever lies in the folder travels."""
    site = tmp_path / "site-packages"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    assert (site / PRETRAINED / "README.md").is_file()
    (site / "pretrained" / "foreign").mkdir(parents=True)
    (site / "pretrained" / "foreign" / "foreign.bundle").write_bytes(b"of somebody else")
    (site / PRETRAINED / "tiny").mkdir()
    (site / PRETRAINED / "tiny" / "tiny.bundle").write_bytes(b"")
    code = "from overtone_models.pretrained import all_pretrained; print(*[one.bundle for one in all_pretrained()])"
    environment = {"PYTHONPATH": str(site), "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    found = {Path(path).relative_to(site / PRETRAINED).as_posix() for path in done.stdout.split()}
    assert found == {name for name in pretrained_files() if name.endswith(".bundle")} | {"tiny/tiny.bundle"}


def test_a_program_of_ones_own_needs_the_wheel_and_the_edge_extra(wheel: Path, tmp_path: Path):
    """The public interface, in the device's environment: neither TensorFlow nor this checkout is there."""
    site = tmp_path / "site-packages"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    code = (
        "import overtone_edge\n"
        "recogniser = overtone_edge.Recogniser('small')\n"
        "clip = recogniser.bundle.golden_samples\n"
        "events = [e for start in range(0, clip.size, 1024) for e in recogniser.process(clip[start:start + 1024])]\n"
        "events += recogniser.flush()\n"
        "print(overtone_edge.__file__, len(recogniser.labels), events[-1].final)"
    )
    python = REPOSITORY / ".venv-edge" / "bin" / "python"
    environment = {"PYTHONPATH": str(site), "PATH": ""}
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    file, labels, final = done.stdout.split()
    assert Path(file).is_relative_to(site)
    assert (labels, final) == ("6", "True")


def test_every_package_is_typed(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        assert {f"{package}/py.typed" for package in PACKAGES} <= set(archive.namelist())


def test_every_page_template_is_installed(wheel: Path) -> None:
    cloud = REPOSITORY / "cloud"
    templates = {path.relative_to(cloud).as_posix() for path in cloud.glob("overtone_*/**/*.html")}
    assert "overtone_cloud/reports/base_page.html" in templates
    assert templates <= files_in(wheel)


def test_the_commands(read: Callable[[str], str]):
    scripts = configparser.ConfigParser()
    scripts.read_string(read("entry_points.txt"))
    assert set(scripts["console_scripts"]) == {
        "overtone",
        "overtone-agent",
        "overtone-aggregator",
        "overtone-bench",
    }
    for target in scripts["console_scripts"].values():
        module, function = target.split(":")
        source = REPOSITORY / PACKAGES[module.split(".")[0]] / (module.replace(".", "/") + ".py")
        assert f"def {function}(" in source.read_text(encoding="utf-8")


def test_the_extras_bring_what_their_side_needs(metadata: Message):
    extras = {"edge", "mic", "cloud", "papers", "scale", "micro", "onnx", "opensmile", "dev"}
    assert set(metadata.get_all("Provides-Extra") or []) == extras
    assert requirements(metadata, None) == LIGHT
    edge, cloud, dev = (requirements(metadata, extra) for extra in ("edge", "cloud", "dev"))
    assert not edge & CLOUD_ONLY
    assert {"ai-edge-litert", "paho-mqtt", "tuf"} <= edge
    assert edge | CLOUD_ONLY <= cloud < dev
    assert requirements(metadata, "mic") >= {"pyaudio"}
    assert "tflite-micro" in requirements(metadata, "micro") & dev
    assert {"tf2onnx", "onnx", "onnxruntime"} <= requirements(metadata, "onnx") & dev


def test_the_licence_and_the_versions(metadata: Message, read: Callable[[str], str]):
    assert metadata["Name"] == "overtone"
    assert "Apache-2.0" in (metadata["License-Expression"] or metadata["License"])
    assert metadata["Requires-Python"] == "<3.14,>=3.11"
    assert "Apache License" in read("licenses/LICENSE")


@pytest.mark.parametrize("lock", sorted(path.name for path in (REPOSITORY / "requirements").glob("*.txt")))
def test_locks_hold_versions_and_hashes_and_no_addresses(lock: str):
    lines = (REPOSITORY / "requirements" / lock).read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    pinned = [line for line in lines if line and not line.startswith("#")]
    assert pinned
    for line in pinned:
        assert "==" in line and "--hash=sha256:" in line and "://" not in line, line
