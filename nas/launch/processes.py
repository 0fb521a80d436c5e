"""One search or training on several processes that share every batch, started by Ray Train.

Ray Train starts the processes, assigns CPUs and GPUs and connects them in a process group of torch, with gloo or nccl.
All state is in the run folder: if a process is lost, all are started again from the last checkpoint.
"""

import contextlib
import logging
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

from nas.errors import InputError, WorkFailed, in_one_line
from nas.launch.rank import LOST, LOST_REASON, Job, work
from nas.launch.session import (
    Machine,
    Resources,
    check_address,
    machines_of_cluster,
    ray_session,
    this_machine,
)
from nas.launch.tuning import trial_resources
from nas.launch.worker import Assignment
from nas.recipe import Experiment
from nas.run.outcome import Cause

_LOGGER = logging.getLogger(__name__)

_WAIT = 0.2
"""Seconds to wait for an event before checking whether the processes have ended."""

_PATIENCE = 7 * 24 * 3600
"""Seconds that a process waits for the others, for instance while rank 0 evaluates. Ray notices lost ones."""

Failure = tuple[Cause, str]


def check_processes_can_run(experiment: Experiment, address: str | None) -> None:
    """Check, before anything is written, that the processes can run.

    Raises:
        InputError: Ray is missing, the address does not answer, or this machine has no room for the processes.
    """
    if find_spec("ray") is None:
        raise InputError(f"processes={experiment.processes} needs Ray: pip install 'branched-nas[ray]'")
    if address is not None:
        check_address(address)
    else:
        _fitting(experiment, [this_machine()])


def run_on_processes(
    experiment: Experiment,
    job: Job,
    assignment: Assignment,
    *,
    address: str | None,
    log_folder: Path,
    on_epoch: Callable[[dict[str, Any]], None],
) -> dict[str, Any]:
    """Do a job on the experiment's number of processes; returns its result as plain values.

    Args:
        address: address of a running cluster; None starts one on this machine.
        log_folder: the folder for ``ray.log``.
        on_epoch: called with every epoch's record, in this process.

    Raises:
        InputError: bad input, or the cluster has no room for the processes. WorkFailed: the work failed, or processes
            were lost more often than `trials.max_failures`.
    """
    with ray_session(address, log_folder):
        needed = _fitting(experiment, machines_of_cluster())
        for attempt in count():
            do = partial(work, assignment, job)
            results, failures = _fit(do, needed, experiment.processes, on_epoch, here=address is None)
            if results:
                return results[0]
            cause, reason = _worst(failures)
            if cause == "input":
                raise InputError(reason)
            if cause != LOST or attempt == experiment.trials.max_failures:
                raise WorkFailed(reason)
            _LOGGER.warning("%s; continuing from the last checkpoint", reason)
    raise AssertionError


def _fit(
    work: Callable[[Any], None],
    needed: Resources,
    num_processes: int,
    on_epoch: Callable[[dict[str, Any]], None],
    *,
    here: bool,
) -> tuple[list[dict[str, Any]], list[Failure]]:
    """Start the processes and wait until they have ended; returns the result of rank 0, and all failures."""
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    from nas.launch.local_group import LocalTorchConfig

    results: list[dict[str, Any]] = []
    failures: list[Failure] = []
    handlers: dict[str, Callable[[Any], None]] = {
        "epoch": on_epoch,
        "result": results.append,
        "failure": failures.append,
    }
    with _handled_events(handlers) as events, tempfile.TemporaryDirectory(prefix="nas-train-") as scratch:
        group = LocalTorchConfig(file=f"{scratch}/group") if here else TorchConfig()
        group.backend, group.timeout_s = "nccl" if needed.gpus else "gloo", _PATIENCE
        trainer = TorchTrainer(
            partial(work, events),
            torch_config=group,
            scaling_config=ScalingConfig(
                num_workers=num_processes,
                use_gpu=bool(needed.gpus),
                resources_per_worker={"CPU": needed.cpus, **({"GPU": needed.gpus} if needed.gpus else {})},
            ),
            run_config=RunConfig(name="processes", storage_path=scratch, failure_config=FailureConfig(max_failures=0)),
        )
        ended = _run(trainer)
    if ended and not results:
        # Only Ctrl-C ends a group without a failure.
        raise KeyboardInterrupt
    return results, failures


def _run(trainer: Any) -> bool:
    """Run the processes; False if one failed. It has sent its failure as an event, unless it was killed."""
    from ray.train import WorkerGroupError

    handler = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit()
    except WorkerGroupError:
        return False
    except SystemExit:
        # Ray Train handles Ctrl-C itself: it ends the group and exits.
        raise KeyboardInterrupt from None
    except Exception as error:
        raise WorkFailed(f"Ray Train did not run the processes: {in_one_line(error)}") from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)
    return True


@contextlib.contextmanager
def _handled_events(handlers: Mapping[str, Callable[[Any], None]]) -> Iterator[Any]:
    """A queue of Ray whose events are passed to their handlers while the block runs; at its end, all are handled."""
    import ray
    from ray.util.queue import Empty, Queue
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    # On this machine, so that it is not lost with another one.
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    events = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here})
    ended = threading.Event()

    def listen() -> None:
        last = False
        while not last:
            # After the end no event is added, so this pass handles all that are left.
            last = ended.is_set()
            with contextlib.suppress(Empty):
                while True:
                    kind, said = events.get_nowait() if last else events.get(timeout=_WAIT)
                    handlers[kind](said)

    with ThreadPoolExecutor(max_workers=1) as pool:
        listening = pool.submit(listen)
        try:
            yield events
        finally:
            # Using Ray after it has ended would end this process, so the listener must end first.
            ended.set()
            wait([listening])
        listening.result()
    events.shutdown(force=True)


def _worst(failures: Sequence[Failure]) -> Failure:
    """The failure to report. A process that only lost its peers is not the cause, unless all report that."""
    order: tuple[Cause, ...] = ("input", "work", "error", "machine")
    own = [failure for failure in failures if failure != (LOST, LOST_REASON)] or [(LOST, LOST_REASON)]
    return min(own, key=lambda failure: order.index(failure[0]))


def _fitting(experiment: Experiment, machines: Sequence[Machine]) -> Resources:
    """The resources of each process; InputError unless the machines have room for all processes."""
    needed = trial_resources(experiment, machines)
    if 0 < needed.gpus < 1:
        raise InputError(f"each process needs a GPU of its own; trials.gpus is {needed.gpus:g}, set it to 1")
    room = sum(_room(needed, machine) for machine in machines)
    if room < experiment.processes:
        where = "this machine has" if len(machines) == 1 else "the cluster has"
        raise InputError(
            f"processes={experiment.processes}: each needs {needed}, and {where} room for {room}; "
            "lower processes, num_threads, trials.cpus or trials.gpus"
        )
    return needed


def _room(needed: Resources, machine: Machine) -> int:
    """How many processes fit on a machine."""
    by_cpus = int(machine.get("CPU", 0) / needed.cpus)
    return min(by_cpus, int(machine.get("GPU", 0) / needed.gpus)) if needed.gpus else by_cpus
