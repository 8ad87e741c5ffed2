"""Training in several processes, as `torchrun` starts them, each on its own rows.

Gradients are averaged after the backward pass, and batch normalisation takes its statistics over all processes, so
that two processes compute what one does with twice the batch. Random numbers that an objective draws are each
process's own.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


@dataclass(frozen=True)
class Group:
    """This process among `world`."""

    rank: int = 0
    world: int = 1

    @classmethod
    def join(cls, device: torch.device) -> Group:
        """The group that torchrun's environment names; a lone process outside it."""
        world = int(os.environ.get("WORLD_SIZE", "1"))
        if world == 1:
            return cls()
        if not dist.is_initialized():
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        return cls(dist.get_rank(), world)

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its mean over all processes."""
        if self.world == 1 or not tensors:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(flat)
        flat /= self.world
        parts = torch.split(flat, [tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))

    def prepare(self, networks: Iterable[nn.Module]) -> None:
        """Let batch normalisation see the rows of all processes."""
        if self.world > 1:
            for network in networks:
                for module in network.modules():
                    if isinstance(module, _BatchNorm):
                        # of this one instance, so that names in state dicts stay those of plain batch normalisation
                        module.forward = partial(_normalise, module, self.world)  # type: ignore[method-assign]

    def wait(self) -> None:
        """Until every process is here."""
        if self.world > 1:
            dist.barrier()


class _Sum(torch.autograd.Function):
    """Sum over all processes; each gets the sum of what the others' losses say of it."""

    @staticmethod
    def forward(_: Any, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        return total


def _normalise(norm: _BatchNorm, world: int, x: Tensor) -> Tensor:
    """What the layer does in training with the rows [B, C, ...] of all processes together."""
    if not norm.training:
        return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, False, 0.0, norm.eps)
    axes = [axis for axis in range(x.dim()) if axis != 1]
    shape = [1, -1, *[1] * (x.dim() - 2)]
    count = world * x.numel() // x.shape[1]
    wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    mean = _sum(wide.sum(axes)) / count
    centred = wide - mean.view(shape)
    variance = _sum(centred.square().sum(axes)) / count
    if norm.running_mean is not None and norm.running_var is not None and norm.momentum is not None:
        with torch.no_grad():
            norm.running_mean.lerp_(mean, norm.momentum)
            norm.running_var.lerp_(variance * (count / max(1, count - 1)), norm.momentum)
            if norm.num_batches_tracked is not None:
                norm.num_batches_tracked.add_(1)
    normalised = centred * (variance + norm.eps).rsqrt().view(shape)
    if norm.affine:
        normalised = normalised * norm.weight.view(shape) + norm.bias.view(shape)
    return normalised.to(x.dtype)


def _sum(x: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(x)
    return total
