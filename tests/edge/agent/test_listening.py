"""Listening through a whole agent: labels, personal heads, new bundles."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
from tests.support.loopback import LoopbackBroker

from overtone_converters.signing import sign_bundle
from overtone_edge.agent.cli import main
from overtone_models.bundle import read_bundle
from overtone_models.reference import ReferenceSpec
from overtone_protocol import (
    Topics,
)

TOPICS = Topics("test")
STAYING = '[source]\nkind = "file"\npath = "speech.wav"\npaced = false\nat_end = "stay"\n'


def events_of(broker: LoopbackBroker) -> list[dict]:
    """Return what the device has published of emotions so far."""
    return [json.loads(data) for topic, data in list(broker.published) if topic == TOPICS.emotion("device-a")]


def test_a_personal_head_is_used_survives_and_follows_a_new_base(labelled: Path, fleet, cloud, start) -> None:
    running = start(labelled)
    assert running.ask(command="personalise")["kept"]
    assert running.ask(command="status")["status"]["personal_in_use"]
    running.stop()
    again = start(labelled)
    assert again.ask(command="status")["status"]["personal_in_use"]
    cloud.release(fleet.signed(2), 2)
    cloud.wait(lambda: cloud.health)
    base = read_bundle(fleet.payload(2)).base

    def retrained() -> bool:
        personal = again.ask(command="status")["status"]["personal"]
        return personal is None or personal["base"] == base

    cloud.wait(retrained)
    again.ask(command="erase")
    state = again.ask(command="status")["status"]
    assert (state["personal"], state["personal_in_use"], state["examples"]) == (None, False, 0)
    cloud.wait(lambda: cloud.presence("device-a").examples == 0)


def test_the_last_seconds_are_labelled_while_listening(make_config, fleet, broker, cloud, start, recording) -> None:
    path = make_config('[source]\nkind="file"\npath="speech.wav"\nat_end="stay"\n[decision]\nthreshold=0.0\n')
    main(["install", str(fleet.path(1)), "--config", str(path)])
    running = start(path)
    cloud.wait(lambda: sum(event["final"] for event in events_of(broker)) == 2)
    assert running.ask(command="label", label="happy", last_s=2)["stored"] == 1
    broker.publish(TOPICS.label("device-a"), b'{"label": "sadness", "last_s": 30}')
    cloud.wait(lambda: cloud.presence("device-a").examples + cloud.presence("device-a").held_out == 3)
    assert set(running.ask(command="status")["status"]["by_label"]) == {"happy", "sad"}
    assert not list((running.agent.home.folder / "store").glob("*.wav"))


def test_listening_goes_on_through_a_new_bundle(
    make_config, fleet, broker, cloud, start, tmp_path, voice, silence
) -> None:
    sound = np.concatenate([np.concatenate([voice(1.0, seed=n), silence(1.2)]) for n in range(8)])
    soundfile.write(tmp_path / "speech.wav", sound, 16_000)
    path = make_config('[source]\nkind="file"\npath="speech.wav"\n[decision]\nthreshold=0.0\n')
    main(["install", str(fleet.path(1)), "--config", str(path)])
    running = start(path)
    cloud.wait(lambda: events_of(broker))
    cloud.release(fleet.signed(2), 2)
    cloud.wait(lambda: any(event["bundle_version"] == 2 for event in events_of(broker)))
    assert running.stop() == 0
    events = events_of(broker)
    assert [event["bundle_version"] for event in events] == sorted(event["bundle_version"] for event in events)
    assert {event["bundle_version"] for event in events} == {1, 2}
    assert all(a["stream_s"] <= b["stream_s"] for a, b in itertools.pairwise(events))


def test_the_agent_ends_by_itself_where_its_recording_does(make_config, fleet, recording: Path, start) -> None:
    path = make_config(STAYING.replace('"stay"', '"stop"'))
    assert main(["install", str(fleet.path(1)), "--config", str(path)]) == 0
    assert start(path, connected=False).join() == 0


def test_without_a_network_listening_does_without_the_fleet(make_config, fleet, recording: Path, start) -> None:
    path = make_config(STAYING)
    assert main(["install", str(fleet.path(1)), "--config", str(path)]) == 0
    running = start(path, connected=False)
    status = running.ask(command="status")["status"]
    assert running.agent.participant is None
    assert status["bundle"]["version"] == 1 and status["connected"] is False
    assert status["counters"]["events_dropped"] == 0
    assert running.ask(command="install", path=str(fleet.path(2)))["ok"]
    assert running.ask(command="status")["status"]["bundle"]["version"] == 2
    assert not (running.agent.home.folder / "client-id").exists()


def test_what_was_heard_is_remembered_until_it_is_erased(make_config, fleet, cloud, start, recording) -> None:
    bundle = read_bundle(fleet.payload(1))
    mean = (0.0,) * bundle.manifest.network.embedding_size
    spec = ReferenceSpec(mean=mean, prior_utterances=2.0, memory_utterances=50, max_norm=100.0)
    relative = replace(bundle, manifest=replace(bundle.manifest, reference=spec)).to_bytes()
    signed = fleet.folder / "relative.signed"
    signed.write_bytes(sign_bundle(relative, name="tiny", version=1, keys=fleet.folder / "keys"))
    path = make_config('[source]\nkind="file"\npath="speech.wav"\nat_end="stay"\n[decision]\nthreshold=0.0\n')
    main(["install", str(signed), "--config", str(path)])
    running = start(path)

    def heard() -> int:
        return running.ask(command="status")["status"]["reference"]["utterances"]

    cloud.wait(lambda: heard() == 2)
    running.stop()
    running = start(path)
    cloud.wait(lambda: heard() == 4)
    assert running.ask(command="erase", reference_only=True)["ok"]
    running.stop()
    assert not list((running.agent.home.folder / "reference").iterdir())
