"""Limits for files from untrusted sources, so that none of them can fill memory or disk.

Every limit is far above what the project's own files need. A file that exceeds one is refused, with one line, before it
is unpacked. A program that runs too long is stopped by the ``time_limit`` of `nas.predict`.
"""

MOST_PIXELS = 2**26
"""A picture has at most 67 million pixels (8,192 x 8,192), however small its file is."""

MOST_UNPACKED_BYTES = 2**30
"""The arrays of one .npz take at most 1 GiB in memory; larger ones go into .npy files, which are read sample by
sample."""

MOST_VALUES = 2**28
"""A sample, an output of a network, and a map resized to its picture have at most 268 million numbers each (1 GiB as
float32)."""

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

MAX_THREADS = 1024
"""More threads or workers than any machine has. A much larger number ends the process without an error message."""
