"""Makes a SynthHeads dataset: clips, manifest.parquet as of any curated dataset, truth.parquet, and synth.json.

A worker writes one clip after the other, the video first, then its truth (parts/CLIP.parquet); a clip that has both is
whole and is not rendered again. When all are whole, the parts become truth.parquet; synth.json, written last, says from
which recipe the folder was made and how large its files are. All bytes depend on the recipe alone.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate import engine, manifest, video
from curate.console import milestone, progress, say
from curate.dataset import MANIFEST
from curate.errors import UserError
from curate.files import atomic, remove_partials, sha256_file, write_json
from curate.synth import truth
from curate.synth.degrade import degrade
from curate.synth.lock import locked
from curate.synth.recipe import SYNTH_VERSION, ClipRecipe, Recipe
from curate.synth.truth import TRUTH, ClipTruth, Truth

RECORD = "synth.json"
LICENSE = "MIT"  # the frames are output of this project's code and of nothing else: its own licence
_BATCH = 32  # frames rendered at a time: memory does not grow with a clip's length


@dataclass(frozen=True)
class Report:
    """What `make` did."""

    clips: int
    frames: int
    done_before: int  # clips that were there already
    manifest: Path
    failed: tuple[tuple[str, str], ...]  # clip, reason; if there are any, the dataset is not finished


@dataclass(frozen=True)
class Estimate:
    """What a dataset would cost."""

    clips: int
    frames: int
    seconds: float  # of wall time
    megabytes: float


# Measured on one core of 2 noisy ones, 128 to 1024 pixels, encoding included; areas are of 256 x 256 pixels.
START_S, HEAD_S, FRAME_S, AREA_S, NOISE_S = 4.0, 0.65, 0.008, 0.0105, 0.013
SIDE_MB, NOISE_MB, TRUTH_MB = 0.0013, 0.0065, 0.0015


def frame_s(area: float, noise: float) -> float:
    """Seconds of one core for a frame of so many times 256 x 256 pixels."""
    return FRAME_S + area * (AREA_S + (NOISE_S if noise else 0))


def frame_mb(area: float, noise: float) -> float:
    """Megabytes of a frame's share of its video."""
    return float(SIDE_MB * area**0.5 + NOISE_MB * area * noise)


def estimate(recipe: Recipe, workers: int) -> Estimate:
    """About what a dataset costs on a machine like the one it was measured on."""
    clips = recipe.identities * recipe.clips_per_identity
    frames, area = clips * recipe.n_frames, (recipe.size / 256) ** 2
    work = frames * frame_s(area, recipe.noise) + recipe.identities * HEAD_S
    megabytes = frames * (frame_mb(area, recipe.noise) + TRUTH_MB)
    return Estimate(clips, frames, START_S + work / min(workers, recipe.identities), megabytes)


def make(out: Path, recipe: Recipe, *, workers: int = 1, wait: bool = False) -> Report:
    """Make the dataset of `recipe` in the folder `out`, or what of it is missing; the same bytes for any `workers`.

    Clips of another recipe that lie there are removed. `UserError` where `out` holds something else or another process
    works there (with `wait`, that is waited for); OSError where it cannot be written.
    """
    with locked(out, wait=wait):
        recipes = sorted(recipe.clips(), key=lambda clip: clip.clip_id)
        if is_complete(out, recipe):
            shutil.rmtree(out / "parts", ignore_errors=True)
            return Report(len(recipes), _frames(recipes), len(recipes), out / MANIFEST, ())
        if (out / MANIFEST).is_file() and not (truth.available(out) or _record(out)):
            raise UserError(f"{out} is a dataset of recorded videos: choose another folder")
        remove_partials(out)
        _drop_damaged(out, recipes)
        (out / RECORD).unlink(missing_ok=True)
        old = _old(out)
        missing = [clip for clip in recipes if not _is_whole(out, clip.clip_id, old)]
        failed = _render_all(out, missing, len(recipes), workers)
        if not failed:
            _finish(out, recipe, recipes, old)
        return Report(len(recipes), _frames(recipes), len(recipes) - len(missing), out / MANIFEST, tuple(failed))


