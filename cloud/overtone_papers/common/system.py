"""What a published system is to `overtone paper`: its parts, what it needs, and how it is run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from overtone_cloud.corpora.utterance import Reading
from overtone_cloud.errors import ConfigError
from overtone_papers.common.report import Report
from overtone_papers.common.study import Study


@dataclass(frozen=True, kw_only=True)
class System:
    """One paper: `run(study)` does the parts that `study.parts` names and returns the report.

    `needs(readings)` raises CorpusError in one line where the corpora lack something (no transcripts,
    too few speakers) and names the option that stands in. `estimate(study)` is one line for before the start.
    `options` are the names that `--option NAME=VALUE` may set, with what they mean and their default.
    `requires` says for `overtone paper list` in a few words which corpora serve.
    """

    letter: str
    title: str
    paper: str
    parts: tuple[str, ...]
    run: Callable[[Study], Report]
    needs: Callable[[Mapping[str, Reading]], None]
    estimate: Callable[[Study], str]
    options: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    requires: str = "speech with emotion labels"

    def chosen(self, part: str | None) -> tuple[str, ...]:
        """Return the parts to run; raise ConfigError for one that this system has not."""
        if part is None:
            return self.parts
        if part not in self.parts:
            raise ConfigError(f"system {self.letter} has no part {part!r}; there are {', '.join(self.parts)}")
        return (part,)
