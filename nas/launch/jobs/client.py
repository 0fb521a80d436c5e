"""Connect to a cluster: its address, the token, and errors in one line.

Ray's `JobSubmissionClient` does the work. It has no time limit, so a request with one checks first that the cluster
answers.
"""

import logging
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from nas.errors import InputError, WorkFailed

SECONDS_TO_CONNECT = 5.0

SECONDS_TO_ANSWER = 20.0

_OVERRIDES = ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")
"""Variables that Ray's client would prefer to the address that it is given."""

_LIBRARIES = ("requests", "urllib3", "aiohttp")

_PACKAGING = "ray._private.runtime_env.packaging"


class Cluster:
    """The jobs of one cluster.

    Args:
        address: address of the cluster's dashboard, ``http://head:8265`` or ``head:8265``.

    Raises:
        InputError: a bad address, no answer, a token that is missing or refused, or ray is not installed.
    """

    def __init__(self, address: str) -> None:
        self.address = _url(address)
        headers = {"Authorization": f"Bearer {token}"} if (token := find_token()) else {}
        with _explained(self.address):
            self._check_server(headers)
            with _without_overrides():
                self._client = _ray_jobs().JobSubmissionClient(self.address, headers=headers)

    def submit(
        self,
        *,
        name: str,
        entrypoint: str,
        runtime_env: dict[str, Any],
        metadata: dict[str, str] | None = None,
        reserved: Mapping[str, float] | None = None,
    ) -> None:
        """Start a job; ``reserved`` are the CPUs and GPUs that it reserves, by the names of Ray's client.

        Raises:
            InputError: the cluster has a job with that name.
        """
        if any(job.submission_id == name for job in self.jobs()):
            raise InputError(f"{self.address}: has a job {name} already; choose another `name`")
        with _explained(self.address):
            self._client.submit_job(
                entrypoint=entrypoint,
                submission_id=name,
                runtime_env=runtime_env,
                metadata=metadata or {},
                **(reserved or {}),
            )

    def jobs(self) -> list[Any]:
        """Ray's information about each job."""
        with _explained(self.address):
            return list(self._client.list_jobs())

    def info(self, name: str) -> Any:
        """Ray's information about a job."""
        with _explained(self.address, name):
            return self._client.get_job_info(name)

    def log(self, name: str) -> str:
        """The output of a job so far."""
        with _explained(self.address, name):
            return str(self._client.get_job_logs(name))

    async def tail(self, name: str) -> AsyncIterator[str]:
        """The output of a job as it is printed, until the job ends."""
        with _explained(self.address, name):
            async for lines in self._client.tail_job_logs(name):
                yield lines

    def stop(self, name: str) -> bool:
        """Ask a job to end; False if it had ended."""
        with _explained(self.address, name):
            return bool(self._client.stop_job(name))

    def forget(self, name: str) -> None:
        """Remove a job that has ended from the cluster's list."""
        with _explained(self.address, name):
            self._client.delete_job(name)

    def _check_server(self, headers: dict[str, str]) -> None:
        import requests

        times = SECONDS_TO_CONNECT, SECONDS_TO_ANSWER
        answer = requests.get(f"{self.address}/api/version", headers=headers, timeout=times)
        if answer.status_code == 401:
            raise InputError(
                f"{self.address}: authentication required: put the cluster's token into RAY_AUTH_TOKEN, a file that "
                "RAY_AUTH_TOKEN_PATH names, or ~/.ray/auth_token"
            )
        if answer.status_code == 403:
            raise InputError(
                f"{self.address}: refuses the token from {_token_source()}; it belongs to another cluster, or is old"
            )
        if not answer.ok or b'"ray_version"' not in answer.content:
            raise InputError(
                f"{self.address}: answers (HTTP {answer.status_code}), but not as a Ray dashboard; "
                "its port is 8265 by default"
            )


def find_token() -> str | None:
    """The token for a cluster, from the places where Ray looks for it; None if there is none."""
    if os.environ.get("RAY_AUTH_MODE", "token").lower() != "token":
        return None
    if token := os.environ.get("RAY_AUTH_TOKEN", "").strip():
        return token
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    path = Path(named) if named else Path.home() / ".ray" / "auth_token"
    try:
        token = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        if named:
            raise InputError(f"RAY_AUTH_TOKEN_PATH names {path}, which cannot be read: {error}") from error
        return None
    if not token.isprintable() or not token.isascii():
        raise InputError(f"{path}: does not contain a token, which is one line of plain letters")
    return token or None


def _token_source() -> str:
    if os.environ.get("RAY_AUTH_TOKEN", "").strip():
        return "RAY_AUTH_TOKEN"
    return os.environ.get("RAY_AUTH_TOKEN_PATH") or "~/.ray/auth_token"


def _url(address: str) -> str:
    url = address if "://" in address else f"http://{address}"
    try:
        parts = urlsplit(url)
        well_formed = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        well_formed = False
    if not well_formed:
        raise InputError(
            f"`address={address}`: expected the address of a cluster's dashboard, for instance http://head:8265"
        )
    return url.rstrip("/")


def _ray_jobs() -> Any:
    try:
        import ray.job_submission
    except ImportError:
        raise InputError("jobs need ray, which is not installed: pip install 'branched-nas[ray]'") from None
    for module in ("ray.dashboard.modules.dashboard_sdk", "ray.dashboard.modules.job.sdk", _PACKAGING):
        logging.getLogger(module).setLevel(logging.WARNING)
    return ray.job_submission


@contextmanager
def _without_overrides() -> Iterator[None]:
    kept = {name: os.environ.pop(name) for name in _OVERRIDES if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)


@contextmanager
def _explained(address: str, name: str | None = None) -> Iterator[None]:
    """Turn errors of Ray and the network into InputError or WorkFailed."""
    try:
        yield
    except (InputError, WorkFailed):
        raise
    except Exception as error:
        text = " ".join(str(error).split())
        if name is not None and "status code 404" in text:
            raise InputError(f"{address}: has no job {name}; nas jobs lists them") from error
        if type(error).__name__ == "AuthenticationError":
            raise InputError(f"{address}: refuses the token: {text[:200]}") from error
        if _is_unanswered(error):
            raise InputError(f"{address}: no answer ({_reason(error)}); is the cluster up and reachable?") from error
        if isinstance(error, OSError | MemoryError):
            raise
        lines = str(error).strip().splitlines() or ["no reason given"]
        raise WorkFailed(f"{address}: {lines[-1].strip()}") from error


def _is_unanswered(error: Exception) -> bool:
    """Whether a request got no answer, judged by the class of the error."""
    return isinstance(error, ConnectionError | TimeoutError) or type(error).__module__.startswith(_LIBRARIES)


def _reason(error: BaseException) -> str:
    """The operating system's message, which is nested in the errors of the libraries."""
    seen: list[BaseException] = []
    while error not in seen:
        seen.append(error)
        inner = error.__cause__ or error.__context__ or getattr(error, "reason", None)
        inner = inner or next((part for part in error.args if isinstance(part, BaseException)), None)
        if not isinstance(inner, BaseException):
            break
        error = inner
    words = " ".join(str(getattr(error, "strerror", None) or error).split())
    # The libraries quote an answer that is not HTTP, which may be anything.
    return words if words.isprintable() and words.isascii() and "\\x" not in words else "the answer is not HTTP"
