"""The ring of recent speech: bounded, cut at utterances, without audio unless asked for."""

import numpy as np

from overtone_edge.hearing.recent_speech import RecentSpeech
from overtone_models.front_end import FrontEndSpec

SPEC = FrontEndSpec()


def fill(recent: RecentSpeech, hops: int, value: float) -> None:
    recent.begin()
    for _ in range(hops):
        recent.add_samples(np.full(1600, value, np.float32))
        recent.add(np.full((10, 40), value, np.float32))


def test_the_last_seconds_come_back_one_piece_an_utterance() -> None:
    recent = RecentSpeech(SPEC, max_s=30.0)
    fill(recent, 20, 1.0)
    fill(recent, 15, 2.0)
    pieces = recent.last(2.5)
    assert [(len(piece.frames), piece.frames[0, 0]) for piece in pieces] == [(100, 1.0), (150, 2.0)]
    assert all(piece.samples is None for piece in pieces)


def test_pieces_too_short_to_say_anything_are_left_out() -> None:
    recent = RecentSpeech(SPEC, max_s=30.0)
    fill(recent, 20, 1.0)
    fill(recent, 15, 2.0)
    assert [len(piece.frames) for piece in recent.last(1.6)] == [150]


def test_the_ring_is_bounded_with_its_audio() -> None:
    recent = RecentSpeech(SPEC, max_s=3.0, keep_audio=True)
    for number in range(10):
        fill(recent, 8, float(number))
    pieces = recent.last(600.0)
    assert sum(len(piece.frames) for piece in pieces) <= 300
    for piece in pieces:
        assert piece.samples is not None and piece.samples.size == len(piece.frames) * 160
        assert set(piece.samples) == set(piece.frames[:, 0])
    assert sum(part.size for u in recent._utterances for part in u.samples) <= 3.2 * 16_000


def test_one_endless_utterance_is_bounded_too() -> None:
    recent = RecentSpeech(SPEC, max_s=1.0)
    fill(recent, 500, 1.0)
    assert [len(piece.frames) for piece in recent.last(9.0)] == [100]
    recent.clear()
    assert recent.last(5.0) == []