def is_complete(out: Path, recipe: Recipe) -> bool:
    """Whether `out` is the finished dataset of `recipe`, with all its files in their sizes; nothing is decoded."""
    record = _record(out)
    same = record.get("recipe") == asdict(recipe) and record.get("synth_version") == SYNTH_VERSION
    files = record.get("files", {})
    return same and bool(files) and all(_size(out / name) == size for name, size in files.items())


def _record(out: Path) -> dict[str, Any]:
    """synth.json; empty where there is none that makes sense."""
    try:
        record = json.loads((out / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) and isinstance(record.get("files"), dict) else {}


def _size(path: Path) -> int:
    """Bytes of a file; -1 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _drop_damaged(out: Path, clips: Sequence[ClipRecipe]) -> None:
    """Remove what does not have the size that it was written with: it would be taken for whole."""
    sizes = _record(out).get("files", {})
    for path in (out / TRUTH, *(_video(out, clip.clip_id) for clip in clips)):
        if _size(path) != sizes.get(path.relative_to(out).as_posix(), _size(path)):
            path.unlink(missing_ok=True)


def _frames(clips: Sequence[ClipRecipe]) -> int:
    return sum(clip.n_frames for clip in clips)


def _old(out: Path) -> Truth | None:
    """The truth of an earlier make with other settings, some of whose clips may serve again."""
    try:
        return Truth.open(out)
    except UserError:
        return None


def _is_whole(out: Path, clip_id: str, old: Truth | None) -> bool:
    known = _part(out, clip_id).is_file() or (old is not None and clip_id in old)
    return known and _video(out, clip_id).is_file()


def _part(out: Path, clip_id: str) -> Path:
    return out / "parts" / f"{clip_id}.parquet"


def _video(out: Path, clip_id: str) -> Path:
    return out / "clips" / f"{clip_id}.mp4"


def _render_all(out: Path, missing: Sequence[ClipRecipe], total: int, workers: int) -> list[tuple[str, str]]:
    """Render clips in worker processes, an identity's in one task: its head is built once. Gives what failed."""
    ordered = sorted(missing, key=lambda clip: (clip.identity, clip.number))
    tasks = [_Task(out, tuple(clips)) for _, clips in groupby(ordered, key=lambda clip: clip.identity)]
    failed: list[tuple[str, str]] = []
    done = total - len(missing)
    with progress() as bar:
        item = bar.add_task("clips", total=total, completed=done, note="")
        for task, result in engine.run(_process, tasks, max(1, min(workers, len(tasks)))):
            if isinstance(result, OSError | UserError):
                raise result
            if isinstance(result, Exception):
                failed.extend((clip.clip_id, f"{type(result).__name__}: {result}") for clip in task.clips)
            for _ in task.clips:
                done += 1
                bar.advance(item)
                if milestone(done, total):
                    say(f"{done} of {total} clips")
    return sorted(failed)


@dataclass(frozen=True)
class _Task:
    """Clips of one identity to render."""

    out: Path
    clips: tuple[ClipRecipe, ...]


def _process(task: _Task) -> None:
    import cv2

    cv2.setNumThreads(1)
    for clip in task.clips:
        known: list[dict[str, NDArray[Any]]] = []
        video.write_video(_video(task.out, clip.clip_id), _pictures(clip, known), clip.fps, crf=clip.crf)
        with atomic(_part(task.out, clip.clip_id)) as part:
            truth.write(part, [truth.to_table(_truth_of(clip, known))])


def _pictures(clip: ClipRecipe, known: list[dict[str, NDArray[Any]]]) -> Iterator[NDArray[np.uint8]]:
    """The clip's frames; what is known of them is appended to `known` as they are rendered."""
    from curate.synth.renderer import render_frames

    identity, motion, scene = clip.draw()
    for start in range(0, clip.n_frames, _BATCH):
        frames = np.arange(start, min(start + _BATCH, clip.n_frames))
        rendered = render_frames(identity, motion.take(frames), scene, clip.size)
        known.append(
            {
                "rotation": rendered.rotation,
                "landmarks2d": rendered.landmarks,
                "landmarks3d": rendered.landmarks3d,
                "visible": rendered.visible,
                "face_box": rendered.box,
                "camera": rendered.camera[None],
            }
        )
        yield from degrade(rendered.frames, clip.noise, clip.noise_seed, start)


def _truth_of(clip: ClipRecipe, known: Sequence[dict[str, NDArray[Any]]]) -> ClipTruth:
    identity, motion, scene = clip.draw()
    arrays = {name: np.concatenate([batch[name] for batch in known]) for name in known[0]}
    arrays["camera"] = arrays["camera"][0]
    whole = np.array([0, 0, clip.size, clip.size], np.float32)
    return ClipTruth(
        clip_id=clip.clip_id,
        identity=identity,
        motion=motion,
        scene=scene,
        size=clip.size,
        fps=clip.fps,
        noise=clip.noise,
        noise_seed=clip.noise_seed,
        synth_version=SYNTH_VERSION,
        crop_box=np.tile(whole, (clip.n_frames, 1)),
        **arrays,
    )


def _finish(out: Path, recipe: Recipe, clips: Sequence[ClipRecipe], old: Truth | None) -> None:
    """Parts (and what serves again of an older truth) become truth.parquet; then the manifest, then the record."""
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = []

    def tables() -> Iterator[Any]:
        for clip in clips:
            part = _part(out, clip.clip_id)
            table = pq.read_table(part) if part.is_file() or old is None else old.table(clip.clip_id)
            rows.append(_manifest_row(out, clip, truth.from_table(clip.clip_id, table)))
            yield table

    with atomic(out / TRUTH) as partial:
        truth.write(partial, tables())
    obsolete = {part.stem for part in (out / "parts").glob("*.parquet")} | set(old.clip_ids if old else ())
    for clip_id in obsolete - {clip.clip_id for clip in clips}:
        _video(out, clip_id).unlink(missing_ok=True)
    path = manifest.write(out, rows)
    named = [path, path.with_suffix(".jsonl"), out / TRUTH, *(_video(out, clip.clip_id) for clip in clips)]
    sizes = {file.relative_to(out).as_posix(): file.stat().st_size for file in named}
    write_json(out / RECORD, {"recipe": asdict(recipe), "synth_version": SYNTH_VERSION, "files": sizes})
    shutil.rmtree(out / "parts", ignore_errors=True)


def _manifest_row(out: Path, clip: ClipRecipe, known: ClipTruth) -> dict[str, Any]:
    path = _video(out, clip.clip_id)
    info = video.info(path)
    yaw, pitch, _ = known.motion.angles.T.astype(np.float64)
    centres = (known.face_box[:, :2] + known.face_box[:, 2:]).astype(np.float64) / 2
    sides = (known.face_box[:, 2:] - known.face_box[:, :2]).max(axis=1).astype(np.float64)
    return {
        "clip_id": clip.clip_id,
        "path": path.relative_to(out).as_posix(),
        "sha256": sha256_file(path),
        "video_id": clip.video_id,
        "license": LICENSE,
        "start_s": 0.0,
        "end_s": clip.n_frames / clip.fps,
        "start_frame": 0,
        "end_frame": clip.n_frames,
        "n_frames": clip.n_frames,
        "fps": clip.fps,
        "native_side": clip.size,
        "width": clip.size,
        "height": clip.size,
        "upscale": 1.0,
        "box_left": 0,
        "box_top": 0,
        "box_right": clip.size,
        "box_bottom": clip.size,
        "ref_width": clip.size,
        "ref_height": clip.size,
        "bitrate": info.bitrate,
        "bits_per_pixel": info.bits_per_pixel,
        "codec": info.codec,
        "has_audio": False,
        "identity_id": known.identity.id,
        "split": clip.split,
        "yaw_mean": float(yaw.mean()),
        "yaw_range": float(np.ptp(yaw)),
        "pitch_range": float(np.ptp(pitch)),
        "motion": float(np.linalg.norm(centres - centres.mean(axis=0), axis=1).mean() / sides.mean()),
        "overlap_tracks": 0,
        "stage_version": SYNTH_VERSION,
    }
