"""Text embeddings are computed once and read from the cache afterwards."""

from pathlib import Path

import numpy as np

from overtone_cloud.features.text import embed


class Letters:
    """An encoder that gives each letter a row, and counts the texts it is asked for."""

    def __init__(self, width: int = 3, digest: str = "letters") -> None:
        self.width, self.digest, self.asked = width, digest, []

    def encode(self, text: str) -> np.ndarray:
        self.asked.append(text)
        return np.full((len(text), self.width), float(len(self.digest)), np.float32)


def test_each_text_is_encoded_once_and_then_read(tmp_path: Path) -> None:
    first, second = Letters(), Letters()
    made = embed(["ab", "c", "ab"], first, cache=tmp_path)
    assert first.asked == ["ab", "c"]
    assert made["ab"].shape == (2, 3)
    again = embed(["c", "ab", "new!"], second, cache=tmp_path)
    assert second.asked == ["new!"]
    np.testing.assert_array_equal(again["ab"], made["ab"])


def test_another_encoder_has_other_vectors(tmp_path: Path) -> None:
    embed(["ab"], Letters(), cache=tmp_path)
    other = Letters(digest="other letters")
    assert embed(["ab"], other, cache=tmp_path)["ab"][0, 0] == 13.0
    assert other.asked == ["ab"]


def test_a_broken_entry_is_made_again(tmp_path: Path) -> None:
    embed(["ab"], Letters(), cache=tmp_path)
    for path in tmp_path.rglob("*.npz"):
        path.write_bytes(path.read_bytes()[:40])
    again = Letters()
    assert embed(["ab"], again, cache=tmp_path)["ab"].shape == (2, 3)
    assert again.asked == ["ab"]
