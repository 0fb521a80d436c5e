"""How much of a file is believed: limits for files that come from anywhere, so that none of them fills memory or disk.

Every limit is far above what the project's own files need. What exceeds one is refused in one line before it is
unpacked; a program that only runs too long is stopped by ``nas predict --time-limit``.
"""

MOST_PIXELS = 2**26
"""A picture has at most 67 million pixels (8,192 x 8,192), however small its file is."""

MOST_UNPACKED_BYTES = 2**30
"""The arrays of one .npz take at most 1 GiB in memory; larger ones go into .npy files, which are read sample by
sample."""

MOST_VALUES = 2**28
"""One sample, one output of a network and one map in a picture's own size have at most 268 million numbers, 1 GiB as
float32."""

MOST_SAMPLES = 1_000_000
"""One call of `nas predict` takes at most a million samples."""

MOST_TASKS = 1024
"""A tree has at most 1,024 tasks."""

MOST_BLOCKS = 1024
"""A tree has at most 1,024 blocks."""

MOST_PARTS = 100_000
"""A tree has at most 100,000 parts: instances of blocks, and heads."""

MOST_OUTPUTS = 100_000
"""A task has at most 100,000 outputs."""
