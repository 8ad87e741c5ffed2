"""Rendered frames with their truth, kept in a folder of plain arrays so that each frame is rendered once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.evaluators.training import sampler
from curate.errors import UserError
from curate.files import PARTIAL, sha256_text
from curate.synth.parameters import IDENTITY, UNITS, sample_identity, sample_scene
from curate.synth.recipe import SYNTH_VERSION

VERSION = 1  # raised whenever the same recipe would give other frames or another truth; so is SYNTH_VERSION
SIDE = 256  # pixels of a rendered frame
MASK_SIDE = 128  # of the head's mask as it is kept
FIVE = ((36, 37, 38, 39, 40, 41), (42, 43, 44, 45, 46, 47), (30,), (48,), (54,))  # detectors' points from landmarks

Arrays = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Recipe:
    """What decides a set of frames."""

    population: int  # seed of `sample_identity`; other seeds are other people
    identities: int
    cameras: int = 3  # for each identity: scene, distance and focal length
    shots: int = 8  # frames for each camera

    @property
    def frames(self) -> int:
        """Frames in all, an identity's one after the other."""
        return self.identities * self.each

    @property
    def each(self) -> int:
        """Frames of an identity."""
        return self.cameras * self.shots

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change with the recipe, and with the versions of what renders it."""
        return sha256_text(json.dumps([asdict(self), SYNTH_VERSION, VERSION]))[:16]


@dataclass(frozen=True)
class FrameSet:
    """Frames and truth of a recipe; arrays are read from disk as they are used."""

    recipe: Recipe
    frames: NDArray[np.uint8]  # [N, 256, 256, 3]
    mask: NDArray[np.uint8]  # [N, 128, 128]
    landmarks: NDArray[np.float32]  # [N, 68, 2] pixels of the frame
    box: NDArray[np.float32]  # [N, 4] as of a detector
    rotation: NDArray[np.float32]  # [N, 3, 3]
    camera: NDArray[np.float32]  # [N, 3, 3]
    expression: NDArray[np.float32]  # [N, 18]
    identity: NDArray[np.int32]  # [N]
    coefficients: NDArray[np.float32]  # [N, len(IDENTITY)]

    def __len__(self) -> int:
        return len(self.frames)

    def points_of(self, index: int) -> NDArray[np.float32]:
        """[5, 2] eyes, nose and mouth corners of a frame as detectors give them."""
        return five_points(self.landmarks[index])


def five_points(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Both eyes, nose, both mouth corners [..., 5, 2] of landmarks [..., 68, 2], in the order of `Faces.points`."""
    return np.stack([landmarks[..., list(group), :].mean(axis=-2) for group in FIVE], axis=-2)


def eye_distance(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Distance of the outer eye corners [...] in the image, of landmarks [..., 68, 2]."""
    return np.asarray(np.linalg.norm(landmarks[..., 45, :] - landmarks[..., 36, :], axis=-1), np.float32)


def _shapes(recipe: Recipe) -> dict[str, tuple[str, tuple[int, ...]]]:
    n = recipe.frames
    return {
        "frames": ("uint8", (n, SIDE, SIDE, 3)),
        "mask": ("uint8", (n, MASK_SIDE, MASK_SIDE)),
        "landmarks": ("float32", (n, 68, 2)),
        "box": ("float32", (n, 4)),
        "rotation": ("float32", (n, 3, 3)),
        "camera": ("float32", (n, 3, 3)),
        "expression": ("float32", (n, len(UNITS))),
        "identity": ("int32", (n,)),
        "coefficients": ("float32", (n, len(IDENTITY))),
    }


def render_identity(recipe: Recipe, index: int) -> Arrays:
    """All frames of one identity; a function of its arguments alone."""
    from curate.synth.renderer import render_frames

    identity = sample_identity(recipe.population, index)
    shots: list[Arrays] = []
    for camera in range(recipe.cameras):
        rng = np.random.default_rng((recipe.population, index, camera, 7001))
        motion, scene = sampler.sample_frames(rng, recipe.shots), sample_scene(rng)
        seen = render_frames(identity, motion, scene, SIDE)
        small = [cv2.resize(mask, (MASK_SIDE, MASK_SIDE), interpolation=cv2.INTER_AREA) for mask in seen.mask]
        shots.append(
            {
                "frames": seen.frames,
                "mask": np.stack(small),
                "landmarks": seen.landmarks,
                "box": seen.box,
                "rotation": seen.rotation,
                "camera": np.broadcast_to(seen.camera, (recipe.shots, 3, 3)),
                "expression": motion.expression[:, : len(UNITS)],
                "identity": np.full(recipe.shots, index, np.int32),
                "coefficients": np.broadcast_to(identity.coefficients, (recipe.shots, len(IDENTITY))),
            }
        )
    return {name: np.concatenate([shot[name] for shot in shots]) for name in shots[0]}


def frame_set(recipe: Recipe, cache: Path, workers: int, on_identity: Callable[[int], None]) -> FrameSet:
    """The frames of a recipe, from the folder `cache` or rendered into it by `workers` processes.

    The bytes are the same for any number of workers. `on_identity(done)` is called as the work proceeds.
    """
    folder = cache / f"frames-{recipe.fingerprint}"
    if not folder.is_dir():
        _render(recipe, folder, workers, on_identity)
    return _open(recipe, folder)


def _render(recipe: Recipe, folder: Path, workers: int, on_identity: Callable[[int], None]) -> None:
    partial = folder.with_name(PARTIAL + folder.name)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    arrays = {
        name: np.lib.format.open_memmap(partial / f"{name}.npy", "w+", dtype=np.dtype(kind), shape=shape)
        for name, (kind, shape) in _shapes(recipe).items()
    }

    def keep(index: int, found: Arrays) -> None:
        for name, values in found.items():
            arrays[name][index * recipe.each : (index + 1) * recipe.each] = values

    if workers == 1:
        for index in range(recipe.identities):
            keep(index, render_identity(recipe, index))
            on_identity(index + 1)
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            todo = iter(range(recipe.identities))
            # only as many at once as have room in memory
            waiting = {pool.submit(render_identity, recipe, i): i for i in islice(todo, 3 * workers)}
            done = 0
            while waiting:
                finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in finished:
                    keep(waiting.pop(future), future.result())
                    waiting |= {pool.submit(render_identity, recipe, i): i for i in islice(todo, 1)}
                    done += 1
                    on_identity(done)
    for array in arrays.values():
        array.flush()
    partial.replace(folder)


def _open(recipe: Recipe, folder: Path) -> FrameSet:
    arrays: Arrays = {}
    for name, (kind, shape) in _shapes(recipe).items():
        path = folder / f"{name}.npy"
        try:
            array = np.load(path, mmap_mode="r")
        except (OSError, ValueError) as error:
            raise UserError(f"{path} cannot be read ({error}); remove its folder to have it rendered again") from error
        if array.dtype != np.dtype(kind) or array.shape != shape:
            raise UserError(f"{path} has another form than its recipe; remove its folder to have it rendered again")
        arrays[name] = array if name in ("frames", "mask") else np.array(array)
    return FrameSet(recipe, **arrays)  # type: ignore[arg-type]  # kinds were checked above
