"""The discrete network that a tree describes."""

from nas.networks.branched.branched import BranchedNetwork, check_fits
from nas.networks.branched.sub_network import sub_network

__all__ = ["BranchedNetwork", "check_fits", "sub_network"]
