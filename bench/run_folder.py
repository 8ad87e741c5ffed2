"""A run's folder on disk: written whole under a hidden name, then renamed, so that a killed run leaves nothing behind
that looks finished."""

from __future__ import annotations

import errno
import io
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from curate.console import say
from curate.errors import UserError
from curate.files import PARTIAL
from leaderboard.records import PreviewInfo, RunRecord, Sample, write_record, write_samples

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bench.pair_reader import PairView
    from bench.scoring import Look
    from bench.stills import Still
    from bench.tasks.base import Pair

PREVIEWS = "previews"
PREVIEWED_FRAMES = 5
VIDEO_CRF = 23
MARGIN = 28  # pixels of a grid's margins, for its angles


@dataclass(frozen=True)
class Preview:
    """JPEG files of one pair: name -> bytes, and what they show."""

    info: PreviewInfo
    files: dict[str, bytes]


def prepare(out: Path) -> None:
    """Make the folder of runs and remove what killed processes left there; `UserError` when it cannot be written."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        raise UserError(f"{out} cannot be made: {error.strerror}") from error
    if not os.access(out, os.W_OK | os.X_OK):
        raise UserError(f"{out} cannot be written to: give another folder with --out")
    for folder in sorted(out.glob(f"{PARTIAL}*")):
        owner = folder.name.removeprefix(PARTIAL).split("-")[0]
        if owner.isdigit() and not _alive(int(owner)):
            shutil.rmtree(folder)
            say(f"removed {folder.name}: a run that was killed before it was written whole")


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def publish(
    out: Path,
    record: RunRecord,
    samples: Sequence[Sample],
    previews: Sequence[Preview],
    stills: Sequence[Still] = (),
) -> Path:
    """Write out/<run_id> with previews, samples.parquet and, last, run.json; gives the folder.

    `record.samples_sha256`, `record.previews` and `record.stills` are filled in here. Where another process has just
    taken the run's id, the id gets a number.
    """
    partial = out / f"{PARTIAL}{os.getpid()}-{record.run_id}"
    try:
        (partial / PREVIEWS).mkdir(parents=True)
        for files in [preview.files for preview in previews] + [still.files for still in stills]:
            for name, content in files.items():
                (partial / name).write_bytes(content)
        digest = write_samples(partial, samples)
        infos = tuple(preview.info for preview in previews)
        worst = tuple(still.info for still in stills)
        whole = record.model_copy(update={"samples_sha256": digest, "previews": infos, "stills": worst})
        number = 1
        while True:
            write_record(partial, whole)
            try:
                return partial.rename(out / whole.run_id)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                number += 1
                whole = whole.model_copy(update={"run_id": f"{record.run_id}-{number}"})
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def preview(number: int, pair: Pair, view: PairView, output: Look) -> Preview:
    """The source, evenly spaced driving and output frames, and videos of all driven frames of one pair; of redirection,
    which has no order in time, the grid of all angles in their place."""
    count = min(PREVIEWED_FRAMES, len(view.indices))
    shown = [i * (len(view.indices) - 1) // max(count - 1, 1) for i in range(count)]
    files = {f"{PREVIEWS}/{number}-source.jpg": jpeg(view.source.frames[0])}
    names: dict[str, list[str]] = {"driving": [], "output": []}
    for side, look in (("driving", view.driving), ("output", output)):
        for i in shown:
            names[side].append(f"{PREVIEWS}/{number}-{side}-{view.indices[i]}.jpg")
            files[names[side][-1]] = jpeg(look.frames[i])
    videos: dict[str, str] = {}
    fps = 0.0
    if view.angles is None:
        span = view.indices[-1] - view.indices[0]
        fps = pair.driving.fps * (len(view.indices) - 1) / span if span else pair.driving.fps
        for side, look in (("driving", view.driving), ("output", output)):
            videos[f"{side}_video"] = f"{PREVIEWS}/{number}-{side}.mp4"
            files[videos[f"{side}_video"]] = _mp4(look.frames, fps)
    else:
        files[f"{PREVIEWS}/{number}-grid.jpg"] = jpeg(
            angle_grid(output.frames, view.angles, truth=_other(view, output))
        )
    info = PreviewInfo(
        pair_id=pair.id,
        source_clip=pair.source.clip_id,
        driving_clip=pair.driving.clip_id,
        frames=tuple(view.indices[i] for i in shown),
        source=f"{PREVIEWS}/{number}-source.jpg",
        driving=tuple(names["driving"]),
        output=tuple(names["output"]),
        grid=f"{PREVIEWS}/{number}-grid.jpg" if view.angles is not None else "",
        video_frames=tuple(view.indices) if videos else (),
        fps=fps,
        **videos,
    )
    return Preview(info, files)


def _other(view: PairView, output: Look) -> NDArray[np.uint8] | None:
    """The truth's frames, where they are known and are not the output itself."""
    known = view.truth is not None and view.truth.frames is not output.frames
    return view.truth.frames if known and view.truth is not None else None


def angle_grid(
    frames: NDArray[np.uint8],
    angles: NDArray[np.float32],
    side: int = 96,
    truth: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Frames [T, H, W, 3] laid out by yaw (columns, to the image's left first) and pitch (rows, up first), each `side`
    pixels wide, with the angles in degrees on the margins; cells for which there is no frame are grey. With the truth
    of the same frames, each pitch has two rows: the truth, and below it the frames."""
    import numpy as np
    from PIL import Image, ImageDraw

    yaws, pitches = sorted({float(a[0]) for a in angles}), sorted({float(a[1]) for a in angles}, reverse=True)
    rows = [frames] if truth is None else [truth, frames]
    tall = side * len(rows)
    page = Image.new("RGB", (MARGIN + side * len(yaws), MARGIN + tall * len(pitches)), "white")
    draw = ImageDraw.Draw(page)
    draw.rectangle((MARGIN, MARGIN, *page.size), fill="lightgrey")
    for row, shown in enumerate(rows):
        for frame, (yaw, pitch, _) in zip(shown, angles, strict=True):
            top = MARGIN + tall * pitches.index(float(pitch)) + side * row
            place = (MARGIN + side * yaws.index(float(yaw)), top)
            page.paste(Image.fromarray(frame).resize((side, side), Image.Resampling.LANCZOS), place)
    for i, yaw in enumerate(yaws):
        draw.text((MARGIN + side * (i + 0.5), MARGIN / 2), f"yaw {yaw:+g}", fill="black", anchor="mm")
    for i, pitch in enumerate(pitches):
        for row, name in enumerate([""] if truth is None else ["truth", "made"]):
            middle = MARGIN + tall * i + side * (row + 0.5)
            draw.text((MARGIN / 2, middle), f"{pitch:+g}\n{name}".strip(), fill="black", anchor="mm")
    return np.asarray(page)


def _mp4(frames: NDArray[np.uint8], fps: float) -> bytes:
    from curate.video import write_video

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "preview.mp4"
        write_video(path, frames, fps, crf=VIDEO_CRF)
        return path.read_bytes()


def jpeg(frame: NDArray[np.uint8]) -> bytes:
    """An RGB frame uint8 [H, W, 3] as the bytes of a file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
