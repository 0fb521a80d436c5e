"""Memory of activations: the bytes that autograd keeps for the backward pass."""

import torch
from torch import Tensor, nn


def activation_bytes(module: nn.Module, inputs: tuple[Tensor, ...]) -> int:
    """Bytes that one forward pass saves for the backward pass, without parameters and buffers.

    A storage counts once, even if several operators saved it. The module runs in evaluation mode, in which a BatchNorm
    saves its input as in training, but accepts a single sample.
    """
    own = {tensor.untyped_storage().data_ptr() for tensor in (*module.parameters(), *module.buffers())}
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        pointer = tensor.untyped_storage().data_ptr()
        if pointer not in own:
            # The tensor is kept so that no other one gets its address meanwhile.
            kept[pointer] = tensor
        return tensor

    differentiable = tuple(tensor.detach().requires_grad_(tensor.is_floating_point()) for tensor in inputs)
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        # Of copies, since a module that begins in place writes to them, which a leaf forbids. The output must live
        # until the count, or what it keeps would be freed.
        output = module(*(tensor.clone() for tensor in differentiable))
        total = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
        del output
    return total
