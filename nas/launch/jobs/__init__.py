"""Send searches, retrainings and comparisons to a cluster as jobs, through Ray's Jobs API.

    from nas.launch import jobs
    job = jobs.submit("recipe.py", address="http://head:8265", storage="s3://bucket/runs")
    for text in jobs.logs(job.name, address="http://head:8265", follow=True): ...
    jobs.fetch(job.name, storage="s3://bucket/runs", out="run")

- A job takes code along (`packing`): the recipe, the local modules that it imports and this project. `preview` lists
  the files; `project` decides which files may leave the machine, so that secrets and ignored files stay.
- The Jobs API sends no files back. The job keeps its run in a storage that the cluster and the user can both reach, and
  `fetch` copies it. A search writes there itself; for other verbs `nas.cli.stored` copies the run both ways.
- Errors of Ray and of the network become one line in our words (`client`, `failure`).

A job's package has an order that can be checked without a cluster:

>>> from nas.launch.jobs.command import Order
>>> Order("compare").check()
Traceback (most recent call last):
nas.errors.InputError: a comparison needs the name of a stored run: `run=NAME`

Start with `submit.submit`; `command.entrypoint` is the command line that runs on the cluster.
"""

from nas.launch.jobs.fetch import fetch
from nas.launch.jobs.job import Job
from nas.launch.jobs.manage import jobs, logs, stop, wait
from nas.launch.jobs.packing import Package
from nas.launch.jobs.submit import preview, submit

__all__ = ["Job", "Package", "fetch", "jobs", "logs", "preview", "stop", "submit", "wait"]
