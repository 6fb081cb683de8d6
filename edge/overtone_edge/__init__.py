"""Emotion recognition in speech on the device: the agent, and `Recogniser` for programs of one's own.

`Recogniser` and `Emotion` are imported when they are first used, so that importing this package costs nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from overtone_edge.hearing.api import Recogniser
    from overtone_edge.hearing.events import Emotion

__version__ = "0.1.0"
__all__ = ["Emotion", "Recogniser", "__version__"]


def __getattr__(name: str) -> Any:
    if name == "Recogniser":
        from overtone_edge.hearing.api import Recogniser

        return Recogniser
    if name == "Emotion":
        from overtone_edge.hearing.events import Emotion

        return Emotion
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
