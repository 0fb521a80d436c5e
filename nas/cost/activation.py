"""Memory of activations: what autograd keeps for the backward pass."""

import torch
from torch import Tensor, nn


def activation_bytes(module: nn.Module, inputs: tuple[Tensor, ...]) -> int:
    """Bytes that one forward pass saves for the backward pass, beside parameters and buffers.

    Every storage counts once, however many operators saved it. Evaluation mode: a batch norm then saves its
    input as in training, but a single sample is enough.
    """
    own = {tensor.untyped_storage().data_ptr() for tensor in (*module.parameters(), *module.buffers())}
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        pointer = tensor.untyped_storage().data_ptr()
        if pointer not in own:
            # Holding the tensor keeps its address from being given to another one meanwhile.
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
