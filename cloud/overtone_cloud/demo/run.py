"""The demonstration: train a base, put it on four devices, three rounds of federation, listen, measure.

Every device is a process of its own with its own certificate; nothing here reaches into them.
"""

import json
import platform
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from overtone_cloud.broker.configuration import BrokerSettings, configure
from overtone_cloud.broker.mosquitto import Mosquitto
from overtone_cloud.bundles.sources import calibration_utterances, golden, load_bundle
from overtone_cloud.corpora.registry import read_corpus
from overtone_cloud.corpora.splits import hold_out
from overtone_cloud.corpora.utterance import Utterance
from overtone_cloud.demo import fleet, pretrained_listening
from overtone_cloud.demo.listening import listen, make_recording
from overtone_cloud.demo.speakers import (
    SpeakerRoles,
    assign_speakers,
    split_owner_utterances,
    utterances_of,
    write_manifest,
)
from overtone_cloud.synthesis import write_corpus
from overtone_cloud.training.experiment import Plan, read_features, with_lineage
from overtone_cloud.training.features import Features
from overtone_cloud.training.metrics import Scores, scores
from overtone_cloud.training.plots import plot_confusion, plot_curves
from overtone_cloud.training.run_folder import RunFolder, progress_lines
from overtone_cloud.training.settings import TrainSettings
from overtone_models.bundle import Bundle
from overtone_models.labels import ordered
from overtone_models.trained_model import TrainedModel

SYNTHETIC = {"speakers": 16, "emotions": ("neutral", "happy", "sad", "angry", "fearful"), "per_emotion": 10}
EVENT_KEYS = ("stream_s", "label", "confidence", "final", "spoken")
VERSION_PACKAGES = ("tensorflow", "ai-edge-litert", "numpy", "paho-mqtt", "tuf")

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class DemoSettings:
    """Settings of the demonstration."""

    out: Path
    agent: Path
    data: Path | None = None
    seed: int = 0
    size: str = "S"
    epochs: int = 80
    rounds: fleet.Rounds = field(
        default_factory=lambda: fleet.Rounds(
            number=3, scope="full", steps=30, learning_rate=0.003, momentum=0.9, seed=0
        )
    )

    def quick(self) -> "DemoSettings":
        """Return these settings with every stage, but few epochs and one round."""
        return replace(self, epochs=8, rounds=replace(self.rounds, number=1))


