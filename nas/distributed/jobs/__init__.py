"""Searches as jobs of a cluster, through Ray's Jobs API: submitted, listed, followed, stopped, and their runs fetched.

The Jobs API moves no files back, so a run folder travels through storage that the cluster and its user both reach.
"""

from nas.distributed.jobs.fetch import fetch
from nas.distributed.jobs.job import Job
from nas.distributed.jobs.manage import jobs, logs, stop, wait
from nas.distributed.jobs.submit import submit

__all__ = ["Job", "fetch", "jobs", "logs", "stop", "submit", "wait"]
