"""Features of a whole window of speech, one definition for cloud and device: numpy alone.

Each module holds a frozen specification with `name`, `shape` of its result, `digest`, and
`compute(samples) -> float32 array of that shape` for mono float32 samples at its `sample_rate_hz`.
"""
