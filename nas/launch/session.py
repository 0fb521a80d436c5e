"""Connect to Ray: start a cluster on this machine, or use one that is running.

A cluster that is started here listens on the loopback interface only and ends with this process. The logs of Ray and
Tune go into files of the run folder.
"""

import contextlib
import logging
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nas.engine.sockets import folder_for_sockets
from nas.errors import InputError, WorkFailed, in_one_line
from nas.files import make_folder

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # So that relative paths in the recipe mean the same in trials and in the driver.
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    # Without Tune's handler, Ctrl-C ends this command like any other; trials have their checkpoints.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    # Tune's own state is never read, and saving it takes long with many trials.
    "TUNE_GLOBAL_CHECKPOINT_S": "1e9",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    # Lost workers are reported by this package, in one line.
    "RAY_DEDUP_LOGS_SKIP_REGEX": "^A worker died or was killed",
    "RAY_TRAIN_V2_ENABLED": "1",
    # Seconds after which a lost process is noticed.
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    # How long processes wait for a lost one before they are ended.
    "TORCH_PROCESS_GROUP_SHUTDOWN_TIMEOUT_S": "2",
}

_LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Ray's switch for clusters of several machines; "0" makes Ray listen on the loopback interface only."""

_SECONDS_TO_CONNECT = 5.0

_ROOM_FOR_SOCKETS = len("/ray/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store")


Machine = Mapping[str, float]
"""Amounts of resources by Ray's names ("CPU", "GPU")."""


@dataclass(frozen=True)
class Resources:
    """The CPUs and GPUs that one trial reserves."""

    cpus: float
    gpus: float

    def __str__(self) -> str:
        return f"{_count(self.cpus, 'CPU')} and {_count(self.gpus, 'GPU')}"


@contextlib.contextmanager
def ray_session(address: str | None, log_folder: Path) -> Iterator[None]:
    """Connect to Ray while the block runs; an existing connection is used and stays open.

    Args:
        address: address of a running cluster (``HOST:PORT``, or ``auto`` for one on this machine); None starts one.
        log_folder: the folder for ``ray.log``.

    Raises:
        InputError: the cluster cannot be reached or refuses the token. WorkFailed: Ray does not start.
    """
    with _environment({**_ENVIRONMENT, **({_LOOPBACK: "0"} if address is None else {})}):
        import ray

        with _logs_into(log_folder):
            if ray.is_initialized():
                yield
                return
            try:
                with _loopback_nodes(address is None), _own_sigterm():
                    _start() if address is None else _connect(address)
                yield
            finally:
                ray.shutdown()


def check_address(address: str) -> None:
    """InputError if an address does not answer; Ray itself would try for a long time."""
    if address == "auto":
        return
    host, colon, port = address.rpartition(":")
    if "://" in address or not colon or not port.isdecimal():
        raise InputError(
            f"`address={address}`: name HOST:PORT of a cluster that this machine belongs to, or auto; "
            "on other machines, use nas submit"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS_TO_CONNECT).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"`address={address}`: nothing answers there ({error})") from None


def check_resources(needed: Resources, machines: Sequence[Machine]) -> None:
    """InputError unless one of the machines has the resources for a trial."""
    if any(node.get("CPU", 0) >= needed.cpus and node.get("GPU", 0) >= needed.gpus for node in machines):
        return
    largest = max(machines, key=lambda node: (node.get("GPU", 0), node.get("CPU", 0)), default={})
    has = Resources(largest.get("CPU", 0), largest.get("GPU", 0))
    raise InputError(f"a trial needs {needed}, but the largest machine has {has}; lower trials.cpus or trials.gpus")


def this_machine() -> Machine:
    """The resources of this machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"CPU": cores, "GPU": torch.cuda.device_count()}


def machines_of_cluster() -> list[Machine]:
    """The total resources of each live machine in the cluster, and of the largest that its autoscaler may start."""
    import ray

    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    machines: list[Machine] = [node["Resources"] for node in nodes if node["Alive"]]
    try:
        most = ray._private.state.state.get_max_resources_from_cluster_config()
    except Exception:  # a private function of Ray may change
        most = None
    return machines if most is None else [*machines, most]


def _start() -> None:
    import ray

    folder = folder_for_sockets(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir(), _ROOM_FOR_SOCKETS)
    try:
        ray.init(
            # Without this, Ray would use a cluster that somebody else has started on this machine.
            address="local",
            num_cpus=int(this_machine()["CPU"]),
            include_dashboard=False,
            # Trials exchange a few numbers.
            object_store_memory=100 * 2**20,
            log_to_driver=False,
            _temp_dir=str(Path(folder) / "ray"),
        )
    except Exception as error:  # Ray raises many different classes here
        raise WorkFailed(f"Ray did not start on this machine, which may be busy: {in_one_line(error)}") from error


def _connect(address: str) -> None:
    import ray
    from ray.exceptions import AuthenticationError

    if "RAY_AUTH_MODE" not in os.environ and _has_token():
        os.environ["RAY_AUTH_MODE"] = "token"
    try:
        ray.init(address=address, log_to_driver=False)
    except AuthenticationError as error:
        raise InputError(
            f"the cluster at {address} refuses this token; set RAY_AUTH_TOKEN_PATH to a file with the cluster's token"
        ) from error
    except (ConnectionError, RuntimeError, OSError, ValueError) as error:
        raise InputError(f"no cluster can be reached at {address}: {in_one_line(error)}") from error


def _has_token() -> bool:
    named = any(os.environ.get(name) for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    return named or (Path.home() / ".ray" / "auth_token").is_file()


@contextlib.contextmanager
def _loopback_nodes(wanted: bool) -> Iterator[None]:
    """Set Ray's switch in its module as well, because Ray reads the environment only when it is imported."""
    from ray._private import ray_constants

    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = before and not wanted
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


@contextlib.contextmanager
def _own_sigterm() -> Iterator[None]:
    """Keep this process's own handler of SIGTERM, which Ray replaces when it connects."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    except SystemExit as stop:
        signal.signal(signal.SIGTERM, handler)
        if stop.code == signal.SIGTERM:
            signal.raise_signal(signal.SIGTERM)
        raise
    finally:
        signal.signal(signal.SIGTERM, handler)


@contextlib.contextmanager
def _environment(wanted: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for Ray's processes, except those that the user has set."""
    added = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextlib.contextmanager
def _logs_into(folder: Path) -> Iterator[None]:
    """Send the logs of Ray and Tune to a file."""
    make_folder(folder)
    logger = logging.getLogger("ray")
    before = logger.handlers, logger.propagate, logger.level
    handler = logging.FileHandler(folder / "ray.log", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.handlers, logger.propagate = before[0], before[1]
        logger.setLevel(before[2])
        handler.close()


def _count(amount: float, name: str) -> str:
    return f"{amount:g} {name}{'' if amount == 1 else 's'}"
