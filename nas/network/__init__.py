"""The discrete network that a tree describes."""

from nas.network.branched import BranchedNetwork, check_fits
from nas.network.sub_network import sub_network

__all__ = ["BranchedNetwork", "check_fits", "sub_network"]
