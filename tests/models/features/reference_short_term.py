"""Run by `.venv-reference/bin/python reference_short_term.py IN.npz OUT.npz`: pyAudioAnalysis on the clips in IN.

OUT holds each clip's `(frames, 34)` as the library gives them and, under `NAME/true-filters`, with its own filter
bank made for bins at their true frequencies. It divides by 32768, so the clips are multiplied first.
"""

import sys

import numpy as np
from pyAudioAnalysis import ShortTermFeatures

RATE_HZ, WINDOW, STEP = 16_000, 3200, 1600


def features(samples: np.ndarray) -> np.ndarray:
    found, names = ShortTermFeatures.feature_extraction(samples * 32768.0, RATE_HZ, WINDOW, STEP, deltas=False)
    assert len(names) == 34
    return found.T


def main(source: str, target: str) -> None:
    clips = {name: value.astype(np.float64) for name, value in np.load(source).items()}
    out = {name: features(samples) for name, samples in clips.items()}
    bank = ShortTermFeatures.mfcc_filter_banks
    # Its bank spreads the bins over the rate it is given; they reach up to half the rate of the sound.
    ShortTermFeatures.mfcc_filter_banks = lambda rate_hz, bins: bank(rate_hz / 2, bins)
    out |= {f"{name}/true-filters": features(samples) for name, samples in clips.items()}
    np.savez(target, **out)


if __name__ == "__main__":
    main(*sys.argv[1:])
