"""What the paper reports, in shares: tables 1, 2, 4 to 7, 9, 11 to 14 and 16 to 20."""

from overtone_papers.common.report import Cell

LOSS = {
    "e-cnn2d-lstm": 0.914559,
    "e-cnn1d-lstm": 0.992354,
    "e-fused": 0.832017,
    "e-lstm-cnn-1d": 1.084049,
    "e-lstm-cnn-2d": 1.171493,
    "e-cnn-transformer": 1.704515,
}
INPUTS = {
    ("e-cnn1d-lstm", 52): (0.622156, 0.639534, 1.006559, 0.733104),
    ("e-cnn1d-lstm", 180): (0.606825, 0.623260, 1.064544, 0.834419),
    ("e-lstm-cnn-1d", 40): (0.566271, 0.583135, 1.075563, 1.506166),
    ("e-lstm-cnn-1d", 180): (0.562315, 0.583201, 1.112019, 2.075511),
}
"""Accuracy, F1, loss and inference time of the other selections of means (tables 6 and 9)."""
ABLATION = {
    "e-cnn1d-lstm": ((0.622156, 0.639534, 1.006559, 0.733104), (0.593472, 0.614307, 1.041217, 0.910028)),
    "e-cnn2d-lstm": ((0.661721, 0.678884, 0.968594, 3.181240), (0.650841, 0.665839, 0.971584, 3.247346)),
}
"""Table 2: scaled, unscaled."""
DURATIONS: tuple[tuple[Cell, ...], ...] = (
    ("paper: training", 10111, "2.60", "7.14", "1.25", "2"),
    ("paper: test", 1385, "2.62", "6.13", "1.31", "2"),
    ("paper: tess", 2367, "2.05", "2.98", "1.25", "2"),
    ("paper: crema-d", 6306, "2.54", "5.01", "1.27", "2"),
    ("paper: savee", 397, "3.87", "7.14", "1.63", "3"),
    ("paper: ravdess", 1041, "3.68", "5.27", "2.97", "3"),
)

ORIGINS = {"CNN2D-LSTM": (0.9980, 0.6128, 0.5946, 0.6716), "Ensemble": (1.0, 0.6442, 0.6892, 0.7562)}
"""Table 18: TESS, CREMA-D, SAVEE, RAVDESS. The ensemble is the one with genetic weights."""
F1 = {
    "CNN2D-LSTM": (0.6444, 0.6373, 0.7676, 0.7031, 0.7866, 0.6814, 0.9099),
    "Ensemble": (0.6790, 0.6744, 0.8014, 0.7101, 0.8076, 0.7405, 0.9279),
}
RECALL = {
    "CNN2D-LSTM": (0.5884, 0.7331, 0.7690, 0.7301, 0.7818, 0.6147, 0.9018),
    "Ensemble": (0.6495, 0.7147, 0.7931, 0.7362, 0.8333, 0.6850, 0.9196),
}
"""Tables 19 and 20, in the order of this project's labels."""
MEAN = (0.7315, 0.7493)
GENETIC = (0.7453, 0.7630)
STACKING = (0.720079, 0.734486, 1.174485, 26.680516)
WEIGHTS = {
    "e-cnn2d-lstm": 0.2791,
    "e-cnn1d-lstm": 0.2012,
    "e-fused": 0.1864,
    "e-lstm-cnn-1d": 0.0745,
    "e-lstm-cnn-2d": 0.1252,
    "e-cnn-transformer": 0.1335,
}
"""Table 15."""
