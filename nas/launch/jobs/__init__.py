"""Searches, retrainings and comparisons as jobs of a cluster, through Ray's Jobs API.

Jobs are submitted, listed, followed and stopped, and their runs are fetched.

The Jobs API moves no files back, so a run folder travels through storage that the cluster and its user both reach.
"""

from nas.launch.jobs.fetch import fetch
from nas.launch.jobs.job import Job
from nas.launch.jobs.manage import jobs, logs, stop, wait
from nas.launch.jobs.packing import Package
from nas.launch.jobs.submit import preview, submit

__all__ = ["Job", "Package", "fetch", "jobs", "logs", "preview", "stop", "submit", "wait"]
