"""What can be wrong in a call of this package: messages name the argument, what was given and what is expected."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from torch import Tensor

ROUNDING = 1e-3  # resampled images may leave [0, 1] by this much


class UnknownName(ValueError):
    """A name that does not exist; the message gives the nearest that do."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        known = sorted(known)
        near = get_close_matches(name, known, n=2, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        super().__init__(f"unknown {kind} {name!r}: {hint}(known: {', '.join(known)})")


class InputError(ValueError):
    """A tensor that a network cannot take."""


def check_images(name: str, images: Tensor, *, channels: int = 3, multiple: int = 1) -> None:
    """Raise `InputError` unless `images` is floating [B, channels, H, W] in [0, 1], H and W multiples of `multiple`."""
    given = f"{str(images.dtype).removeprefix('torch.')} {list(images.shape)}"
    if images.dim() != 4 or images.shape[1] != channels or not images.is_floating_point():
        raise InputError(f"{name}: expected a floating tensor [B, {channels}, H, W], got {given}")
    height, width = images.shape[2:]
    if images.shape[0] == 0 or height == 0 or width == 0:
        raise InputError(f"{name}: expected at least one image and one pixel, got {given}")
    if height % multiple or width % multiple:
        raise InputError(f"{name}: height and width must be multiples of {multiple}, got {height} x {width}")
    low, high = (float(extreme) for extreme in images.detach().aminmax())
    if not (low >= -ROUNDING and high <= 1 + ROUNDING):  # false for NaN too
        raise InputError(f"{name}: expected values in [0, 1], got {low:.4g} to {high:.4g}")


def check_shape(name: str, tensor: Tensor, expected: tuple[int | None, ...]) -> None:
    """Raise `InputError` unless `tensor` has the shape `expected`, where None stands for any size."""
    fits = tensor.dim() == len(expected) and all(
        want in (None, size) for want, size in zip(expected, tensor.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if size is None else str(size) for size in expected)
        raise InputError(f"{name}: expected shape [{wanted}], got {list(tensor.shape)}")
