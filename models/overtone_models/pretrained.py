"""Pretrained models that come with the software: names, files, and the default one.

Each is a folder `NAME/` with `NAME.bundle` and what was written beside it. In a checkout they lie in
`models/pretrained`, in an installed wheel inside this package. They are as trustworthy as the code beside them and are
looked up by name only: a bundle from anywhere else is not one of them.
"""

from dataclasses import dataclass
from pathlib import Path

from overtone_models.errors import PretrainedError

DEFAULT = "medium"
FOLDERS = (Path(__file__).parent / "pretrained_bundles", Path(__file__).parents[1] / "pretrained")
"""Possible folders, the wheel's first: a folder beside an installed package may belong to somebody else."""
BUNDLE_ENDING, CARD, CARD_DATA = ".bundle", "MODEL_CARD.md", "card.json"
SPLIT, SETTINGS = "split.json", "settings.toml"


@dataclass(frozen=True)
class PretrainedModel:
    """Files of one pretrained model."""

    folder: Path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def bundle(self) -> Path:
        """The bundle, which is not signed."""
        return self.folder / f"{self.name}{BUNDLE_ENDING}"

    @property
    def card(self) -> Path:
        """The model card, generated from `card_data`."""
        return self.folder / CARD

    @property
    def card_data(self) -> Path:
        """The figures and facts that the card shows, as JSON."""
        return self.folder / CARD_DATA

    @property
    def split(self) -> Path:
        """The utterances of training, and those of early stopping."""
        return self.folder / SPLIT

    @property
    def settings(self) -> Path:
        """Settings of the training."""
        return self.folder / SETTINGS


def all_pretrained() -> tuple[PretrainedModel, ...]:
    """Return the installed models, sorted by name."""
    home = next((folder for folder in FOLDERS if folder.is_dir()), None)
    models = [] if home is None else [PretrainedModel(path) for path in sorted(home.iterdir())]
    return tuple(model for model in models if model.bundle.is_file())


def find_pretrained(name: str = DEFAULT) -> PretrainedModel:
    """Return the model of that name; raise PretrainedError in one line where it is not installed."""
    installed = {model.name: model for model in all_pretrained()}
    if name in installed:
        return installed[name]
    names = f"there are {', '.join(installed)}" if installed else "none came with this software"
    raise PretrainedError(f"there is no pretrained model {name!r}; {names}")


def file_or_pretrained(path: Path) -> Path:
    """Return the bundle of the pretrained model that `path` names; `path` itself where it exists or names none."""
    if path.exists() or path.name != str(path):
        return path
    return next((model.bundle for model in all_pretrained() if model.name == str(path)), path)
