"""What a training reports of its epochs, and a few of them as lines."""

from collections.abc import Callable

Entry = dict[str, float]
Report = Callable[[Entry], None]


def lines(say: Callable[[str], None], epochs: int, most: int) -> Report:
    """Return a report that says at most `most` lines."""
    every = -(-epochs // most)

    def report(entry: Entry) -> None:
        if int(entry["epoch"]) % every == 0:
            say(f"epoch {int(entry['epoch'])} of {epochs}, {how_well(entry)}")

    return report


def how_well(entry: Entry) -> str:
    """Return the epoch's loss, and the UAR of the inner speakers where they were asked."""
    inner = f", inner UAR {100 * entry['inner_uar']:.1f} %" if "inner_uar" in entry else ""
    return f"loss {entry['loss']:.2f}{inner}"
