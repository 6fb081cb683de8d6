"""The models that come with the software: what they are called, where their files are, which one is taken by default.

Each is a folder `NAME/` with `NAME.bundle` and what was written beside it. In a checkout they lie in
`models/pretrained`, in an installed wheel inside this package. They are as trustworthy as the code beside them, and
are found by name only: a bundle that comes from anywhere else is not one of them.
"""

from dataclasses import dataclass
from pathlib import Path

from overtone_models.errors import PretrainedError

DEFAULT = "medium"
FOLDERS = (Path(__file__).parent / "pretrained_bundles", Path(__file__).parents[1] / "pretrained")
"""Where they may lie, the wheel's place first: beside an installed package there may be a folder of somebody else."""
BUNDLE_ENDING, CARD, CARD_DATA = ".bundle", "MODEL_CARD.md", "card.json"
SPLIT, SETTINGS = "split.json", "settings.toml"


@dataclass(frozen=True)
class Pretrained:
    """One of them, by its folder."""

    folder: Path

    @property
    def name(self) -> str:
        """What it is called."""
        return self.folder.name

    @property
    def bundle(self) -> Path:
        """Its bundle, which is not signed."""
        return self.folder / f"{self.name}{BUNDLE_ENDING}"

    @property
    def card(self) -> Path:
        """Its model card, written by code from `card_data`."""
        return self.folder / CARD

    @property
    def card_data(self) -> Path:
        """The figures and facts that the card shows, as JSON."""
        return self.folder / CARD_DATA

    @property
    def split(self) -> Path:
        """Which utterances trained it, and which chose when to stop."""
        return self.folder / SPLIT

    @property
    def settings(self) -> Path:
        """How it was trained."""
        return self.folder / SETTINGS


def all_pretrained() -> tuple[Pretrained, ...]:
    """Return those that are here, by name."""
    found = next((folder for folder in FOLDERS if folder.is_dir()), None)
    each = [] if found is None else [Pretrained(path) for path in sorted(found.iterdir())]
    return tuple(one for one in each if one.bundle.is_file())


def find_pretrained(name: str = DEFAULT) -> Pretrained:
    """Return the one of that name; raise PretrainedError in one line where it is not here."""
    here = {one.name: one for one in all_pretrained()}
    if name in here:
        return here[name]
    known = f"there are {', '.join(here)}" if here else "none came with this software"
    raise PretrainedError(f"there is no pretrained model {name!r}; {known}")


def file_or_pretrained(given: Path) -> Path:
    """Return a path as it is, or the bundle of the pretrained model that it names where there is no such file."""
    if given.exists() or given.name != str(given):
        return given
    return next((one.bundle for one in all_pretrained() if one.name == str(given)), given)
