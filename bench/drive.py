"""Let a model drive one pair, and take nothing from it on trust."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from baselines.interface import Extras, Redirector, Reenactor
from bench.scoring import Look, to_frames, to_tensor
from curate import video
from curate.errors import UserError

if TYPE_CHECKING:
    from bench.evaluators.suite import Kind
    from bench.pair_reader import PairView
    from curate.perception.interface import Frames

log = logging.getLogger(__name__)

EXTRAS: dict[str, Kind] = {"landmarks68": "landmarks", "mask": "mask"}
"""What models may need -> the kind of feature it is made of."""


class PairFailed(Exception):
    """A model gave no usable frames for one pair; the message is the reason."""


def features_needed(model: Reenactor) -> set[Kind]:
    """Kinds of features that this model's extras are made of; `UserError` for one that bench cannot make."""
    for name in model.spec.needs:
        if name not in EXTRAS:
            raise UserError(
                f"model {model.spec.name} needs {name!r} of every frame; bench gives only: {', '.join(EXTRAS)}"
            )
    return {EXTRAS[name] for name in model.spec.needs}


def undrivable(model: Reenactor, view: PairView) -> NDArray[np.bool_]:
    """Which driving frames [T] lack what the model needs of every frame: no face was found there."""
    lost = np.zeros(len(view.indices), np.bool_)
    for name in model.spec.needs:
        lost |= _lacking(view.driving.features[EXTRAS[name]])
    return lost


def _lacking(feature: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.asarray(np.isnan(feature.reshape(len(feature), -1)).any(axis=1))


def drive(model: Reenactor, view: PairView, seed: int, device: str) -> Frames:
    """The model's frames, uint8 [T, S, S, 3] at the size of the view's looks.

    The model is given what was decoded, resized once to its resolution, and as many source images as it can use; its
    output is rounded to 8 bits and resized.
    `seed` sets torch's generators here, so that no pair's result depends on the pairs before it. Raises `PairFailed`
    when the model raises, gives another shape, or values that are not finite.
    """
    size = view.driving.frames.shape[1]
    side = model.spec.resolution or size
    shown = view.source.taken(np.arange(min(len(view.raw_source), model.spec.shots)))
    raw_source = view.raw_source[: len(shown.frames)]
    if any(_lacking(shown.features[EXTRAS[name]]).any() for name in model.spec.needs):
        raise PairFailed(f"no face found in the source, of which the model needs {', '.join(model.spec.needs)}")
    source, driving = (to_tensor(video.resize(raw, side), device) for raw in (raw_source, view.raw_driving))
    extras = [_extras(model, look, side, size, device) for look in (shown, view.driving)]
    torch.manual_seed(seed)
    try:
        with torch.inference_mode():
            encoded = model.encode_source(source, extras[0])
            if view.angles is not None:
                asked = torch.from_numpy(view.angles).to(device)
                output = cast(Redirector, model).redirect(encoded, *asked.unbind(1))
            elif view.initial is not None:
                initial = to_tensor(video.resize(view.initial, side), device)
                output = model.reenact(encoded, driving, extras[1], relative_to=initial)
            else:
                output = model.reenact(encoded, driving, extras[1])
    except Exception as error:  # a model is anybody's code: whatever it raises costs this pair and no other
        log.debug("model %s failed", model.spec.name, exc_info=True)
        first_line = (str(error).strip() or "no message").splitlines()[0]
        raise PairFailed(f"the model raised {type(error).__name__}: {first_line}") from error
    return video.resize(_checked(output, driving), size)


def _checked(output: object, driving: torch.Tensor) -> Frames:
    if not isinstance(output, torch.Tensor):
        raise PairFailed(f"the model gave a {type(output).__name__} instead of frames {list(driving.shape)}")
    if output.shape != driving.shape:
        raise PairFailed(f"the model gave {list(output.shape)} instead of frames {list(driving.shape)}")
    if not output.is_floating_point() or not bool(output.isfinite().all()):
        raise PairFailed("the model gave values that are not finite floats")
    return to_frames(output)


def _extras(model: Reenactor, look: Look, side: int, size: int, device: str) -> Extras:
    """Found at `size` pixels, given for images of `side`: landmarks68 [T, 68, 2], mask [T, 1, side, side]."""
    made: Extras = {}
    for name in model.spec.needs:
        feature = torch.from_numpy(look.features[EXTRAS[name]])
        if name == "mask":
            made[name] = F.interpolate(feature[:, None], (side, side), mode="area").to(device)
        else:
            made[name] = ((feature + 0.5) * (side / size) - 0.5).to(device)  # integers are at pixel centres
    return made
