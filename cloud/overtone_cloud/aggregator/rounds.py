"""State machine of a federated round, without I/O: `step(state, event, now) -> (state, actions)`.

    waiting --enough devices present--> collecting --quorum, or everyone answered--> closed
                                             |
                                             +--over, with fewer than min_devices updates--> failed

A collecting round ends at the latest `deadline_s` after it opened, provided that the caller
passes `Tick` regularly. The same machine runs under real devices and in simulations.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

from overtone_cloud.aggregator.cohort import POLICIES, Candidate, ModelKey, Policy, eligible, select
from overtone_common.toml_config import check_limits, limits

Phase = Literal["waiting", "collecting", "closed", "failed"]
Scope = Literal["head", "full"]

MONTH_S = 30 * 24 * 3600


@dataclass(frozen=True, kw_only=True)
class RoundConfig:
    """[round]: cohort, deadlines and training settings of rounds; raises ValueError with the field's name."""

    scope: Scope = "head"
    min_devices: int = 2
    """Fewest devices to open with, and fewest updates to average."""
    max_devices: int = 100
    quorum: int = 100
    """Number of updates that closes the round at once; a smaller cohort closes when every device has answered."""
    deadline_s: float = field(default=600.0, metadata=limits(above=0, high=MONTH_S))
    reply_deadline_s: float = field(default=60.0, metadata=limits(above=0, high=MONTH_S))
    """How long to wait for a device that has sent neither a reply nor an update."""
    gather_s: float = field(default=10.0, metadata=limits(0))
    """How long to wait for more than `min_devices`."""
    pause_s: float = field(default=0.0, metadata=limits(0))
    """Pause after a round."""
    failed_pause_s: float = field(default=30.0, metadata=limits(0))
    """Pause after a failed round."""
    steps: int = field(default=20, metadata=limits(1, 100_000))
    learning_rate: float = field(default=0.05, metadata=limits(above=0, high=100.0))
    momentum: float = field(default=0.9, metadata=limits(0, below=1))
    min_examples: int = field(default=1, metadata=limits(1, 1_000_000))
    max_norm: float = field(default=100.0, metadata=limits(above=0, high=1e9))
    seed: int = field(default=0, metadata=limits(0, 2**32 - 1))
    selection: Policy = "longest-waiting"

    def __post_init__(self) -> None:
        _check(self.scope in ("head", "full"), f'scope is {self.scope!r}, it must be "head" or "full"')
        _check(
            self.selection in POLICIES,
            f"selection is {self.selection!r}, it must be one of {', '.join(POLICIES)}",
        )
        _check(
            1 <= self.min_devices <= self.quorum <= self.max_devices,
            f"1 <= min_devices <= quorum <= max_devices does not hold for {self.min_devices}, {self.quorum}, "
            f"{self.max_devices}",
        )
        check_limits(self)


@dataclass(frozen=True, kw_only=True)
class RoundState:
    """State of one round; times are seconds on the caller's clock."""

    number: int
    config: RoundConfig
    model: ModelKey
    not_before_s: float = 0.0
    phase: Phase = "waiting"
    gathering_since_s: float | None = None
    opened_at_s: float = 0.0
    called_at_s: float = 0.0
    """When the devices were last called: at the opening, and again after a restart of the aggregator."""
    selected: tuple[str, ...] = ()
    joined: frozenset[str] = field(default_factory=frozenset)
    declined: frozenset[str] = field(default_factory=frozenset)
    updated: frozenset[str] = field(default_factory=frozenset)
    reason: str = ""

    @property
    def ended(self) -> bool:
        """Whether the round is over."""
        return self.phase in ("closed", "failed")

    @property
    def silent(self) -> tuple[str, ...]:
        """Selected devices that have neither replied nor sent an update."""
        return tuple(d for d in self.selected if d not in self.joined | self.declined | self.updated)


@dataclass(frozen=True)
class DevicesPresent:
    """Event: the devices that are online now."""

    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class Reply:
    """Event: a device joins or declines."""

    device: str
    joining: bool


@dataclass(frozen=True)
class UpdateAccepted:
    """Event: an update has passed every check and is in the ledger."""

    device: str


