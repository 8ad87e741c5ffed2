"""`bench animate`: one portrait, moved as the face in a video moves.

The video is read, driven and written a few frames at a time: memory does not grow with its length. A best first frame
is found in a pass of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

import baselines
from baselines.interface import Extras, Reenactor
from baselines.motion import best_frame
from bench.baseline_errors import baseline_errors
from bench.drive import EXTRAS, features_needed
from bench.evaluators.suite import Suite, open_suite
from bench.scoring import to_frames, to_tensor
from curate import video
from curate.console import milestone, progress, say
from curate.errors import MissingPrerequisite, UserError, unknown

if TYPE_CHECKING:
    from baselines.network_model import Precision
    from curate.perception.interface import Frames

CHUNK = 16  # frames in memory at once
SIDE = 256  # for models that take any


@dataclass(frozen=True)
class Request:
    """What `bench animate` is asked; `animate` explains each."""

    model: str
    source: Path
    driving: Path
    out: Path
    preset: str = "mini"
    checkpoint: str | None = None
    relative: bool = False
    best: bool = False
    device: str = "cpu"
    precision: Precision = "fp32"


def animate(request: Request) -> Path:
    """Write `out`, a silent video as long as `driving`, with the face of the image `source`; atomically.

    `relative`: the source keeps its own pose in the driving video's first frame and moves as that does from there on;
    else it takes the driving frame's pose. `best`: from the frame in which the driving face is posed most like the
    source's; motion goes forward and backward from there. What is not square is cut to the square in its middle. Raises
    `UserError` for what cannot be read or lacks a face that the model needs.
    """
    if request.model not in baselines.names():
        raise unknown("model", request.model, baselines.names())
    if request.best and not request.relative:
        raise UserError("--best-frame says where relative motion begins: it needs --relative")
    if request.device.startswith("cuda") and not torch.cuda.is_available():
        raise MissingPrerequisite(f"device {request.device!r}: there is no CUDA device here; run with --device cpu")
    with baseline_errors():
        model = baselines.load(
            request.model, request.preset, request.checkpoint, request.device, precision=request.precision
        )
    if request.relative and "relative" not in model.spec.capabilities:
        raise UserError(f"model {model.spec.name} knows absolute motion alone: run it without --relative")
    headers = video.info(request.driving)
    needed = features_needed(model)
    suite = open_suite() if needed or request.best else None
    side = model.spec.resolution or SIDE
    source = _square("the source", _image(request.source)[None], side)
    extras = _extras(model, suite, source, "the source", request.device)

    with progress() as bar, baseline_errors():
        count = headers.n_frames or None

        def told(what: str) -> Callable[[int], None]:
            item = bar.add_task(what, total=count, note="")

            def tell(done: int) -> None:
                bar.update(item, completed=done)
                if count and milestone(done, count):
                    say(f"{what}: {done} of {count} frames")

            return tell

        initial = None
        if request.relative:
            start = _best(suite, source, request.driving, side, told("best frame")) if suite and request.best else 0
            frame = next(islice(video.frames(request.driving), start, None)).rgb()
            initial = to_tensor(_square("", frame[None], side), request.device)
            say(f"relative motion from frame {start}")
        with torch.inference_mode():
            encoded = model.encode_source(to_tensor(source, request.device), extras)
        chunks = _driven(model, suite, request, side)
        video.write_video(
            request.out, _pictures(model, encoded, chunks, initial, told(f"animate {model.spec.name}")), headers.fps
        )
    return request.out


def _pictures(
    model: Reenactor,
    source: Any,
    chunks: Iterator[tuple[torch.Tensor, Extras]],
    initial: torch.Tensor | None,
    tell: Callable[[int], None],
) -> Iterator[NDArray[np.uint8]]:
    """The model's frames, one by one."""
    if hasattr(model, "stream"):
        outputs = cast(Any, model).stream(source, chunks, initial)
    else:
        outputs = (model.reenact(source, driving, extras, relative_to=initial) for driving, extras in chunks)
    done = 0
    for output in outputs:
        for picture in to_frames(output):
            yield picture
            done += 1
        tell(done)


def _driven(
    model: Reenactor, suite: Suite | None, request: Request, side: int
) -> Iterator[tuple[torch.Tensor, Extras]]:
    """Chunks of driving frames and what the model needs of them."""
    done = 0
    for frames in _chunks(request.driving, side):
        extras = _extras(model, suite, frames, f"{request.driving.name}, from frame {done} on", request.device)
        yield to_tensor(frames, request.device), extras
        done += len(frames)


def _chunks(path: Path, side: int) -> Iterator[Frames]:
    """A video's frames as uint8 RGB [t, side, side, 3]."""
    decoded = video.frames(path)
    name: str = path.name
    while pictures := [frame.rgb() for frame in islice(decoded, CHUNK)]:
        yield _square(name, np.stack(pictures), side)
        name = ""  # said once


def _best(suite: Suite, source: Frames, path: Path, side: int, tell: Callable[[int], None]) -> int:
    """The driving frame that is posed most like the source."""
    wanted = torch.from_numpy(suite.observe(source).landmarks[0])
    if not wanted.isfinite().all():
        raise UserError("no face found in the source's middle square: crop the image around its face first")
    found: list[torch.Tensor] = []
    for frames in _chunks(path, side):
        found.extend(torch.from_numpy(suite.observe(frames).landmarks))
        tell(len(found))
    return best_frame(wanted, torch.stack(found))


def _extras(model: Reenactor, suite: Suite | None, frames: Frames, what: str, device: str) -> Extras:
    """What the model needs of frames that have its resolution; `UserError` names those without a face."""
    made: Extras = {}
    if suite is None or not model.spec.needs:
        return made
    seen = suite.observe(frames)
    for name in model.spec.needs:
        feature = torch.from_numpy(getattr(seen, EXTRAS[name]))
        if lost := feature.isnan().flatten(1).any(1).nonzero().flatten().tolist():
            raise UserError(f"{what}: no face found in frames {', '.join(map(str, lost))}; {model.spec.name} needs one")
        made[name] = (feature[:, None] if name == "mask" else feature).to(device)
    return made


def _image(path: Path) -> NDArray[np.uint8]:
    """An image file as RGB [H, W, 3], upright."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as opened:
            return np.array(ImageOps.exif_transpose(opened).convert("RGB"))
    except (UnidentifiedImageError, OSError) as error:
        raise UserError(f"--source {path}: not a readable image") from error


def _square(name: str, frames: NDArray[np.uint8], size: int) -> Frames:
    """The square in the middle of frames [T, H, W, 3], resized; `name` is told where something is cut off."""
    height, width = frames.shape[1:3]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    if height != width and name:
        say(f"{name}: {width} x {height} is no square; its middle is taken, {side} pixels wide")
    return video.resize(np.ascontiguousarray(frames[:, top : top + side, left : left + side]), size)
