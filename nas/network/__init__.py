"""The discrete network that a tree describes."""

from nas.network.branched import BranchedNetwork, check_fits

__all__ = ["BranchedNetwork", "check_fits"]
