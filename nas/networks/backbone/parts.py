"""Making the parts of a network, with checks that no two share weights."""

import copy
from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from nas.errors import InputError, in_one_line
from nas.networks.backbone.channels import stated_channel_dims
from nas.networks.backbone.protocol import Backbone
from nas.networks.backbone.scaled_head import scaled
from nas.tasks.task import Task

M = TypeVar("M", bound=nn.Module)


class PartMaker:
    """Makes the stem, blocks and heads of one network, and refuses unsuitable parts.

    No two parts may share a tensor, because each is trained separately. Otherwise the network would train without an
    error, and a search would report that its tasks are alike.

    Raises:
        InputError: from each method, if a part is not a module, holds a lazy parameter, or shares a parameter or buffer
            with an earlier part.
    """

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone
        self._num_calls: Counter[str] = Counter()
        # By address: the tensor (kept, so that its address is not reused), its name, and the call that returned it.
        self._owners: dict[int, tuple[Tensor, str, str, int]] = {}

    def stem(self) -> nn.Module:
        return self._checked(self._backbone.make_stem(), "make_stem()")

    def block(self, l: int) -> nn.Module:
        return self._checked(self._backbone.make_block(l), f"make_block({l})")

    def head(self, task: Task) -> nn.Module:
        return scaled(self._checked(self._backbone.make_head(task), f"make_head({task.name})"), task)

    def _checked(self, part: nn.Module, call: str) -> nn.Module:
        where = f"backbone {type(self._backbone).__name__}: {call}"
        if not isinstance(part, nn.Module):
            raise InputError(f"{where} must give a torch module; found {type(part).__name__}")
        self._num_calls[call] += 1
        number = self._num_calls[call]
        for name, tensor in (*part.named_parameters(), *part.named_buffers()):
            if is_lazy(tensor):
                lazy = type(part.get_submodule(name.rpartition(".")[0])).__name__
                raise InputError(
                    f"{where} gives {lazy}, whose {name} has no shape before it has run; "
                    f"write {lazy.replace('Lazy', '')} with the number of inputs, or run the module once on an example "
                    f"inside {call.partition('(')[0]}"
                )
            _, other_name, other_call, other_number = self._owners.setdefault(
                _address(tensor), (tensor, name, call, number)
            )
            if (other_call, other_number) != (call, number):
                both = f"two calls of {call}" if other_call == call else f"{other_call} and {call}"
                names = name if other_name == name else f"{other_name} (there called {name})"
                raise InputError(
                    f"backbone {type(self._backbone).__name__}: {both} give modules with the same {names}; each "
                    "must have parameters and buffers of its own: make it in the call, or return copy.deepcopy(module)"
                )
        return part


def check_backbone(backbone: Backbone, tasks: Sequence[Task]) -> None:
    """Check a backbone without running it: make every part twice, as a search does, and copy it.

    Raises:
        InputError: `PartMaker` refuses a part, a part cannot be copied, no part has a parameter to train, or
            ``channel_dim`` is not a dimension.
    """
    stated_channel_dims(backbone)
    maker = PartMaker(backbone)
    with torch.random.fork_rng(devices=()):
        for _ in range(2):
            made = {"make_stem()": maker.stem()}
            made |= {f"make_block({l})": maker.block(l) for l in range(backbone.num_blocks)}
            made |= {f"make_head({task.name})": maker.head(task) for task in tasks}
        if not any(parameter.requires_grad for part in made.values() for parameter in part.parameters()):
            raise InputError(f"backbone {type(backbone).__name__}: none of its parts has a parameter to train")
        for call, part in made.items():
            try:
                copied(part)
            except Exception as error:  # whatever a module's own __deepcopy__ raises
                raise InputError(
                    f"backbone {type(backbone).__name__}: the module of {call} cannot be copied with copy.deepcopy, "
                    f"as candidates and averaged weights are: {in_one_line(error)}"
                ) from error


def copied(module: M) -> M:
    """A deep copy of a module, which may hold computed tensors.

    The hooks of `torch.nn.utils.weight_norm` and `spectral_norm` store the computed weight as an attribute, which
    Python's deepcopy refuses. The copy gets its value, and computes it again when it runs.
    """
    computed = {
        id(value): value.detach().clone()
        for part in module.modules()
        for value in vars(part).values()
        if isinstance(value, Tensor) and not value.is_leaf
    }
    return copy.deepcopy(module, dict(computed))


def _address(tensor: Tensor) -> int:
    """The address of a tensor's memory, so that two parameters over the same memory count as one."""
    # Tensors on the meta device and empty tensors have the address 0.
    return tensor.data_ptr() or id(tensor)
