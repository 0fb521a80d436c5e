"""A stand-in for Ray's client of jobs, and Ray's information about a job."""

import json
from pathlib import Path
from types import SimpleNamespace

ENTRYPOINT_FAILED = (
    "Job entrypoint command failed with exit code {}, last available logs (truncated to 20,000 chars):\n"
)
"""How Ray begins its message about a command that has failed."""


class Status:
    """Of a job, as Ray's enumeration behaves."""

    def __init__(self, value: str) -> None:
        self.value = value

    def is_terminal(self) -> bool:
        return self.value not in ("PENDING", "RUNNING")


def details(status="FAILED", name="a", message="", error_type=None, exit_code=None, **metadata):
    return SimpleNamespace(
        status=Status(status),
        submission_id=name,
        message=message,
        error_type=error_type,
        driver_exit_code=exit_code,
        metadata=metadata or {"nas_run": f"/store/{name}", "nas_recipe": "runs/digits.py"},
        start_time=1_790_000_000_000,
        end_time=1_790_000_010_500,
    )


class RayClient:
    """Stands for Ray's client: jobs by name; what is submitted ends at once as `then` says."""

    jobs: dict[str, SimpleNamespace]
    packed: dict[str, bytes]

    def __init__(self, address, headers):
        self.address, self.headers = address, headers

    def list_jobs(self):
        return list(self.jobs.values())

    def get_job_info(self, name):
        if name not in self.jobs:
            raise RuntimeError(f"Request failed with status code 404: Job {name} does not exist.")
        return self.jobs[name]

    def get_job_logs(self, name):
        return self.jobs[name].log

    def delete_job(self, name):
        del self.jobs[name]

    def stop_job(self, name):
        self.jobs[name].status = Status("STOPPED")

    def submit_job(self, entrypoint, submission_id, runtime_env, metadata, **reserved):
        job = details("RUNNING", submission_id, **metadata)
        job.entrypoint, job.runtime_env, job.reserved = entrypoint, runtime_env, reserved
        folder = Path(runtime_env["working_dir"])
        job.files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        if "-probe-" in submission_id:
            job.status, job.log = Status("SUCCEEDED"), json.dumps(self.probed)
        self.jobs[submission_id] = job
