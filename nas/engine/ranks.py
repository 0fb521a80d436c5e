"""What the processes that train one network tell one another in every step."""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

Labels = Mapping[str, Tensor]
"""By task, the labels that a batch has."""

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Ranks:
    """The processes that share each batch, as one of them sees them; alone, every method is the identity.

    Every rank holds the whole network and 1/size of each batch. With n_tr labels of task t on rank r, the batch's loss
    is put together from the ranks' own means, exactly, however unevenly labels are missing:

        loss_t = sum_r share_tr loss_tr,    share_tr = n_tr / sum_r n_tr

    so gradients and losses are summed over the ranks, which is the mean over all labelled samples. A loss that is no
    mean over samples, as one over the known pixels of a batch, is put together by samples all the same.

    Collectives must come in the same order on every rank, and a BatchNorm makes some in every forward and backward
    pass. So a task runs on all ranks if one of them has its label; on the others with a loss of zero.

    Differs from: torch's DistributedDataParallel, which averages the gradients of one backward pass of one fixed set
    of weights. Here a step may have one backward pass for each task, the weights that take part change with every
    routing, and those that nobody used must keep no gradient, since an optimiser's momentum moves what has one.

    Args:
        rank: of this process; rank 0 decides and writes.
        size: number of processes, of torch's default process group.
        device: of what is exchanged; nccl takes tensors on a GPU alone.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = _CPU

    @classmethod
    def from_process_group(cls, device: torch.device) -> "Ranks":
        """Those of torch's default process group, which has been initialised."""
        return cls(dist.get_rank(), dist.get_world_size(), device)

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    @property
    def shard(self) -> tuple[int, int]:
        """Which part of each batch is this rank's, for `nas.data.batches`."""
        return self.rank, self.size

    @property
    def seed_suffix(self) -> tuple[int, ...]:
        """What makes a seed the rank's own; nothing on rank 0, whose numbers are those of a process that is alone."""
        return (self.rank,) if self.rank else ()

    def call_on_first(self, make: Callable[[], Any]) -> Any:
        """What ``make`` gives on rank 0, where alone it is called: tensors and plain values.

        Tensors arrive on the CPU. What it raises is raised on rank 0; the others wait until their group is ended.
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
        """Rank 0's values; gradients go on to this rank's own."""
        if self.size == 1:
            return values
        taken: Tensor = _FromFirst.apply(values, self.device)  # type: ignore[no-untyped-call]
        return taken

    @torch.no_grad()
    def copy_from_first(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors with those of rank 0."""
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
        """All ranks' values, [size, ...], the same on each."""
        gathered = [torch.empty_like(values) for _ in range(self.size)]
        dist.all_gather(gathered, values.contiguous())
        return torch.stack(gathered)

    def label_shares(self, batches: Sequence[Labels], names: Sequence[str]) -> list[dict[str, float]]:
        """For each batch, the tasks that any rank has labels of in it, and the part of all labels that is here.

        Args:
            batches: the labels of the batches of one step.
            names: of the tasks that count.

        Returns:
            by task, this rank's labels in the batch over those of all batches on all ranks; 0 where others have some.
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
        """This rank's parts of the losses: share times loss, and zero for a task that only others have labels of.

        Zero times the outputs is added, so that every rank's backward pass goes the same way, whatever a loss makes of
        labels without a known value.
        """
        if self.size == 1:
            return {name: loss if shares[name] == 1.0 else loss * shares[name] for name, loss in losses.items()}
        return {
            name: share * losses.get(name, 0.0) + 0.0 * outputs[name].sum()
            for name, share in shares.items()
            if name in outputs
        }

    def zero_unless_first(self, term: Tensor) -> Tensor:
        """A term that is the same on all ranks, so that their sum has it once."""
        return term if self.is_first else 0.0 * term

    def reduce(self, parameters: Iterable[Tensor], losses: Sequence[Tensor]) -> list[Tensor]:
        """The sums over the ranks of losses, without gradients; the parameters' gradients become theirs, too.

        A parameter that has a gradient on no rank keeps none.
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
        """Sums over the ranks, in one exchange: of gradients, None where no rank has one, and of scalars.

        Args:
            gradients: of this rank.
            like: tensors of the gradients' shapes and memory formats.
            losses: scalars.
        """
        if self.size == 1:
            return list(gradients), list(losses)
        # Which there are has to be known here before they are laid side by side, so a GPU is waited for once a step.
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
"""A process that shares its batches with no other."""


def as_real(tensor: Tensor) -> Tensor:
    """Complex numbers as pairs of real ones, [..., 2], in the same memory; real ones as they are."""
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
