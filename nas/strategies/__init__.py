"""Strategies: how an experiment's trees are found."""

from nas.strategies.gradient import GradientStrategy, start_search

__all__ = ["GradientStrategy", "start_search"]
