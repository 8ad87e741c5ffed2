"""What the adapters of models share: networks filled from a checkpoint and made quick, checked images, streams."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar, cast, get_args

import torch
from torch import Tensor, nn

import models
from baselines.checkpoint import Checkpoint, load_networks
from baselines.interface import Extras, ModelSpec, Source
from models.errors import InputError, UnknownName, check_images, check_shape
from models.folding import EnlargingConvolution, NarrowConvolution, folded

Precision = Literal["fp32", "bf16", "fp16"]
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
HALVED = (nn.Linear, nn.Conv2d, nn.Conv3d, EnlargingConvolution, NarrowConvolution)
PUBLIC = (
    "encode_source",
    "reenact",
    "reenact_with_mask",
    "redirect",
    "free_view",
    "motion",
    "render",
    "encode_motion",
    "decode",
)
RANDOM = "random"
_NO_WEIGHTS = object()
C = TypeVar("C", bound=Callable[..., Any])
Self = TypeVar("Self", bound="NetworkModel")


def _at_precision(call: C) -> C:
    """A public call without gradients and at the model's precision, whose images come out as float32."""

    @wraps(call)
    def run(self: NetworkModel, *args: Any, **kwargs: Any) -> Any:
        dtype = DTYPES.get(self.precision)
        with torch.inference_mode(), torch.autocast(self.device.type, dtype=dtype, enabled=dtype is not None):
            result = call(self, *args, **kwargs)
        return result.float() if isinstance(result, Tensor) else result

    return cast(C, run)


class NetworkModel:
    """An adapter says of itself what stands here, and adds `encode_source` and `reenact`.

    Its networks are copies folded by `models.folding`. Its public calls (`PUBLIC`) run without gradients and at the
    precision that `use` set; they take float32 and give float32.
    """

    name: ClassVar[str]
    architecture: ClassVar[str] = ""  # in `models`, and of its checkpoints, where its name is another
    parts: ClassVar[tuple[str, ...]]  # which networks of its architecture it is driven with
    optional: ClassVar[tuple[str, ...]] = ()  # those it can do without, where its weights lack them
    resolutions: ClassVar[dict[str, int]]  # by preset: side of the images it takes and gives
    paper: ClassVar[str]
    licence: ClassVar[str]
    shots: ClassVar[int] = 1
    capabilities: ClassVar[tuple[str, ...]] = ()
    follows: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ()
    compilable: ClassVar[tuple[str, ...]] = ()  # calls of networks, as "generator.decode"; empty: each one's forward

    precision: Precision = "fp32"
    compiled: bool = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in PUBLIC:
            if name in cls.__dict__:
                setattr(cls, name, _at_precision(cls.__dict__[name]))

    def __init__(self, preset: str = "mini", checkpoint: str | Path | None = None, device: str = "cpu") -> None:
        architecture = self.architecture or self.name
        if checkpoint is cast(Any, _NO_WEIGHTS):
            networks, found = _random_networks(architecture, preset, device, (*self.parts, *self.optional))
        else:
            networks, found = load_networks(architecture, preset, checkpoint, device, self.parts, self.optional)
        parameters = sum(p.numel() for network in networks.values() for p in network.parameters())
        self.networks: dict[str, nn.Module] = {part: folded(networks.pop(part)) for part in [*networks]}
        self.device = torch.device(device)
        self.resolution = self.resolutions[found.preset]
        self.spec = ModelSpec(
            name=self.name,
            preset=found.preset,
            resolution=self.resolution,
            paper=self.paper,
            licence=self.licence,
            shots=self.shots,
            parameters=parameters,
            capabilities=self.capabilities,
            follows=self.follows,
            needs=self.needs,
            checkpoint=found.path.name,
            weights_sha256=found.sha256,
            details=found.details,
        )

    @classmethod
    def random(cls: type[Self], preset: str = "mini", device: str = "cpu") -> Self:
        """The model with random weights, always the same: to measure its speed, which does not depend on them."""
        return cls(preset, cast(None, _NO_WEIGHTS), device)

    def use(self, precision: Precision = "fp32", compiled: bool = False) -> None:
        """Choose how the networks compute, once, before the first call.

        Below "fp32", convolutions and matrix products take and give that type (`torch.autocast`), on weights kept in
        it. `compiled`: `torch.compile` of the calls in `compilable`; the first call of each takes minutes.
        """
        if precision not in get_args(Precision):
            raise UnknownName("precision", precision, get_args(Precision))
        if self.precision != "fp32" or self.compiled:
            raise ValueError(f"{self.name} computes in {self.precision} already: load it anew")
        self.precision, self.compiled = precision, compiled
        if precision != "fp32":
            for module in (module for network in self.networks.values() for module in network.modules()):
                plain = {name for name, _ in module.named_parameters()} <= {"weight", "bias"}  # and not made of others
                if isinstance(module, HALVED) and plain:
                    module.to(DTYPES[precision])
        if compiled:
            for name in self.compilable or [f"{part}.forward" for part in self.parts]:
                path, _, call = name.rpartition(".")
                part, _, inner = path.partition(".")
                module = self.networks[part].get_submodule(inner)
                setattr(module, call, torch.compile(getattr(module, call)))

    def stream(
        self, source: Source, chunks: Iterable[tuple[Tensor, Extras]], relative_to: Tensor | None = None
    ) -> Iterator[Tensor]:
        """Frames [t, 3, R, R] for each chunk of driving frames [t, 3, R, R] and their extras, as they come: the memory
        does not grow with the video."""
        reenact = cast(Any, self).reenact  # of the adapter
        for driving, extras in chunks:
            yield reenact(source, driving, extras, relative_to=relative_to)

    def check(self, name: str, images: Tensor) -> None:
        """Raise `InputError` unless `images` is [N, 3, R, R] in [0, 1], R the model's resolution, N at least 1."""
        check_shape(name, images, (None, 3, self.resolution, self.resolution))
        check_images(name, images)

    def check_source(self, images: Tensor) -> None:
        """As `check`, of source images, of which the model must be able to use every one."""
        self.check("images", images)
        if len(images) > self.spec.shots:
            most = f"{self.spec.shots} source image{'s' * (self.spec.shots > 1)}"
            raise InputError(f"images: expected at most {most}, which is what {self.name} uses, got {len(images)}")

    def check_one(self, name: str, images: Tensor) -> None:
        """As `check`, of a single frame."""
        self.check(name, images)
        check_shape(name, images, (1, *images.shape[1:]))


def _random_networks(
    architecture: str, preset: str, device: str, parts: tuple[str, ...]
) -> tuple[dict[str, nn.Module], Checkpoint]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        every = models.create(architecture, preset)
    networks = {part: every[part].to(device).eval().requires_grad_(False) for part in parts}
    return networks, Checkpoint(Path(), "", architecture, preset, {}, {}, {"weights": RANDOM})
