"""Run trials and trainings in this process, or on many processes and machines through Ray.

`trials` runs the trials of a run, and `dispatch` trains one tree's network. A single trial on one machine runs in this
process. A recipe with several trials runs them through Ray Tune (`tuning`), on this machine or a cluster. A recipe with
``processes=N`` lets N processes share the batches of one search or training (`processes`). `nas.launch.jobs` sends a
whole command to a cluster as a job. Ray is optional: it is imported only where it is used.

- The *driver* plans trials, asks Optuna for values (`study`) and collects outcomes (`trial_outcomes`). A *worker*
  imports the recipe and runs one trial (`worker`), or does the part of one rank (`rank`).
- All state is in the run folder or, for machines without a shared disk, in a *storage* (`storage`): a URI such as
  ``s3://bucket/runs``, below which every folder has a list of its complete files (`manifest`). Ray's own state is
  never read again, so every part may be killed and `nas search --resume` continues from the folders.

>>> from nas.launch.run_storage import RunStorage
>>> stored = RunStorage("/shared/runs", "digits-1")
>>> stored.place
'/shared/runs/digits-1'

Start with `trials.find_points`. README.md lists which part does what, and what a thousand machines would need.
"""
