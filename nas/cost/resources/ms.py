"""Milliseconds on a device, from a latency table (`nas.cost.LatencyTable`)."""

from nas.cost.resources.resource import Resource

MS = Resource(name="ms", title="latency (ms)", units=((1e3, "s"), (1.0, "ms"), (1e-3, "µs")), count=None)
