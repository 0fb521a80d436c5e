"""Running the candidates of a block as one computation on their stacked weights, instead of one after another."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from nas.engine import is_synchronised
from nas.errors import InputError, in_one_line
from nas.networks.backbone import check_outputs
from nas.networks.supernet.trace import trace

_LOGGER = logging.getLogger(__name__)


_Places = dict[str, list[tuple[Mapping[str, Tensor | None], str]]]
"""By the name of a tensor within a candidate: where each candidate keeps it."""


class _Batching(NamedTuple):
    """How many inputs every candidate has if there is more than one, and the inputs' axis if each has its own."""

    inputs: int | None
    own: int | None


class BatchedCandidates:
    """C candidates of one block that run together: all on one input, all on several inputs, or each on its own input.

    Outputs, gradients and the BatchNorms' running statistics are, up to rounding, those of the candidates run one after
    another on their inputs in order. The candidates keep their weights, which are stacked at every call.

    A block can be batched if its candidates differ only in the values of parameters and BatchNorm statistics, and its
    computation does not depend on values. A block is not batched if it has other buffers, BatchNorms that average over
    all batches (momentum None) or over several processes, or forward hooks; if it is compiled or draws random numbers
    (dropout); or if `torch.vmap` does not support it. The reason is logged once, as information.
    """

    def __init__(self, name: str, candidates: Sequence[nn.Module], checkpoint_activations: bool = False) -> None:
        self.name = name
        self._checkpoint = checkpoint_activations
        self._first = candidates[0]
        self._first_modules = list(self._first.modules())
        self._modules = [module for candidate in candidates for module in candidate.modules()]
        # By the modules that have them, since a buffer that moves to a device is another tensor.
        self._params = _places(candidates, lambda module: module._parameters)
        self._buffers = _places(candidates, lambda module: module._buffers)
        self._momentum = _momentum_of_buffers(candidates[0])
        self._num_candidates = len(candidates)
        self.num_weights = sum(parameter.numel() for parameter in candidates[0].parameters())
        self._traces: dict[object, Callable[..., Tensor] | None] = {}
        self._refused = _why_not(candidates)
        self._told = False

    def mixed(
        self, features: Sequence[Tensor], routing_TC: Tensor, weights_TC: list[list[float]] | None
    ) -> list[Tensor] | None:
        """sum_c routing[t, c] * candidate c(features[t]) for each task; tasks with equal features share one tensor.

        Args:
            features: the features of T tasks, [B, ...].
            routing_TC, weights_TC: the weights as a tensor, and as numbers unless they need a gradient.

        Returns:
            None if candidates must run one after another, because the block cannot be batched or some weights are zero.
            Zero weights are batched in one case: every task uses one candidate, at least two candidates are used, and
            each of these has one input.
        """
        if weights_TC is None or all(weight != 0.0 for row in weights_TC for weight in row):
            return self._mixed_all(features, routing_TC)
        if any(row.count(0.0) < len(row) - 1 or 1.0 not in row for row in weights_TC):
            return None
        pairs = [(id(feature), row.index(1.0)) for feature, row in zip(features, weights_TC, strict=True)]
        inputs = dict(zip(pairs, features, strict=True))
        chosen = [c for _, c in inputs]
        if len(chosen) < 2 or len(set(chosen)) < len(chosen):
            return None
        if all(feature is features[0] for feature in features):
            outputs = self._run(chosen, features[0], _Batching(None, None))
        else:
            outputs = self._run(chosen, torch.stack(list(inputs.values())), _Batching(None, own=0))
        if outputs is None:
            return None
        by_pair = dict(zip(inputs, outputs.unbind(), strict=True))
        return [by_pair[pair] for pair in pairs]

    def _mixed_all(self, features: Sequence[Tensor], routing_TC: Tensor) -> list[Tensor] | None:
        inputs = list({id(feature): feature for feature in features}.values())
        every = range(self._num_candidates)
        if len(inputs) == 1:
            outputs = self._run(every, inputs[0], _Batching(None, None))
        elif len(inputs) == len(features):
            outputs = self._run(every, torch.stack(inputs), _Batching(len(inputs), None))
        else:
            return None
        if outputs is None:
            return None
        routing_TC = routing_TC.to(outputs)
        if len(inputs) == 1:
            mixed, shape = routing_TC @ outputs.flatten(1), outputs.shape[1:]
        else:
            mixed, shape = torch.bmm(routing_TC.unsqueeze(1), outputs.flatten(2)), outputs.shape[2:]
        return [mixed.view(shape)] if len(features) == 1 else list(mixed.view(len(features), *shape).unbind())

    def _run(self, chosen: Sequence[int], inputs: Tensor, batching: "_Batching") -> Tensor | None:
        """Outputs of the P chosen candidates: [P, B, ...] on one input or on one each, [I, P, B, ...] on I inputs."""
        if self._refused is not None:
            self._tell(self._refused)
            return None
        if any(_is_watched(module) for module in self._modules):
            return None
        params = [torch.stack(_tensors(places, chosen)) for places in self._params.values()]
        buffers = [torch.stack(_tensors(places, chosen)) for places in self._buffers.values()]
        if batching.inputs is not None:
            # Each input has its own statistics, which are combined afterwards.
            buffers = [
                buffer.unsqueeze(1).expand(len(chosen), batching.inputs, *buffer.shape[1:]).contiguous()
                for buffer in buffers
            ]
        arguments = (*params, *buffers, inputs)
        key = (
            *(batching, len(chosen), inputs.shape, inputs.stride(), inputs.dtype, inputs.device),
            torch.is_autocast_enabled(inputs.device.type),
            *(module.training for module in self._first_modules),
        )
        if key not in self._traces:
            self._traces[key] = self._trace(arguments, batching)
        run = self._traces[key]
        if run is None:
            return None
        if self._checkpoint and torch.is_grad_enabled():
            # The second run, in the backward pass, changes these buffers again, but they are not read after that.
            outputs: Tensor = checkpoint(
                lambda inputs, *params: run(*params, *buffers, inputs), inputs, *params, use_reentrant=False
            )
        else:
            outputs = run(*arguments)
        if self._first.training:
            self._keep_statistics(chosen, buffers, batching.inputs)
        return outputs

    def _trace(self, arguments: tuple[Tensor, ...], batching: "_Batching") -> Callable[..., Tensor] | None:
        names = [*self._params, *self._buffers]

        def call(*arguments: Tensor) -> Tensor:
            state = dict(zip(names, arguments[:-1], strict=True))
            outputs: Tensor = functional_call(self._first, state, (arguments[-1],))
            check_outputs(self.name, outputs, len(arguments[-1]))
            return outputs

        run, out_dim = call, 0
        if batching.inputs is not None:
            run, out_dim = vmap(call, in_dims=(*[None] * len(self._params), *[0] * len(self._buffers), 0)), 1
        try:
            return trace(vmap(run, in_dims=(*[0] * len(names), batching.own), out_dims=out_dim), *arguments)
        except InputError:
            raise
        except Exception as error:  # whatever keeps a user's block from being batched, it runs without
            self._tell(in_one_line(error))
            return None

    def _tell(self, reason: str) -> None:
        if not self._told:
            _LOGGER.info("the candidates of %s run one after another: %s", self.name, reason)
        self._told = True

    @torch.no_grad()
    def _keep_statistics(self, chosen: Sequence[int], buffers: Sequence[Tensor], num_inputs: int | None) -> None:
        """Put the statistics of the run into the candidates' buffers.

        With r the value before, m the momentum and s_i the statistic of input i, the run gave r_i = (1-m) r + m s_i.
        One after another the inputs give

            (1-m)^I r + sum_i m (1-m)^(I-1-i) s_i  =  sum_i (1-m)^(I-1-i) r_i - r sum_{i=1..I-1} (1-m)^i
        """
        for (name, places), buffer in zip(self._buffers.items(), buffers, strict=True):
            momentum = self._momentum[name]
            for copy, after in zip(_tensors(places, chosen), buffer.unbind(), strict=True):
                if num_inputs is None:
                    copy.copy_(after)
                elif momentum is None:
                    copy.add_((after - copy).sum())
                else:
                    kept_I = torch.tensor([(1.0 - momentum) ** i for i in reversed(range(num_inputs))])
                    total = torch.tensordot(kept_I.to(after), after, dims=1)
                    copy.mul_(1.0 - kept_I.sum()).add_(total)


