"""The round's state machine: it always ends, counts a device once, and does not care about order."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overtone_cloud.aggregator.cohort import Candidate, ModelKey, eligible, select
from overtone_cloud.aggregator.rounds import (
    Close,
    DevicesPresent,
    Event,
    Fail,
    Open,
    Reply,
    RoundConfig,
    RoundState,
    Tick,
    UpdateAccepted,
    following,
    resume,
    step,
)

MODEL = ModelKey(base=b"b" * 32, layout=b"l" * 32, front_end=b"f" * 32)
OTHER = ModelKey(base=b"x" * 32, layout=b"l" * 32, front_end=b"f" * 32)
NAMES = [f"pi-{i}" for i in range(6)]
CONFIG = RoundConfig(
    min_devices=2, max_devices=6, quorum=6, deadline_s=100, reply_deadline_s=10, gather_s=5, pause_s=3, failed_pause_s=7
)


def candidates(count: int, model: ModelKey | None = MODEL, examples: int = 5) -> tuple[Candidate, ...]:
    return tuple(Candidate(device=name, model=model, examples=examples) for name in NAMES[:count])


def opened(count: int = 6, config: RoundConfig = CONFIG) -> RoundState:
    waiting = RoundState(number=1, config=config, model=MODEL, gathering_since_s=0.0)
    state, actions = step(waiting, DevicesPresent(candidates(count)), config.gather_s)
    assert actions == (Open(tuple(NAMES[:count])),)
    return state


def play(state: RoundState, events: list[Event], now: float) -> tuple[RoundState, list[object]]:
    done: list[object] = []
    for event in events:
        state, actions = step(state, event, now)
        done += actions
    return state, done


def test_waits_for_enough_devices_then_gathers_more() -> None:
    state = RoundState(number=1, config=CONFIG, model=MODEL)
    for devices, now, phase in ((1, 0, "waiting"), (3, 1, "waiting"), (3, 5.9, "waiting"), (4, 6, "collecting")):
        state, _ = step(state, DevicesPresent(candidates(devices)), now)
        assert state.phase == phase
    assert len(state.selected) == 4


def test_opens_at_once_when_the_cohort_is_full() -> None:
    state, actions = step(RoundState(number=1, config=CONFIG, model=MODEL), DevicesPresent(candidates(6)), 0.0)
    assert state.phase == "collecting" and actions == (Open(tuple(NAMES)),)


def test_gathering_starts_anew_when_devices_leave() -> None:
    state, _ = step(RoundState(number=1, config=CONFIG, model=MODEL), DevicesPresent(candidates(2)), 0.0)
    state, _ = step(state, DevicesPresent(candidates(1)), 4.0)
    state, _ = step(state, DevicesPresent(candidates(2)), 6.0)
    assert state.phase == "waiting" and state.gathering_since_s == 6.0


@pytest.mark.parametrize("pool", [candidates(6, OTHER), candidates(6, None), candidates(6, MODEL, 0)])
def test_devices_with_another_model_or_no_examples_are_not_called(pool: tuple[Candidate, ...]) -> None:
    state, actions = step(RoundState(number=1, config=CONFIG, model=MODEL), DevicesPresent(pool), 1e6)
    assert state.phase == "waiting" and not actions


def test_closes_on_quorum() -> None:
    config = RoundConfig(min_devices=2, max_devices=6, quorum=3, gather_s=0)
    state, done = play(opened(6, config), [UpdateAccepted(name) for name in NAMES[:4]], 1.0)
    assert done == [Close(tuple(NAMES[:3]))] and state.reason == "quorum"


def test_closes_when_everyone_has_answered() -> None:
    events: list[Event] = [UpdateAccepted("pi-0"), UpdateAccepted("pi-1"), Reply("pi-2", False)]
    state, done = play(opened(3), events, 6.0)
    assert done == [Close(("pi-0", "pi-1"))] and state.reason == "everyone answered"


def test_silent_devices_are_waited_for_until_the_reply_deadline_only() -> None:
    state, done = play(opened(4), [UpdateAccepted("pi-0"), UpdateAccepted("pi-1"), Tick()], 14.9)
    assert not done
    state, done = play(state, [Tick()], 15.0)
    assert done == [Close(("pi-0", "pi-1"))]


def test_joined_devices_are_waited_for_until_the_deadline() -> None:
    events: list[Event] = [UpdateAccepted("pi-0"), UpdateAccepted("pi-1"), Reply("pi-2", True)]
    state, done = play(opened(3), events, 6.0)
    state, more = play(state, [Tick()], 104.9)
    assert not done + more
    state, done = play(state, [Tick()], 105.0)
    assert done == [Close(("pi-0", "pi-1"))] and state.reason == "deadline"


def test_too_few_updates_fail_the_round() -> None:
    state, done = play(opened(3), [Reply(name, False) for name in NAMES[:3]], 6.0)
    assert done == [Fail("everyone answered: 0 updates, at least 2 are needed")] and state.phase == "failed"
    after = following(state, MODEL, CONFIG, 50.0)
    assert (after.number, after.phase, after.not_before_s) == (2, "waiting", 57.0)
    after, actions = step(after, DevicesPresent(candidates(6)), 56.9)
    assert not actions


def test_devices_that_were_not_called_count_for_nothing() -> None:
    state, done = play(opened(2), [UpdateAccepted("stranger"), Reply("stranger", True)], 6.0)
    assert state.updated == state.joined == frozenset() and not done


def test_after_a_restart_devices_get_a_whole_reply_deadline() -> None:
    state, done = play(resume(opened(3), 1000.0), [Tick()], 1009.9)
    assert not done
    _, done = play(state, [Tick()], 1010.0)
    assert isinstance(done[0], Fail)


def test_a_clock_that_was_set_back_does_not_keep_a_round_open() -> None:
    state = resume(opened(3), -500.0)
    state, _ = play(state, [Reply("pi-0", True)], -499.0)
    _, done = play(state, [Tick()], -400.0)
    assert len(done) == 1


def an_event() -> st.SearchStrategy[Event]:
    names = st.sampled_from([*NAMES, "stranger"])
    return st.one_of(
        st.builds(Reply, names, st.booleans()),
        st.builds(UpdateAccepted, names),
        st.just(Tick()),
        st.just(DevicesPresent(candidates(6))),
    )


@given(
    events=st.lists(st.tuples(an_event(), st.floats(0, 40)), max_size=40),
    quorum=st.integers(2, 6),
    cohort=st.integers(2, 6),
)
def test_always_ends_and_ends_once(events: list[tuple[Event, float]], quorum: int, cohort: int) -> None:
    config = RoundConfig(min_devices=2, max_devices=6, quorum=quorum, deadline_s=100, reply_deadline_s=10, gather_s=0)
    state, now, done = opened(cohort, config), 0.0, []
    for event, wait_s in [*events, (Tick(), 100.0)]:
        now += wait_s
        state, actions = step(state, event, now)
        done += actions
    assert state.ended and len(done) == 1
    if isinstance(done[0], Close):
        assert 2 <= len(done[0].devices) == len(set(done[0].devices)) <= quorum
        assert set(done[0].devices) <= set(state.selected)


@given(
    behaviour=st.lists(
        st.sampled_from([(), (True,), (False,), (True, "update"), ("update",), ("update", "update")]),
        min_size=6,
        max_size=6,
    ),
    seed=st.integers(0, 10_000),
)
def test_order_of_arrival_does_not_matter(behaviour: list[tuple[object, ...]], seed: int) -> None:
    events: list[Event] = [
        UpdateAccepted(name) if what == "update" else Reply(name, bool(what))
        for name, whats in zip(NAMES, behaviour, strict=True)
        for what in whats
    ]
    shuffled = random.Random(seed).sample(events, len(events))
    ends = []
    for order in (events, shuffled):
        state, done = play(opened(), order, 6.0)
        state, more = play(state, [Tick()], 200.0)
        ends.append((state.updated, state.phase, [type(action) for action in done + more]))
    assert ends[0] == ends[1]


def test_selection_is_fixed_by_the_seed_and_not_by_the_order() -> None:
    pool = [Candidate(device=name, model=MODEL, examples=1 + i) for i, name in enumerate(NAMES)]
    for policy in ("examples", "longest-waiting"):
        first = select(pool, count=3, policy=policy, seed=7, round_number=2)
        assert first == select(reversed(pool), count=3, policy=policy, seed=7, round_number=2)
        assert len(first) == 3
        assert len({select(pool, count=3, policy=policy, seed=7, round_number=n) for n in range(20)}) > 1


def test_longest_waiting_devices_come_first() -> None:
    pool = [Candidate(device=name, model=MODEL, examples=1, last_selected=i) for i, name in enumerate(NAMES)]
    assert select(pool, count=2, policy="longest-waiting", seed=0, round_number=9) == ("pi-0", "pi-1")


def test_more_examples_are_drawn_more_often() -> None:
    pool = [Candidate(device="few", model=MODEL, examples=1), Candidate(device="many", model=MODEL, examples=9)]
    drawn = [select(pool, count=1, policy="examples", seed=0, round_number=n) for n in range(2000)]
    assert 0.85 < drawn.count(("many",)) / len(drawn) < 0.95


def test_a_device_listed_twice_is_eligible_once() -> None:
    assert len(eligible(candidates(1) + candidates(2), model=MODEL, min_examples=1)) == 2


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"min_devices": 5, "quorum": 3}, "min_devices <= quorum"),
        ({"deadline_s": 0.0}, "deadline_s is 0.0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"scope": "body"}, "scope is 'body'"),
        ({"momentum": 1.0}, "momentum is 1.0"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(changes: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        RoundConfig(**changes)  # type: ignore[arg-type]
