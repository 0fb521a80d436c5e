"""Connect the processes of one machine through a file, and over the loopback interface only.

Ray Train's default is made for clusters: its first process listens on every interface of its machine.
"""

import os
import socket
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import ray
import torch.distributed as dist
from ray.train.backend import Backend
from ray.train.torch import TorchConfig

_INTERFACE_VARIABLES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")


@dataclass
class LocalTorchConfig(TorchConfig):
    """Ray Train's settings of torch's process group, and the file through which its processes find each other."""

    file: str = ""

    @property
    def backend_cls(self) -> type[Backend]:
        return _LocalBackend


class _LocalBackend(Backend):
    # As in Ray Train's own backend for torch: nccl needs processes that see each other's GPUs.
    share_cuda_visible_devices = True

    def on_start(self, worker_group: Any, backend_config: Any) -> None:
        size = len(worker_group)
        joined = [worker_group.execute_single_async(i, _join, i, size, backend_config) for i in range(size)]
        ray.get(joined)


def _join(rank: int, size: int, config: LocalTorchConfig) -> None:
    for name in _INTERFACE_VARIABLES:
        for _, interface in socket.if_nameindex():
            if interface in ("lo", "lo0"):
                os.environ.setdefault(name, interface)
    dist.init_process_group(
        config.backend,
        init_method=f"file://{config.file}",
        rank=rank,
        world_size=size,
        timeout=timedelta(seconds=config.timeout_s),
    )
