"""Trials and jobs on many machines, through Ray."""
