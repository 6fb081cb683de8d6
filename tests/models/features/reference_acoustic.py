"""Run by `.venv-reference`: what Praat and openSMILE say of the sounds in an .npz, into another .npz.

    python reference_acoustic.py IN.npz OUT.npz

IN holds 16 kHz sounds. OUT holds NAME/praat `(frames, 4)`: time, pitch, two kinds of HNR at our windows; NAME/whole
`(2,)`: jitter and shimmer of the whole; NAME/COLUMN `(frames,)` of ComParE; NAME/egemaps_loudness.
"""

import sys

import numpy as np
import opensmile
import parselmouth
from parselmouth.praat import call

RATE_HZ = 16_000
COLUMNS = {
    "pitch": "F0final_sma",
    "jitter": "jitterLocal_sma",
    "shimmer": "shimmerLocal_sma",
    "log_hnr": "logHNR_sma",
    "loudness": "audspec_lengthL1norm_sma",
} | {f"mfcc_{i}": f"mfcc_sma[{i}]" for i in range(1, 14)}


def praat(samples):
    """Return time, pitch at that time, harmonicity from the pitch's own strength, and of Praat's own 60 ms analysis."""
    sound = parselmouth.Sound(samples.astype(np.float64), RATE_HZ)
    pitch = sound.to_pitch_ac(time_step=0.01, pitch_floor=75.0, pitch_ceiling=600.0)
    harmonicity = sound.to_harmonicity_ac(time_step=0.01, minimum_pitch=75.0, periods_per_window=4.5)
    centres = (np.arange(1 + (samples.size - 512) // 160) * 160 + 256) / RATE_HZ
    hz = np.array([pitch.get_value_at_time(t) for t in centres])
    strength = np.clip(np.interp(centres, pitch.xs(), pitch.selected_array["strength"]), 1e-5, 1 - 1e-5)
    own = [harmonicity.get_value(t) for t in centres]
    return np.column_stack([centres, np.nan_to_num(hz), 10 * np.log10(strength / (1 - strength)), np.nan_to_num(own)])


def whole(samples):
    sound = parselmouth.Sound(samples.astype(np.float64), RATE_HZ)
    points = call(sound, "To PointProcess (periodic, cc)", 75.0, 600.0)
    jitter = call(points, "Get jitter (local)", 0.0, 0.0, 0.0001, 0.02, 1.3)
    return np.array([jitter, call([sound, points], "Get shimmer (local)", 0.0, 0.0, 0.0001, 0.02, 1.3, 1.6)])


def main(given, out):
    smile = opensmile.Smile(opensmile.FeatureSet.ComParE_2016, opensmile.FeatureLevel.LowLevelDescriptors)
    egemaps = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.LowLevelDescriptors)
    found = {}
    with np.load(given) as stored:
        sounds = dict(stored)
    for name, samples in sounds.items():
        found[f"{name}/praat"], found[f"{name}/whole"] = praat(samples), whole(samples)
        table = smile.process_signal(samples, RATE_HZ)
        found |= {f"{name}/{ours}": table[column].to_numpy() for ours, column in COLUMNS.items()}
        found[f"{name}/egemaps_loudness"] = egemaps.process_signal(samples, RATE_HZ)["Loudness_sma3"].to_numpy()
    np.savez(out, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
