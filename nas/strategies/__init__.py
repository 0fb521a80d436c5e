"""Strategies: how an experiment's trees are found."""

from nas.strategies.gradient import GradientStrategy

__all__ = ["GradientStrategy"]
