"""Raw videos to test curation on: several people, cuts, small and dark pictures, nobody, bars, sound; all of it known.

`raw_truth.json` beside the videos says of each its shots (frames, kind) and of each shot its tracks: who, from which
frame to which, and their face box in every frame. People who share a picture are rendered apart in one scene and joined
by a soft seam between them: the background is the same on both sides of it.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate import engine, video
from curate.console import milestone, progress, say
from curate.errors import UserError
from curate.files import remove_partials, sha256_text, write_json
from curate.synth.curves import ease
from curate.synth.dataset import HEAD_S, START_S, Estimate, Report, frame_mb, frame_s
from curate.synth.degrade import check_strength, degrade
from curate.synth.lock import locked
from curate.synth.motion import FACE_MM, sample_motion
from curate.synth.parameters import EXPRESSION, Motion, Scene, sample_identity, sample_scene
from curate.synth.recipe import SYNTH_VERSION

RAW_TRUTH = "raw_truth.json"
SOUND_RATE = 16_000
_DEPTH_MM = 1200.0
_BATCH = 16
_SEAM = 0.05  # of the picture's width


@dataclass(frozen=True)
class RawRecipe:
    """All that decides the bytes of the videos. `UserError` for a value that makes none."""

    seconds: float = 2.0  # of a shot; some are shorter
    height: int = 360  # of most videos, pixels; they are 16:9
    seed: int = 0
    fps: float = 25.0
    noise: float = 0.0
    crf: int = 18

    def __post_init__(self) -> None:
        check_strength(self.noise)
        checks = (
            (math.isfinite(self.seconds) and 0.8 <= self.seconds <= 600, "seconds of raw shots must be in [0.8, 600]"),
            (180 <= self.height <= 1080 and self.height % 2 == 0, "size of raw videos must be even and in [180, 1080]"),
            (5 <= self.fps <= 120, f"fps must be in [5, 120], but is {self.fps:g}"),
            (0 <= self.seed < 1 << 31, f"seed must be in [0, 2147483648), but is {self.seed}"),
        )
        for holds, message in checks:
            if not holds:
                raise UserError(message)


@dataclass(frozen=True)
class _Person:
    """Somebody in a shot."""

    index: int  # of the population
    x: float = 0.0  # middle of the head from the picture's middle, over its width
    share: float = 0.45  # height of the face over the picture's
    y: float = 0.03  # middle of the head below the picture's middle, over its height


@dataclass(frozen=True)
class _Shot:
    kind: str  # "one", "two", "crowd", "dark", "empty", "black", "brief"
    people: tuple[_Person, ...] = ()
    length: float = 1.0  # over RawRecipe.seconds
    light: float = 1.0


@dataclass(frozen=True)
class _Video:
    name: str
    shots: tuple[_Shot, ...]
    height: int | None = None
    bars: float = 0.0  # of the height, black, above and below together
    sound: bool = False


def _one(index: int, **others: float) -> _Shot:
    return _Shot("one", (_Person(index),), **others)


_VIDEOS = (
    _Video(
        "interview",
        (_Shot("two", (_Person(0, -0.21, 0.4), _Person(1, 0.21, 0.4))), _one(0), _Shot("empty", length=0.6), _one(1)),
    ),
    _Video("low-resolution", (_Shot("one", (_Person(2, 0.05, 0.3),)),), height=180),
    _Video("dark", (_Shot("dark", (_Person(3),), light=0.04), _Shot("black", length=0.4), _one(4))),
    _Video("nobody", (_Shot("empty", length=0.8), _Shot("empty", length=0.8))),
    _Video("letterbox", (_one(5),), bars=0.25),
    _Video("sound", (_one(6),), sound=True),
    _Video(
        "crowd",
        (
            _Shot("crowd", tuple(_Person(index, x, 0.17, 0.26) for index, x in ((7, -0.3), (8, 0.0), (9, 0.3)))),
            _Shot("brief", (_Person(7, 0.0, 0.45),), length=0.3),
        ),
    ),
)


def estimate_raw(recipe: RawRecipe, workers: int) -> Estimate:
    """About what the videos cost; `clips` counts videos."""
    frames = 0
    seconds = megabytes = 0.0
    for item in _VIDEOS:
        area = (_width(item.height or recipe.height) / 256) ** 2
        for shot in item.shots:
            count = _frames(shot, recipe)
            frames += count
            seconds += len(shot.people) * (HEAD_S + count * frame_s(area, recipe.noise))
            megabytes += count * frame_mb(area * 9 / 16, recipe.noise)
    return Estimate(len(_VIDEOS), frames, START_S + seconds / min(workers, len(_VIDEOS)), megabytes)


def make_raw(out: Path, recipe: RawRecipe, *, workers: int = 1) -> Report:
    """Write the raw videos and `raw_truth.json` into `out`; the same bytes for any `workers`; a killed run goes on.

    The report counts videos as clips and names the truth as manifest. `UserError` where another process works there,
    OSError where it cannot be written.
    """
    paths = tuple(out / f"{item.name}.mp4" for item in _VIDEOS)
    about = {"recipe": asdict(recipe), "synth_version": SYNTH_VERSION}
    parts = out / "parts" / sha256_text(json.dumps(about, sort_keys=True))[:8]
    report = Report(len(paths), estimate_raw(recipe, 1).frames, len(paths), out / RAW_TRUTH, ())
    with locked(out, wait=False):
        remove_partials(out)
        known = _known(out, about)
        tasks = [_Task(out, parts, index, recipe) for index in range(len(_VIDEOS))]
        tasks = [task for task in tasks if not (task.path.is_file() and (task.part.is_file() or task.name in known))]
        if not tasks and len(known) == len(paths):
            return report
        (out / RAW_TRUTH).unlink(missing_ok=True)
        for name, value in known.items():  # until it is whole again, the truth is that of the parts
            write_json(parts / f"{name}.json", value)
        failed = []
        with progress() as bar:
            item = bar.add_task("videos", total=len(tasks), note="")
            for done, (task, result) in enumerate(engine.run(_process, tasks, min(workers, len(tasks) or 1)), start=1):
                if isinstance(result, OSError | UserError):
                    raise result
                if isinstance(result, Exception):
                    failed.append((task.path.name, f"{type(result).__name__}: {result}"))
                bar.advance(item)
                if milestone(done, len(tasks)):
                    say(f"{done} of {len(tasks)} videos")
        report = replace(report, done_before=len(paths) - len(tasks), failed=tuple(sorted(failed)))
        if not failed:
            whole = {path.stem: json.loads((parts / f"{path.stem}.json").read_text(encoding="utf-8")) for path in paths}
            write_json(out / RAW_TRUTH, {**about, "videos": whole})
            shutil.rmtree(out / "parts", ignore_errors=True)
    return report


def _known(out: Path, about: dict[str, Any]) -> dict[str, Any]:
    """What an earlier run of the same recipe wrote of its videos."""
    try:
        known = json.loads((out / RAW_TRUTH).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(known, dict) or any(known.get(name) != value for name, value in about.items()):
        return {}
    return {**known["videos"]} if isinstance(known.get("videos"), dict) else {}


@dataclass(frozen=True)
class _Task:
    out: Path
    parts: Path
    index: int
    recipe: RawRecipe

    @property
    def name(self) -> str:
        return _VIDEOS[self.index].name

    @property
    def path(self) -> Path:
        return self.out / f"{self.name}.mp4"

    @property
    def part(self) -> Path:
        return self.parts / f"{self.name}.json"


def _width(height: int) -> int:
    return 2 * round(height * 16 / 18)


def _frames(shot: _Shot, recipe: RawRecipe) -> int:
    return max(2, round(shot.length * recipe.seconds * recipe.fps))


def _process(task: _Task) -> None:
    import cv2

    cv2.setNumThreads(1)
    recipe, item = task.recipe, _VIDEOS[task.index]
    height = item.height or recipe.height
    takes, start = [], 0
    for number, shot in enumerate(item.shots):
        takes.append(_Take(item, shot, (task.index, number), start, height, recipe))
        start = takes[-1].end
    frames = (degrade(batch, recipe.noise, recipe.seed, first) for take in takes for first, batch in take.batches())
    pictures = (picture for batch in frames for picture in batch)
    sound = (_voice(takes[0].acts[0][1], recipe.fps), SOUND_RATE) if item.sound else None
    count = video.write_video(task.path, pictures, recipe.fps, crf=recipe.crf, sound=sound)
    known = {
        "width": _width(height),
        "height": height,
        "fps": recipe.fps,
        "n_frames": count,
        "has_audio": item.sound,
        "shots": [take.truth() for take in takes],
    }
    write_json(task.part, known)


class _Take:
    """One shot: who does what where, and its frames."""

    def __init__(
        self, item: _Video, shot: _Shot, place: tuple[int, int], start: int, height: int, recipe: RawRecipe
    ) -> None:
        self.start, self.end = start, start + _frames(shot, recipe)
        self._shot = shot
        self._width, self._height = _width(height), height
        self._bar = 2 * round(item.bars * height / 4)
        seeds = (recipe.seed, 77, *place)
        self._scene = sample_scene(np.random.default_rng((*seeds, 1)))
        self.acts = [
            (sample_identity(recipe.seed, person.index), self._act(person, number, seeds, recipe.fps))
            for number, person in enumerate(sorted(shot.people, key=lambda person: person.x))
        ]
        self._boxes: list[list[NDArray[np.float32]]] = [[] for _ in self.acts]

    def _act(self, person: _Person, number: int, seeds: tuple[int, ...], fps: float) -> Motion:
        """Somebody's motion, placed in a square picture as wide as the video, whose middle rows are shown."""
        rng = np.random.default_rng((*seeds, 2, number))
        motion = sample_motion(rng, self.end - self.start, fps, kind="calm" if number % 2 else "expressive")
        shown = self._height - 2 * self._bar
        focal = person.share * shown * _DEPTH_MM / (FACE_MM * self._width)
        drift = 0.5 * (motion.translation - motion.translation.mean(axis=0))
        low = person.y * shown / self._width
        where = np.array([person.x * _DEPTH_MM / focal, low * _DEPTH_MM / focal, _DEPTH_MM])
        return Motion(motion.expression, motion.angles, (where + drift).astype(np.float32), focal)

    def batches(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """The number of a first frame in the video, and frames [T, height, width, 3]; boxes are noted as they go."""
        top = (self._width - self._height) // 2
        for first in range(0, self.end - self.start, _BATCH):
            numbers = np.arange(first, min(first + _BATCH, self.end - self.start))
            square = _dim(self._square(numbers, top), self._shot.light)
            frames = np.ascontiguousarray(square[:, top : top + self._height])
            if self._bar:
                frames[:, : self._bar] = frames[:, -self._bar :] = 0
            yield self.start + first, frames

    def _square(self, numbers: NDArray[np.integer], top: int) -> NDArray[np.uint8]:
        if self._shot.kind == "black":
            return np.zeros((len(numbers), self._width, self._width, 3), np.uint8)
        if not self.acts:
            return np.repeat(_empty(self._scene, self._width)[None], len(numbers), axis=0)
        from curate.synth.renderer import render_frames

        joined: NDArray[np.uint8] | None = None
        for number, (identity, motion) in enumerate(self.acts):
            rendered = render_frames(identity, motion.take(numbers), self._scene, self._width)
            self._boxes[number].append(rendered.box - np.array([0, top, 0, top], np.float32))
            joined = rendered.frames if joined is None else self._join(joined, rendered.frames, number)
        assert joined is not None  # noqa: S101 - there is somebody
        return joined

    def _join(self, left: NDArray[np.uint8], right: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
        people = sorted(self._shot.people, key=lambda person: person.x)
        middle = (people[number - 1].x + people[number].x) / 2 + 0.5
        share = ease((np.arange(self._width) / self._width - middle) / _SEAM + 0.5)[:, None]
        return np.asarray((left * (1 - share) + right * share).round().astype(np.uint8))

    def truth(self) -> dict[str, Any]:
        """What `raw_truth.json` says of the shot; after its frames were made."""
        tracks = [
            {
                "identity_id": identity.id,
                "start": self.start,
                "end": self.end,
                "boxes": [[round(side, 2) for side in box] for box in np.concatenate(boxes).tolist()],
            }
            for (identity, _), boxes in zip(self.acts, self._boxes, strict=True)
        ]
        return {"start": self.start, "end": self.end, "kind": self._shot.kind, "tracks": tracks}


def _empty(scene: Scene, size: int) -> NDArray[np.uint8]:
    """The scene with nobody in it, [size, size, 3]."""
    from curate.synth import raster
    from curate.synth.background import background

    light = background(scene.background, scene.brightness, size) * np.float32(scene.exposure)
    return np.asarray(raster.develop(light, raster.gamma_table()))


def _dim(frames: NDArray[np.uint8], light: float) -> NDArray[np.uint8]:
    """Frames with so much of their light (linear)."""
    if light == 1:
        return frames
    table = (255 * (np.arange(256) / 255) * light ** (1 / 2.2)).round().astype(np.uint8)
    return np.asarray(table[frames])


def _voice(motion: Motion, fps: float) -> NDArray[np.float32]:
    """A hum [S] at `SOUND_RATE` that is as loud as the mouth is open."""
    jaw = motion.expression[:, EXPRESSION.index("jaw_open")]
    times = np.arange(round(len(motion) / fps * SOUND_RATE)) / SOUND_RATE
    loud = np.interp(times, np.arange(len(motion)) / fps, jaw)
    hum = sum(np.sin(2 * np.pi * 130 * k * times) / k for k in range(1, 6))
    return np.asarray((0.25 * loud * hum).astype(np.float32))
