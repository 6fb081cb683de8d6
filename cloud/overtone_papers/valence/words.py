"""Times of spoken words, where a corpus has them: IEMOCAP's forced alignment, or a CTM file beside a recording."""

import re
from pathlib import Path

from overtone_cloud.corpora.files import read_text
from overtone_cloud.errors import CorpusError

Times = list[tuple[float, float]]
"""Begin and end of each word in seconds."""

ALIGNMENT_FRAME_S = 0.01
_SEGMENT = re.compile(r"\s*(\d+)\s+(\d+)\s+-?\d+\s+(\S+)\s*")
_NO_WORD = re.compile(r"<.*>|\+\+.*\+\+|\[.*\]")


def word_times(recording: Path) -> Times:
    """Return the word times of a recording; empty where there is no alignment or no word in it."""
    ctm = recording.with_suffix(".ctm")
    if ctm.is_file():
        return parse_ctm(read_text(ctm), str(ctm))
    alignment = _alignment(recording)
    return parse_alignment(read_text(alignment)) if alignment is not None else []


def parse_alignment(text: str) -> Times:
    """Return the words of an IEMOCAP `.wdseg` file: first frame, last frame, score, word; 10 ms per frame."""
    times: Times = []
    for line in text.splitlines():
        match = _SEGMENT.fullmatch(line)
        if match is not None and not _NO_WORD.fullmatch(match[3]):
            times.append((int(match[1]) * ALIGNMENT_FRAME_S, (int(match[2]) + 1) * ALIGNMENT_FRAME_S))
    return times


def parse_ctm(text: str, name: str = "CTM") -> Times:
    """Return the words of a CTM file: recording, channel, begin and duration in seconds, word."""
    times: Times = []
    for number, line in enumerate(text.splitlines(), start=1):
        parts = line.split()
        if not parts or line.startswith(";;"):
            continue
        where = f"{name}: line {number}"
        try:
            begin, duration = float(parts[2]), float(parts[3])
        except (IndexError, ValueError) as error:
            raise CorpusError(f"{where} has no begin and duration in its third and fourth place") from error
        if not (begin >= 0.0 and 0.0 <= duration < float("inf")):
            raise CorpusError(f"{where}: begin {begin:g} s and duration {duration:g} s must not be negative")
        times.append((begin, begin + duration))
    return times


def _alignment(recording: Path) -> Path | None:
    """Return `.../sentences/ForcedAlignment/DIALOGUE/TURN.wdseg` of `.../sentences/wav/DIALOGUE/TURN.wav`."""
    if len(recording.parents) < 3 or recording.parents[1].name != "wav":
        return None
    folder = recording.parents[2] / "ForcedAlignment" / recording.parent.name
    path = folder / f"{recording.stem}.wdseg"
    return path if path.is_file() else None
