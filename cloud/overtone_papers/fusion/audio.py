"""Which acoustic features the audio network hears."""

from overtone_models.features.acoustic import AcousticSpec
from overtone_models.features.spec import Feature
from overtone_papers.fusion.settings import Settings


def audio_spec(settings: Settings) -> Feature:
    """Return the specification of the `(frames, 36)` tracks; raise ConfigError where openSMILE is not installed."""
    if settings.audio == "own":
        return AcousticSpec()
    from overtone_cloud.features.opensmile import OpenSmileSpec, check_opensmile

    check_opensmile()
    return OpenSmileSpec()
