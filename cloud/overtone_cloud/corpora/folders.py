"""Reader for a folder per label: `happy/a.wav`, `speaker1/happy/a.wav` or `happy/speaker1/a.wav`."""

from pathlib import Path, PurePosixPath

from overtone_cloud.corpora.corpus import counted
from overtone_cloud.corpora.utterance import Problem, Reading, Utterance
from overtone_cloud.errors import CorpusError
from overtone_models.errors import LabelError
from overtone_models.labels import canonical_label

NAME = "folders"


def count_matches(files: tuple[PurePosixPath, ...]) -> int:
    """Return how many of `files` lie in a folder named after an emotion."""
    return sum(1 for file in files if _label_part(file) is not None)


def read(root: Path, files: tuple[PurePosixPath, ...]) -> Reading:
    """Return the files in folders named after emotions; another folder in the path names the speaker."""
    utterances = tuple(u for file in sorted(files) if (u := _utterance(root, file)) is not None)
    if not utterances:
        raise CorpusError(f"{root}: none of {len(files)} sound files lies in a folder called like an emotion")
    ids = {u.id for u in utterances}
    strangers = [str(file) for file in files if str(file) not in ids]
    text = f"{counted(strangers, 'file')} in no folder called like an emotion, skipped"
    problems = (Problem(kind="label", text=text, names=tuple(strangers)),) if strangers else ()
    reading = Reading(corpus=NAME, root=root, utterances=utterances, problems=problems)
    if not any(u.speaker for u in utterances):
        note = "no folders that name speakers: only random splits are possible"
        return reading.with_problems(Problem(kind="note", text=note))
    return reading


def _utterance(root: Path, file: PurePosixPath) -> Utterance | None:
    part = _label_part(file)
    if part is None:
        return None
    others = [p for i, p in enumerate(file.parent.parts) if i != part]
    own = file.parent.parts[part]
    return Utterance(
        id=str(file),
        path=root / file,
        corpus=NAME,
        corpus_label=own,
        label=canonical_label(own),
        speaker=others[-1] if others else None,
    )


def _label_part(file: PurePosixPath) -> int | None:
    """Return which part of the path is a label, looking from the file upwards."""
    for index in reversed(range(len(file.parent.parts))):
        try:
            canonical_label(file.parent.parts[index])
        except LabelError:
            continue
        return index
    return None