@dataclass(frozen=True)
class Tick:
    """Event: time has passed."""


Event = DevicesPresent | Reply | UpdateAccepted | Tick


@dataclass(frozen=True)
class Open:
    """Action: call these devices."""

    devices: tuple[str, ...]


@dataclass(frozen=True)
class Close:
    """Action: average the updates of these devices."""

    devices: tuple[str, ...]


@dataclass(frozen=True)
class Fail:
    """Action: end the round without a new model."""

    reason: str


Action = Open | Close | Fail


def step(state: RoundState, event: Event, now: float) -> tuple[RoundState, tuple[Action, ...]]:
    """Return the next state and the actions for the caller; a round that is over does not change."""
    if state.ended:
        return state, ()
    if state.phase == "waiting":
        return _gather(state, event.candidates, now) if isinstance(event, DevicesPresent) else (state, ())
    return _settle(_note(state, event), now)


def resume(state: RoundState, now: float) -> RoundState:
    """Return the state of a stored round after a restart, when its devices are called again.

    The reply deadline starts again, because replies may still wait in the broker. A clock that was set back
    in the meantime does not extend the round beyond its deadline.
    """
    return replace(state, opened_at_s=min(state.opened_at_s, now), called_at_s=now)


def following(state: RoundState, model: ModelKey, config: RoundConfig, now: float) -> RoundState:
    """Return the next round, in the phase "waiting"."""
    pause_s = config.failed_pause_s if state.phase == "failed" else config.pause_s
    return RoundState(number=state.number + 1, config=config, model=model, not_before_s=now + pause_s)


def _gather(state: RoundState, candidates: tuple[Candidate, ...], now: float) -> tuple[RoundState, tuple[Action, ...]]:
    config = state.config
    pool = eligible(candidates, model=state.model, min_examples=config.min_examples)
    if len(pool) < config.min_devices or now < state.not_before_s:
        return replace(state, gathering_since_s=None), ()
    since = now if state.gathering_since_s is None else min(state.gathering_since_s, now)
    if len(pool) < config.max_devices and now - since < config.gather_s:
        return replace(state, gathering_since_s=since), ()
    cohort = select(
        pool, count=config.max_devices, policy=config.selection, seed=config.seed, round_number=state.number
    )
    opened = replace(
        state, phase="collecting", gathering_since_s=None, opened_at_s=now, called_at_s=now, selected=cohort
    )
    return opened, (Open(cohort),)


def _note(state: RoundState, event: Event) -> RoundState:
    """Return the state with a device's reply or update; replies after an update are ignored."""
    match event:
        case Reply(device, joining) if device in state.selected and device not in state.updated:
            if joining:
                return replace(state, joined=state.joined | {device}, declined=state.declined - {device})
            return replace(state, joined=state.joined - {device}, declined=state.declined | {device})
        case UpdateAccepted(device) if device in state.selected:
            return replace(
                state,
                updated=state.updated | {device},
                joined=state.joined | {device},
                declined=state.declined - {device},
            )
        case _:
            return state


def _settle(state: RoundState, now: float) -> tuple[RoundState, tuple[Action, ...]]:
    """Close or fail the round when its quorum, last answer or deadline is reached."""
    config = state.config
    called_for_s = now - state.called_at_s
    waiting_for = set(state.joined - state.updated)
    if called_for_s < config.reply_deadline_s:
        waiting_for |= set(state.silent)
    if len(state.updated) >= config.quorum:
        reason = "quorum"
    elif not waiting_for:
        reason = "everyone answered"
    elif now - state.opened_at_s >= config.deadline_s and called_for_s >= min(
        config.deadline_s, config.reply_deadline_s
    ):
        reason = "deadline"
    else:
        return state, ()
    if len(state.updated) < config.min_devices:
        text = f"{reason}: {len(state.updated)} updates, at least {config.min_devices} are needed"
        return replace(state, phase="failed", reason=text), (Fail(text),)
    return replace(state, phase="closed", reason=reason), (Close(tuple(sorted(state.updated))),)


def _check(condition: bool, text: str) -> None:
    if not condition:
        raise ValueError(text)
