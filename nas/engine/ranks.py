"""The processes that train one network together, and what they exchange in every step."""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

Labels = Mapping[str, Tensor]
"""The labels of a batch, by task."""

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Ranks:
    """The processes that share each batch, as seen by one of them: its rank, and its exchanges with the others.

    With one process, every method returns what it is given. Otherwise every rank holds the whole network and 1/size of
    each batch. With n_tr labels of task t on rank r, the loss of the whole batch follows exactly from the means of the
    ranks, even if labels are missing unevenly:

        loss_t = sum_r share_tr loss_tr,    share_tr = n_tr / sum_r n_tr

    So losses are multiplied by their shares, and losses and gradients are summed over the ranks. A loss that is not a
    mean over samples, such as a mean over the known pixels of a batch, is weighted by samples, too.

    All ranks must make their collective calls in the same order, and a synchronised BatchNorm makes some in every
    forward and backward pass. So a task runs on all ranks if any rank has a label of it; elsewhere its loss is 0.

    Differs from: torch's DistributedDataParallel, which averages the gradients of one backward pass through a fixed set
    of weights. Here a step may have one backward pass for each task, and every routing uses other weights. Weights that
    no rank used must not get a gradient, since an optimiser's momentum moves every weight that has one.

    Args:
        rank: of this process; rank 0 decides and writes files.
        size: number of processes in torch's default process group.
        device: where tensors are exchanged; nccl exchanges tensors on a GPU only.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = _CPU

    @classmethod
    def from_process_group(cls, device: torch.device) -> "Ranks":
        """The ranks of torch's default process group, which must be initialised."""
        return cls(dist.get_rank(), dist.get_world_size(), device)

    @property
    def is_first(self) -> bool:
        """Whether this is rank 0, the process that writes files."""
        return self.rank == 0

    @property
    def shard(self) -> tuple[int, int]:
        """This rank's part of each batch and the number of parts, for `nas.data.batches`."""
        return self.rank, self.size

    @property
    def seed_suffix(self) -> tuple[int, ...]:
        """Appended to the parts of a seed (`nas.data.derive_seed`), it makes the seed different on every rank.

        It is empty on rank 0, which so draws the same numbers as a single process.
        """
        return (self.rank,) if self.rank else ()

    def call_on_first(self, make: Callable[[], Any]) -> Any:
        """Call ``make`` on rank 0 only, and return its result (tensors and plain values) on every rank.

        Tensors arrive on the CPU. If ``make`` raises, rank 0 raises, and the others wait until their group is ended.
        """
        if self.size == 1:
            return make()
        if not self.is_first:
            return torch.load(io.BytesIO(self._receive()), map_location="cpu", weights_only=True)
        made, buffer = make(), io.BytesIO()
        torch.save(made, buffer)
        self._send(buffer.getvalue())
        return made

    def broadcast(self, values: Tensor) -> Tensor:
        """Rank 0's values, on every rank; each rank's gradient goes to its own ``values``."""
        if self.size == 1:
            return values
        taken: Tensor = _FromFirst.apply(values, self.device)  # type: ignore[no-untyped-call]
        return taken

    @torch.no_grad()
    def copy_from_first(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite the tensors with those of rank 0."""
        if self.size == 1:
            return
        by_type: dict[torch.dtype, list[Tensor]] = {}
        for tensor in tensors:
            by_type.setdefault(tensor.dtype, []).append(tensor.detach())
        for same in by_type.values():
            flat = torch.cat([tensor.flatten() for tensor in same]).to(self.device)
            dist.broadcast(flat, 0)
            for tensor, part in zip(same, torch.split(flat, [tensor.numel() for tensor in same]), strict=True):
                tensor.copy_(part.view(tensor.shape))

    def gather(self, values: Tensor) -> Tensor:
        """The values of all ranks, [size, ...], on every rank."""
        gathered = [torch.empty_like(values) for _ in range(self.size)]
        dist.all_gather(gathered, values.contiguous())
        return torch.stack(gathered)

    def label_shares(self, batches: Sequence[Labels], names: Sequence[str]) -> list[dict[str, float]]:
        """This rank's share of each task's labels, for each batch of a step.

        Args:
            batches: the labels of this rank's batches in one step.
            names: the tasks to consider.

        Returns:
            for each batch, by task: the number of this rank's labels in it, divided by that of all ranks in all
            batches. The share is 0 if only other ranks have labels in this batch; a task is left out if none has.
        """
        here_KT = [[len(labels.get(name, ())) for name in names] for labels in batches]
        there_KT = here_KT
        if self.size > 1:
            counts_KT = torch.tensor(here_KT, device=self.device)
            dist.all_reduce(counts_KT)
            there_KT = counts_KT.tolist()
        totals_T = [sum(column) for column in zip(*there_KT, strict=True)]
        return [
            {name: here / total for name, here, there, total in zip(names, *rows, totals_T, strict=True) if there}
            for rows in zip(here_KT, there_KT, strict=True)
        ]

    def weighted_losses(
        self, losses: Mapping[str, Tensor], outputs: Mapping[str, Tensor], shares: Mapping[str, float]
    ) -> dict[str, Tensor]:
        """Share times loss for each task; zero for a task whose labels are all on other ranks.

        Zero times the outputs is added, so that the backward passes of all ranks run through the same modules, even if
        a rank's labels hold no known value.
        """
        if self.size == 1:
            return {name: loss if shares[name] == 1.0 else loss * shares[name] for name, loss in losses.items()}
        return {
            name: share * losses.get(name, 0.0) + 0.0 * outputs[name].sum()
            for name, share in shares.items()
            if name in outputs
        }

    def zero_unless_first(self, term: Tensor) -> Tensor:
        """``term`` on rank 0 and zero elsewhere, so that the sum over the ranks contains it exactly once."""
        return term if self.is_first else 0.0 * term

    def reduce(self, parameters: Iterable[Tensor], losses: Sequence[Tensor]) -> list[Tensor]:
        """Replace the parameters' gradients by their sums over the ranks, and return the sums of the losses.

        A parameter without a gradient on any rank keeps none. The returned losses carry no gradients.
        """
        if self.size == 1:
            return [loss.detach() for loss in losses]
        chosen = list(parameters)
        gradients, summed = self.sum([parameter.grad for parameter in chosen], chosen, losses)
        for parameter, gradient in zip(chosen, gradients, strict=True):
            parameter.grad = gradient
        return summed

    @torch.no_grad()
    def sum(
        self, gradients: Sequence[Tensor | None], like: Sequence[Tensor], losses: Sequence[Tensor] = ()
    ) -> tuple[list[Tensor | None], list[Tensor]]:
        """Sum gradients and scalars over the ranks, in one exchange.

        Args:
            gradients: this rank's; None for a missing one.
            like: tensors of the gradients' shapes and memory formats.
            losses: scalars.

        Returns:
            the summed gradients, None where no rank has one, and the summed losses.
        """
        if self.size == 1:
            return list(gradients), list(losses)
        # The host must know which gradients exist before it concatenates them, so it waits for the GPU once a step.
        there = torch.tensor([gradient is not None for gradient in gradients], dtype=torch.uint8, device=self.device)
        if len(there):
            dist.all_reduce(there, dist.ReduceOp.MAX)
        used = [bool(is_there) for is_there in there.tolist()]
        laid = [
            as_real(torch.zeros_like(tensor) if gradient is None else gradient).flatten()
            for gradient, tensor, is_used in zip(gradients, like, used, strict=True)
            if is_used
        ]
        laid += [loss.detach().flatten() for loss in losses]
        pieces: Iterator[Tensor] = iter(())
        if laid:
            flat = torch.cat(laid)
            dist.all_reduce(flat)
            pieces = iter(torch.split(flat, [len(piece) for piece in laid]))
        summed = [
            _filled(torch.empty_like(tensor), next(pieces)) if is_used else None
            for tensor, is_used in zip(like, used, strict=True)
        ]
        return summed, [piece.squeeze() for piece in pieces]

    def _send(self, data: bytes) -> None:
        dist.broadcast(torch.tensor([len(data)], device=self.device), 0)
        dist.broadcast(torch.frombuffer(bytearray(data), dtype=torch.uint8).to(self.device), 0)

    def _receive(self) -> bytes:
        length = torch.zeros(1, dtype=torch.int64, device=self.device)
        dist.broadcast(length, 0)
        data = torch.empty(int(length), dtype=torch.uint8, device=self.device)
        dist.broadcast(data, 0)
        return data.cpu().numpy().tobytes()


SINGLE_PROCESS = Ranks()
"""A single process, which does not share its batches."""


def as_real(tensor: Tensor) -> Tensor:
    """View complex numbers as pairs of real ones, [..., 2], in the same memory; a real tensor is returned unchanged."""
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor


def _filled(tensor: Tensor, numbers: Tensor) -> Tensor:
    real = as_real(tensor)
    real.copy_(numbers.view(real.shape))
    return tensor


class _FromFirst(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, device: torch.device) -> Tensor:
        taken = values.to(device, copy=True).contiguous()
        dist.broadcast(taken, 0)
        return taken.to(values.device)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        return slopes[0], None
