"""What README and the guides tell to type, the example configurations and the systemd units fit each other."""

import os
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from overtone_cloud.aggregator.config import load_config as load_aggregator
from overtone_cloud.broker.configuration import BrokerSettings, configure
from overtone_cloud.cli import aggregator as aggregator_cli
from overtone_cloud.cli import main as overtone_cli
from overtone_edge.agent import cli as agent_cli
from overtone_edge.bench import cli as bench
from overtone_edge.core.config import load_config as load_agent

REPOSITORY = Path(__file__).resolve().parents[1]
GUIDES = (REPOSITORY / "README.md", *sorted((REPOSITORY / "docs" / "guides").glob("*.md")))
TEXT = "\n".join(path.read_text("utf-8") for path in GUIDES)
"""The user's page and the guides: every command in them must work as written."""
AGENT = REPOSITORY / "edge" / "config.example.toml"
AGGREGATOR = REPOSITORY / "cloud" / "config.aggregator.example.toml"
AGENT_UNIT = REPOSITORY / "edge" / "systemd" / "overtone-agent.service"
CLOUD_UNITS = sorted((REPOSITORY / "cloud" / "systemd").glob("*.service"))


def typed(program: str) -> list[list[str]]:
    """Return the arguments of every command that starts `program` in the blocks of the pages, also through sudo."""
    blocks = "".join(re.findall(r"^```\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE))
    lines = blocks.replace("\\\n", " ").splitlines()
    commands = [re.sub(r"^sudo (-u \w+ )?", "", part.strip()) for line in lines for part in line.split("&&")]
    wanted = [command for command in commands if Path(command.split(" ")[0]).name == program]
    return [shlex.split(command, comments=True)[1:] for command in dict.fromkeys(wanted)]


def edited(tmp_path: Path, *, target: str) -> Path:
    """Return `tmp_path/agent.toml`: the example after those `sed` of the guides that change `target`."""
    path = tmp_path / "agent.toml"
    shutil.copy(AGENT, path)
    for command in typed("sed"):
        if command[-1] == target:
            subprocess.run(["sed", *command[:-1], str(path)], check=True)
    return path


def unit(path: Path) -> dict[str, str]:
    """Return a unit's settings, whatever their sections."""
    return dict(line.split("=", 1) for line in path.read_text("utf-8").splitlines() if re.match(r"\w+=", line))


@pytest.mark.parametrize(
    ("program", "parser"),
    [
        ("overtone", overtone_cli.build_parser),
        ("overtone-aggregator", aggregator_cli.build_parser),
        ("overtone-agent", agent_cli.build_parser),
        ("overtone-bench", bench.build_parser),
    ],
)
def test_every_command_of_readme_and_guides_can_be_parsed(program: str, parser) -> None:
    commands = typed(program)
    assert commands
    for command in commands:
        parser().parse_args(command)


def test_every_device_of_the_guides_gets_a_certificate() -> None:
    """A second `--device` would replace the first."""
    (command,) = [command for command in typed("overtone") if command[:2] == ["broker", "config"]]
    parsed = overtone_cli.build_parser().parse_args(command)
    assert parsed.device == ["kitchen", "hall"]
    assert tomllib.loads(AGENT.read_text("utf-8"))["device"]["id"] in parsed.device
    assert f'# host = "{parsed.host}"' in AGENT.read_text("utf-8")
    assert parsed.fleet == load_aggregator(AGGREGATOR).aggregator.fleet


def test_the_agents_example_takes_bundles_after_the_line_of_readme(tmp_path: Path) -> None:
    (tmp_path / "root.json").write_text("{}")
    config = load_agent(edited(tmp_path, target="agent.toml"))
    assert config.trust.root_file == tmp_path / "root.json"


def test_the_agents_example_fits_the_files_that_the_broker_writes(tmp_path: Path) -> None:
    configure(tmp_path / "broker", BrokerSettings(host="broker.local", fleet="home"), ["kitchen"])
    for path in (tmp_path / "broker" / "clients" / "kitchen").iterdir():
        shutil.copy(path, tmp_path)
    (tmp_path / "root.json").write_text("{}")
    path = edited(tmp_path, target="agent.toml")
    section = re.compile(r"(?<=\n)# \[mqtt\].*?\n\n", re.DOTALL)
    path.write_text(section.sub(lambda found: found[0].replace("# ", "", 1).replace("\n# ", "\n"), path.read_text()))
    config = load_agent(path)
    assert config.mqtt is not None and config.mqtt.host == "broker.local"
    assert config.mqtt.key_file == tmp_path / "client.key"


def test_the_aggregators_example_has_the_names_of_readme(tmp_path: Path) -> None:
    config = load_aggregator(AGGREGATOR)
    commands = [overtone_cli.build_parser().parse_args(command) for command in typed("overtone")]
    (trained,) = [c for c in commands if getattr(c, "test_speakers", "") and c.command == "train"]
    converted = next(c for c in commands if c.command == "convert" and c.out)
    assert config.evaluation.corpus == AGGREGATOR.parent / trained.corpus
    assert list(config.evaluation.test_speakers) == trained.test_speakers.split(",")
    assert config.model.bundle == AGGREGATOR.parent / converted.out
    assert config.model.keys == AGGREGATOR.parent / converted.keys


def test_rounds_of_the_example_pause_and_call_nobody_who_would_decline() -> None:
    config = load_aggregator(AGGREGATOR)
    assert config.round.pause_s >= 600
    assert config.round.min_examples >= load_agent(AGENT).learning.min_examples


def test_the_agents_unit_finds_what_readme_sets_up(tmp_path: Path) -> None:
    settings = unit(AGENT_UNIT)
    program, *arguments = shlex.split(settings["ExecStart"])
    venv = Path(program).parents[1]
    assert f"python3 -m venv {venv} && {venv}/bin/pip install" in TEXT
    assert any(command[-1] == settings["User"] and "--system" in command for command in typed("useradd"))
    config = arguments[arguments.index("--config") + 1]
    assert f"install -D -m 644 agent.toml {config}" in TEXT
    assert f"sudo -u {settings['User']} {program} status --config {config}" in TEXT
    state = load_agent(edited(tmp_path, target=config)).device.state_dir
    assert state == Path("/var/lib") / settings["StateDirectory"]


def test_the_clouds_units_start_what_readme_starts() -> None:
    broker, aggregator = (
        unit(REPOSITORY / "cloud" / "systemd" / f"overtone-{name}.service")["ExecStart"]
        for name in ("broker", "aggregator")
    )
    assert f"\n{broker} " in TEXT
    assert f"\n{aggregator.removeprefix('%h/overtone/')}\n" in TEXT


@pytest.mark.parametrize("path", [AGENT_UNIT, *CLOUD_UNITS], ids=lambda path: path.name)
def test_systemd_understands_the_units(path: Path, tmp_path: Path) -> None:
    if (analyze := shutil.which("systemd-analyze")) is None:
        pytest.skip("no systemd-analyze here")
    copy = tmp_path / path.name
    copy.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", path.read_text("utf-8"), flags=re.MULTILINE))
    manager = "--system" if path == AGENT_UNIT else "--user"
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    command = [analyze, "verify", manager, "--man=no", str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