def _places(candidates: Sequence[nn.Module], tensors: Callable[[nn.Module], Mapping[str, Tensor | None]]) -> _Places:
    """For each tensor of a candidate, its place in every candidate; a tensor used twice counts once."""
    places: _Places = {}
    seen: set[int] = set()
    for prefix, _ in candidates[0].named_modules():
        modules = [candidate.get_submodule(prefix) for candidate in candidates]
        for name, tensor in tensors(modules[0]).items():
            if tensor is not None and id(tensor) not in seen:
                seen.add(id(tensor))
                places[f"{prefix}.{name}" if prefix else name] = [(tensors(module), name) for module in modules]
    return places


def _tensors(places: list[tuple[Mapping[str, Tensor | None], str]], chosen: Sequence[int]) -> list[Tensor]:
    return [cast(Tensor, tensors[name]) for tensors, name in map(places.__getitem__, chosen)]


def _momentum_of_buffers(candidate: nn.Module) -> dict[str, float | None]:
    """The momentum of each running statistic, by its name; None for the number of batches."""
    return {
        f"{prefix}.{name}" if prefix else name: None if name == "num_batches_tracked" else module.momentum
        for prefix, module in candidate.named_modules()
        if isinstance(module, _BatchNorm)
        for name, _ in module.named_buffers()
    }


def _is_watched(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks or module._compiled_call_impl)


def _why_not(candidates: Sequence[nn.Module]) -> str | None:
    first = candidates[0]
    if len(candidates) == 1:
        return "there is one"
    if any(_layout(candidate) != _layout(first) for candidate in candidates):
        return "its candidates differ in their parts"
    norms = [module for module in first.modules() if isinstance(module, _BatchNorm)]
    if {id(buffer) for buffer in first.buffers()} - {id(buffer) for norm in norms for buffer in norm.buffers()}:
        return "it has buffers that do not belong to a BatchNorm"
    if any(norm.momentum is None for norm in norms):
        return "a BatchNorm averages over all batches (momentum None)"
    if any(map(is_synchronised, norms)):
        return "its BatchNorms take statistics from several processes"
    return None


def _layout(candidate: nn.Module) -> list[tuple[object, ...]]:
    tensors = [*candidate.named_parameters(), *candidate.named_buffers()]
    modules = [(name, type(module)) for name, module in candidate.named_modules()]
    return [*modules, *((name, tensor.shape, tensor.dtype) for name, tensor in tensors)]
