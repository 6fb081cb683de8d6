"""Listening with the model in use: source, listener, outputs and the ring of recent speech."""

import logging
from collections.abc import Callable, Iterable
from typing import Any

from overtone_edge.core.config import Config
from overtone_edge.hearing.example_forms import ExampleForm, example_form_for
from overtone_edge.hearing.hearing import Hearing
from overtone_edge.hearing.listener import Listener
from overtone_edge.hearing.outputs import EventPublisher, JsonLines, Output, Outputs, StandardOutput
from overtone_edge.hearing.recent_speech import RecentSpeech
from overtone_edge.hearing.recogniser import UtteranceRecogniser
from overtone_edge.hearing.sources import open_source
from overtone_models.bundle import Bundle
from overtone_models.front_end import F32

_log = logging.getLogger(__name__)


class Listening:
    """Opens the source with the first model and changes to later ones between two blocks.

    `publisher` sends events to the broker, where the device has one. `on_end` is called from the listening thread when
    the source ends, with the error's line or None.
    """

    def __init__(
        self, config: Config, *, publisher: EventPublisher | None, on_end: Callable[[str | None], None]
    ) -> None:
        self.recent = _recent_speech(config, example_form_for(None))
        self._config = config
        self._on_end = on_end
        self._publisher = publisher
        self._outputs = Outputs(_outputs(config, publisher))
        self._listener: Listener | None = None

    @property
    def open(self) -> bool:
        """Whether the source was opened."""
        return self._listener is not None

    def use(self, bundle: Bundle, recogniser: UtteranceRecogniser) -> None:
        """Listen with this recogniser from now on."""
        form = example_form_for(bundle.manifest)
        if self.recent.spec.digest != form.digest:
            self.recent = _recent_speech(self._config, form)
        if remark := bundle.manifest.network.remark:
            _log.info("the network %s %s", bundle.manifest.network.title, remark)
        config = self._config
        hearing = Hearing(
            recogniser, device=config.device.id, config=config.decision, recent=self.recent, gate=config.gate
        )
        if self._listener is not None:
            self._listener.change(hearing.take_over)
        elif (source := open_source(config.source)) is not None:
            self._listener = Listener(source, hearing, self._outputs, on_end=self._on_end)
            self._listener.start()

    def use_head(self, recogniser: UtteranceRecogniser, weights: F32 | None) -> None:
        """Listen with a personal head from now on, or with the bundle's own when None."""
        if self._listener is None:
            recogniser.set_head(weights)
        else:
            self._listener.change(lambda hearing: hearing.with_head(weights))

    def forget_reference(self) -> None:
        """Begin the reference anew."""
        if self._listener is not None:
            self._listener.change(lambda hearing: hearing.without_reference())

    def erase(self, action: Callable[[], None]) -> None:
        """Forget the recent speech, and call `action`, which erases files, while no event is written."""
        self.recent.clear()
        self._outputs.while_closed(action)

    def counters(self) -> dict[str, Any]:
        """Return the counters by name."""
        counters: dict[str, Any] = {"events_dropped": 0 if self._publisher is None else self._publisher.dropped}
        if self._listener is not None:
            counters |= self._listener.hearing.counters.to_json()
            counters |= {"overruns": self._listener.overruns, "output_failures": self._outputs.failures}
        return counters

    def close(self) -> None:
        """End the source and wait for the listening thread."""
        if self._listener is not None:
            self._listener.close()

    def close_outputs(self) -> None:
        """Close the outputs."""
        self._outputs.close()


def _recent_speech(config: Config, form: ExampleForm) -> RecentSpeech:
    learning = config.learning
    return RecentSpeech(form, max_s=learning.recent_speech_s, keep_audio=learning.keep_audio)


def _outputs(config: Config, publisher: EventPublisher | None) -> Iterable[Output]:
    output = config.output
    if output.jsonl is not None:
        yield JsonLines(output.jsonl, max_bytes=output.max_bytes, keep_files=output.keep_files)
    if output.stdout:
        yield StandardOutput()
    if output.mqtt and publisher is not None:
        yield publisher
