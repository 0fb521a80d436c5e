"""A `torch.export` program, without any part that would have to be unpickled."""

from nas.deploy.formats.graph import GraphFormat
from nas.deploy.program import load_program, to_bytes

PT2 = GraphFormat("pt2", ".pt2", to_bytes, load_program)
