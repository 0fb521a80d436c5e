"""Own copies: K networks for every task behind one shared stem, built as a supernet with K T tasks and candidates.

Candidate k T + t of every block belongs to copy k of task t. The first copy of a task has the task's own name; the
other copies are called its twins.
"""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from nas.data import Batch
from nas.networks.backbone import Backbone
from nas.networks.supernet import Supernet, own_copy_routing
from nas.tasks import Task


def copies_of(name: str, copies: int) -> list[str]:
    """The names of a task's K copies. They contain a colon, which names of tasks do not."""
    return [name, *(f"{name}:{k}" for k in range(1, copies))]


def twins_of(tasks: Sequence[Task], copies: int) -> tuple[Task, ...]:
    """All first copies (the tasks), then all second copies, and so on. Copies of a task differ only in their names."""
    names = [copies_of(task.name, copies) for task in tasks]
    return tuple(task.model_copy(update={"name": names[t][k]}) for k in range(copies) for t, task in enumerate(tasks))


def twin_batch(batch: Batch, copies: int) -> Batch:
    """The batch with every task's labels for each of its copies."""
    return Batch(
        batch.inputs,
        {twin: labels for name, labels in batch.labels.items() for twin in copies_of(name, copies)},
        {twin: rows for name, rows in batch.present.items() for twin in copies_of(name, copies)},
    )


def make_copies(backbone: Backbone, tasks: Sequence[Task], copies: int, *, affine_last_norm: bool = True) -> Supernet:
    """A supernet of K T candidates a block, each as the backbone makes it.

    Blocks with random weights start differently, so the distance between two trained copies of one task shows the
    effect of chance. Pretrained blocks start equal, and then only the heads start differently.
    """
    twins = twins_of(tasks, copies)
    originals = {twin.name: tasks[i % len(tasks)] for i, twin in enumerate(twins)}
    return Supernet(_Twinned(backbone, originals), twins, equal_start=False, affine_last_norm=affine_last_norm)


def routing_of(copies: Supernet) -> Tensor:
    """The routing that sends every copy through its own candidates, [L, K T, K T]."""
    return own_copy_routing(copies.num_blocks, len(copies.task_names), copies.num_candidates)


class _Twinned:
    """A backbone that makes the head of a twin by its task's name, since the head may depend on the name."""

    def __init__(self, backbone: Backbone, originals: Mapping[str, Task]) -> None:
        self.num_blocks = backbone.num_blocks
        self.taps = backbone.taps
        self.make_stem = backbone.make_stem
        self.make_block = backbone.make_block
        self._make_head = backbone.make_head
        self._originals = originals
        self.channel_dim = getattr(backbone, "channel_dim", None)

    def make_head(self, task: Task) -> nn.Module:
        return self._make_head(self._originals[task.name])