class Demo:
    """One demonstration; `run()` returns its report."""

    def __init__(self, settings: DemoSettings, say: Say) -> None:
        self.settings, self.say = settings, say
        self.out = settings.out
        self.logs = self.out / "logs"
        self._began = time.monotonic()
        self.report: dict[str, Any] = {"seed": settings.seed}

    def run(self) -> dict[str, Any]:
        """Run every stage; whatever was started is ended, also when a stage fails."""
        with ExitStack() as cleanup:
            self._empty()
            corpus = self._corpus()
            self._listen_pretrained(corpus)
            roles, model, features = self._train(corpus)
            keys, first = self._bundle(model, features)
            owners = self._owners(roles, features.utterances)
            broker = self._broker(cleanup, sorted(owners))
            self._prepare_agents(owners, broker.port, keys, first)
            last = self._federate(cleanup, owners, broker.port, keys, first, roles, features)
            self._compare(first, last, features, roles, keys)
            self._personalise(owners)
            self._listen(next(iter(owners)), owners, keys)
            self._latency(last)
        self._versions()
        return self.report

    @contextmanager
    def _stage(self, text: str) -> Iterator[None]:
        began = time.monotonic()
        self.say(f"==> {text}")
        yield
        self.say(f"    {time.monotonic() - began:.1f} s")

    def _empty(self) -> None:
        """Create an empty output folder; an existing one is emptied only if an earlier demonstration wrote it."""
        marker = self.out / ".overtone-demo"
        if self.out.exists() and any(self.out.iterdir()) and not marker.exists():
            raise fleet.DemoError(f"{self.out} is not empty and was not made by the demo; choose another --out")
        shutil.rmtree(self.out, ignore_errors=True)
        self.logs.mkdir(parents=True)
        marker.touch()

    def _corpus(self) -> Path:
        if self.settings.data is not None:
            self.report["data"] = str(self.settings.data)
            self.say(f"Real speech: {self.settings.data}")
            return self.settings.data
        self.report["data"] = "synthesised voices (no recordings): the figures do not apply to human speech"
        self.say("No DATA given: the demo uses synthesised voices.")
        with self._stage(f"synthesising {SYNTHETIC['speakers']} voices"):
            return write_corpus(self.out / "corpus", seed=self.settings.seed, **SYNTHETIC)  # type: ignore[arg-type]

    def _listen_pretrained(self, corpus: Path) -> None:
        """Run an agent without an installed bundle, which uses the pretrained model as for a new user."""
        self.report["pretrained"] = None
        if (model := pretrained_listening.default_model()) is None:
            self.say("No pretrained model is installed: the demo begins with the training.")
            return
        files, bundle = model
        reading = read_corpus(corpus)
        caveat_line = pretrained_listening.caveat(bundle, reading.corpus, synthetic=self.settings.data is None)
        with self._stage(f"before any training: the pretrained model {files.name} listens"):
            self.say(f"    {caveat_line}")
            agent_events = pretrained_listening.listen_to_corpus(
                self.out / "pretrained",
                self.settings.agent,
                self.logs / "pretrained.log",
                reading,
                bundle.manifest.labels,
                self.say,
            )
        events = [{name: event[name] for name in EVENT_KEYS} for event in agent_events]
        self.report["pretrained"] = pretrained_listening.facts(files, bundle, events, caveat_line)

    def _train(self, corpus: Path) -> tuple[SpeakerRoles, TrainedModel, Features]:
        from overtone_cloud.training.trainer import fit

        reading = read_corpus(corpus)
        roles = assign_speakers(reading)
        utterances = utterances_of(reading.labelled, (*roles.base, *roles.gate))
        split = hold_out(reading.utterances, [*roles.devices, *roles.gate, *roles.test])
        settings = TrainSettings(
            size=self.settings.size,
            epochs=self.settings.epochs,
            evaluate_every_epochs=4,
            warmup_steps=40,
            seed=self.settings.seed,
        )
        plan = Plan(corpus=corpus, corpus_name=reading.corpus, fold=None, split=split)
        with self._stage(f"features of {len(reading.labelled)} recordings"):
            reading, features = read_features(plan, cache=self.out / "cache")
        run = RunFolder(self.out / "run")
        run.path.mkdir()
        with self._stage(f"training the base network on {len(roles.base)} speakers"):
            outer = features.where(plan.run_fold.train)
            labels = ordered({str(u.label) for u in outer.utterances})
            lines = progress_lines(lambda line: self.say(f"    {line}"), settings.epochs, 6)
            network, history = fit(outer, labels, settings, run, report=lines)
            model = with_lineage(network, reading, plan, settings)
        run.save_model(model)
        plot_curves(history, self.out / "curves.png")
        self.report |= {"split": roles.describe(), "labels": list(labels), "parameters": model.network.layout.size}
        self.report["evaluation_corpus"] = str(write_manifest(self.out / "aggregator" / "corpus.csv", utterances))
        self._calibration = calibration_utterances(outer, cache=self.out / "cache")
        return roles, model, features

    def _bundle(self, model: TrainedModel, features: Features) -> tuple[Path, Path]:
        from overtone_converters.build import build_bundle
        from overtone_converters.signing import make_keys, sign_bundle
        from overtone_models.networks import native_stderr_silenced

        keys = self.out / "keys"
        path = self.out / "overtone-1.bundle"
        with self._stage("conversion to int8 and training graph, signing"), native_stderr_silenced():
            make_keys(keys)
            data = build_bundle(model, self._calibration, golden(), name="overtone", version=1)
            path.write_bytes(sign_bundle(data, name="overtone", version=1, keys=keys))
        bundle = load_bundle(path, keys / "root.json")
        self.report["model_bytes"] = len(bundle.streaming_model)
        self.say(
            f"    int8 listening model {len(bundle.streaming_model)} bytes, signed bundle {path.stat().st_size} bytes"
        )
        return keys, path

    def _owners(self, roles: SpeakerRoles, utterances: Sequence[Utterance]) -> dict[str, str]:
        """Return the speaker of each device; write its labelled recordings and those that measure its gain."""
        owners = {}
        for number, speaker in enumerate(roles.devices, 1):
            device = f"device-{number}"
            utterances_of_owner = utterances_of(utterances, [speaker])
            labelled, held_out = split_owner_utterances(utterances_of_owner, self.settings.seed)
            write_manifest(self.out / device / "labelled.csv", labelled)
            write_manifest(self.out / device / "kept.csv", held_out)
            owners[device] = speaker
        return owners

    def _broker(self, cleanup: ExitStack, devices: Sequence[str]) -> Mosquitto:
        with self._stage("Mosquitto with TLS and a certificate for each device"):
            configure(self.out / "broker", BrokerSettings(host="127.0.0.1", fleet=fleet.FLEET), devices)
            return cleanup.enter_context(Mosquitto(self.out / "broker"))

    def _prepare_agents(self, owners: dict[str, str], port: int, keys: Path, bundle: Path) -> None:
        with self._stage("four devices install the bundle and hear their owners' labelled recordings"):
            for device, speaker in owners.items():
                config = fleet.agent_config(
                    self.out, device, port=port, root=keys / "root.json", seed=self.settings.seed
                )
                log = self.logs / f"{device}.log"
                self._agent(device, log, "install", bundle, "--config", config)
                manifest = self.out / device / "labelled.csv"
                output = self._agent(device, log, "label", "--manifest", manifest, "--config", config)
                self.say(f"    {device} (speaker {speaker}): {output.strip().splitlines()[-1]}")

    def _agent(self, device: str, log: Path, *arguments: str | Path) -> str:
        return fleet.call(device, [self.settings.agent, *arguments], log)

    def _federate(
        self,
        cleanup: ExitStack,
        owners: dict[str, str],
        port: int,
        keys: Path,
        bundle: Path,
        roles: SpeakerRoles,
        features: Features,
    ) -> Path:
        rounds = self.settings.rounds
        config = fleet.aggregator_config(
            self.out,
            port=port,
            bundle=bundle,
            keys=keys,
            corpus=Path(self.report["evaluation_corpus"]),
            gate=roles.gate,
            devices=len(owners),
            rounds=rounds,
        )
        program = fleet.aggregator_program()
        with (
            self._stage(f"{rounds.number} rounds of federation, {rounds.scope} scope, over MQTT"),
            ExitStack() as running,
        ):
            run: fleet.Command = [program, "run", "--config", config, "--rounds", str(rounds.number)]
            aggregator = running.enter_context(fleet.ChildProcess("aggregator", run, self.logs / "aggregator.log"))
            agents = {}
            for device in owners:
                command: fleet.Command = [self.settings.agent, "run", "--config", self.out / device / "agent.toml"]
                agents[device] = running.enter_context(fleet.ChildProcess(device, command, self.logs / f"{device}.log"))
            fleet.watch_rounds(self.out / "aggregator" / "aggregator.sqlite", aggregator, agents.values(), self.say)
            peaks = {device: _rounded(agent.peak_mb()) for device, agent in agents.items()}
        self.report["rss_mb_per_device"] = peaks
        self.report["rss_mb"] = max((peak for peak in peaks.values() if peak is not None), default=None)
        status = json.loads(
            fleet.call("aggregator", [program, "status", "--config", config, "--json"], self.logs / "aggregator.log")
        )
        self.report["rounds"] = status["rounds"]
        self.report["bytes_up"] = sum(r["bytes_up"] for r in status["rounds"])
        self.report["bytes_down"] = sum(r["bytes_down"] for r in status["rounds"])
        self.report["devices"] = {d["id"]: d["bundle_version"] for d in status["devices"]}
        newest = max(status["releases"], key=lambda r: int(r["version"]))
        return Path(newest["path"])

    def _compare(self, first: Path, last: Path, features: Features, roles: SpeakerRoles, keys: Path) -> None:
        """Score both bundles on the device's runtime (int8, streaming) with speakers of no training."""
        with self._stage("both bundles on the unseen speakers, through the device's runtime"):
            unseen = features.where([u.id for u in utterances_of(features.utterances, roles.test)])
            before = self._score(load_bundle(first, keys / "root.json"), unseen)
            bundle = load_bundle(last)
            after = self._score(bundle, unseen)
        self.report |= {
            "uar_before": round(before.uar, 4),
            "uar_after": round(after.uar, 4),
            "utterances_tested": int(after.confusion.sum()),
            "bundle_version": bundle.manifest.version,
        }
        title = f"after {self.settings.rounds.number} rounds, unseen speakers: UAR {100 * after.uar:.1f} %"
        plot_confusion(after.confusion, after.labels, title, self.out / "confusion.png")

    @staticmethod
    def _score(bundle: Bundle, unseen: Features) -> Scores:
        from overtone_converters.verify import streaming_probabilities

        labels = bundle.manifest.labels
        probabilities = streaming_probabilities(bundle, [unseen.mfcc(i) for i in range(len(unseen))])
        speakers = [str(u.speaker) for u in unseen.utterances]
        return scores(probabilities, unseen.targets(labels), labels, speakers, bundle.manifest.calibration.threshold)

    def _personalise(self, owners: dict[str, str]) -> None:
        personal = {}
        with self._stage("each device trains a personal head and is measured on recordings outside its training"):
            for device, speaker in owners.items():
                log, config = self.logs / f"{device}.log", self.out / device / "agent.toml"
                head_report = json.loads(self._agent(device, log, "personalise", "--json", "--config", config))
                held_out = self.out / device / "kept.csv"
                scores_of_owner = json.loads(
                    self._agent(device, log, "evaluate", "--manifest", held_out, "--json", "--config", config)
                )
                uar_personal = (
                    scores_of_owner["uar"]
                    if scores_of_owner["uar_personal"] is None
                    else scores_of_owner["uar_personal"]
                )
                personal[device] = {
                    "speaker": speaker,
                    "recordings": scores_of_owner["recordings"],
                    "uar": round(scores_of_owner["uar"], 4),
                    "uar_personal": round(uar_personal, 4),
                    "gain": round(uar_personal - scores_of_owner["uar"], 4),
                    "kept": head_report["kept"],
                }
                self.say(f"    {device}: UAR {100 * scores_of_owner['uar']:.1f} -> {100 * uar_personal:.1f} %")
        self.report["personal"] = personal

    def _listen(self, device: str, owners: dict[str, str], keys: Path) -> None:
        """Let one device listen to its owner's recordings in real time and report its events."""
        recording, spoken_labels = make_recording(self.out / device)
        config = fleet.listening_config(self.out, device, recording=recording, root=keys / "root.json")
        labels = ", ".join(label for _, label in spoken_labels)
        with self._stage(f"{device} listens to speaker {owners[device]}: {labels}"):
            command: fleet.Command = [self.settings.agent, "run", "--config", config]
            agent_events = listen(
                fleet.ChildProcess(device, command, self.logs / f"{device}-listening.log"), spoken_labels, self.say
            )
        self.report["heard"] = [{name: e[name] for name in EVENT_KEYS} for e in agent_events]

    def _latency(self, bundle: Path) -> None:
        bench = self.settings.agent.parent / "overtone-bench"
        with self._stage("latency of a hop on this machine"):
            command: fleet.Command = [bench, "--bundle", bundle, "--seconds", "20", "--json", "--no-training", "--fast"]
            bench_report = json.loads(fleet.call("overtone-bench", command, self.logs / "bench.log"))
        self.report["hop_ms"] = {name: bench_report["fast"]["hop_ms"][name] for name in ("p50", "p95", "p99", "max")}
        self.report["bench"] = bench_report

    def _versions(self) -> None:
        names = {name: version(name) for name in VERSION_PACKAGES}
        self.report["versions"] = {"python": platform.python_version(), "overtone": version("overtone"), **names}
        self.report["seconds"] = round(time.monotonic() - self._began, 1)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
