"""Where the text network's vectors come from: an encoder's folder or word vectors, and the words from corpus or CSV."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from overtone_cloud.corpora.utterance import Reading, Utterance
from overtone_cloud.errors import ConfigError
from overtone_cloud.features.text import TextEncoder, embed
from overtone_models.front_end import F32
from overtone_papers.common.study import Study
from overtone_papers.fusion.settings import Settings


@dataclass(frozen=True, kw_only=True, eq=False)
class TextSource:
    """An encoder or word vectors: `key` names it in results, `title` for readers."""

    key: str
    title: str
    encoder: TextEncoder

    def vectors(self, study: Study, texts: Iterable[str]) -> Mapping[str, F32]:
        """Return the `(tokens, width)` of each text, by text; equal texts are encoded once and kept on the disk."""
        wanted = list(dict.fromkeys(texts))
        study.log(f"{self.title}: {len(wanted)} different transcripts")
        return embed(wanted, self.encoder, cache=study.cache, log=study.log)


def keys(settings: Settings) -> tuple[str, ...]:
    """Return the sources' keys, that of the fusions first; raise ConfigError where there is none."""
    given = {"encoder": settings.encoder, "glove": settings.glove}
    found = tuple(key for key, path in given.items() if path is not None)
    if not found:
        raise ConfigError(
            "system D reads text: --option encoder=FOLDER names a local Hugging Face folder of a BERT-like encoder, "
            "--option glove=FILE a text file of word vectors"
        )
    return found


def sources(settings: Settings, texts: Iterable[str]) -> tuple[TextSource, ...]:
    """Return the encoder and the word vectors that are given; of the latter only those of words in `texts`."""
    made = {"encoder": lambda: _encoder(settings), "glove": lambda: _glove(settings, texts)}
    return tuple(made[key]() for key in keys(settings))


def spoken(reading: Reading, table: Path | None) -> tuple[Utterance, ...]:
    """Return the labelled utterances whose words are known; raise CorpusError, which names the option, for none."""
    from overtone_cloud.features.transcripts import transcripts_of

    words = transcripts_of(reading, table=table)
    return tuple(replace(u, text=words[u.id]) for u in reading.labelled if u.id in words)


def _encoder(settings: Settings) -> TextSource:
    from overtone_cloud.features.encoder_folder import read_encoder

    assert settings.encoder is not None
    encoder = read_encoder(settings.encoder, width=settings.width)
    return TextSource(key="encoder", title=f"encoder {_named(settings.encoder)}", encoder=encoder)


def _named(folder: Path) -> str:
    """Return the folder's name with its parent's: packages call theirs just "model"."""
    return "/".join(folder.resolve().parts[-2:])


def _glove(settings: Settings, texts: Iterable[str]) -> TextSource:
    from overtone_cloud.features.word_vectors import read_word_vectors

    assert settings.glove is not None
    vectors = read_word_vectors(settings.glove, texts)
    return TextSource(key="glove", title=f"word vectors {settings.glove.name}", encoder=vectors)
