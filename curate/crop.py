"""Crop stage: cuts all clips of a video in one more pass, resizes and encodes them, sound included."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from curate import video
from curate.analyse import Analysis
from curate.errors import BadVideo
from curate.frame import Frame, Planes, crop, crop_between
from curate.held import Held
from curate.select import ClipPlan
from curate.settings import SelectionSettings
from curate.video import AUDIO_RATE, ClipWriter, Stamps

if TYPE_CHECKING:
    from curate.video import Decoded

GAP_S = 20.0  # seconds between clips that are not worth decoding


class _Clip:
    """One clip being written; its file is opened when its first frame or sound arrives."""

    def __init__(self, plan: ClipPlan, path: Path, analysis: Analysis, settings: SelectionSettings) -> None:
        self.plan = plan
        self._path = path
        self._settings = settings
        self._fps = Fraction(analysis.info.fps).limit_denominator(60_000)
        self._has_audio = analysis.has_audio(plan.start, plan.end)
        self._start_s, self._end_s = analysis.time_of(plan.start), analysis.time_of(plan.end)
        self._sound_until = float("-inf") if self._has_audio else float("inf")
        self._writer: ClipWriter | None = None

    def _open(self) -> ClipWriter:
        if self._writer is None:
            settings = self._settings
            self._writer = ClipWriter(
                self._path,
                settings.written(self.plan.box),
                self._fps,
                crf=settings.crf,
                preset=settings.x264_preset,
                keyint=settings.keyint,
                sound=self._has_audio,
            )
        return self._writer

    def wants(self, index: int) -> bool:
        return self.plan.start <= index < self.plan.end

    def add_frame(self, frame: Frame, planes: Planes) -> None:
        plan, size = self.plan, self._settings.written(self.plan.box)
        if plan.path:
            picture = crop_between(planes, plan.corner(frame.index), plan.native_side, size[0])
        else:
            picture = crop(planes, plan.box, size)
        self._open().write(picture, max(0.0, frame.time_s - self._start_s))

    def add_sound(self, block: NDArray[np.float32], start_s: float) -> None:
        self._sound_until = start_s + block.shape[1] / AUDIO_RATE
        first = max(0, round((self._start_s - start_s) * AUDIO_RATE))
        last = min(block.shape[1], round((self._end_s - start_s) * AUDIO_RATE))
        if first < last:
            writer = self._open()
            gap = round((start_s - self._start_s) * AUDIO_RATE) + first - writer.n_samples
            if gap > AUDIO_RATE // 50:  # a hole in the source's sound stays a hole
                writer.write_sound(np.zeros((2, gap), np.float32))
            writer.write_sound(block[:, first:last])

    def finish_if_whole(self, *, at_end: bool = False) -> bool:
        """Close the file once it has all its frames and its sound (or there is no more to come)."""
        whole = self._writer is not None and self._writer.n_frames == self.plan.end - self.plan.start
        if self._writer is None or not whole or not (at_end or self._sound_until >= self._end_s):
            return False
        self._writer.close()
        return True

    def abort(self, error: BaseException) -> None:
        if self._writer is not None:
            self._writer.abort(error)


def cut(
    path: Path,
    analysis: Analysis,
    plans: Sequence[tuple[ClipPlan, Path]],
    settings: SelectionSettings,
    stamps: Stamps | None = None,
    held: Held | None = None,
) -> None:
    """Write each plan's clip to its path, `end - start` frames exactly; a file appears whole or not at all.

    What is `held` of the video is not decoded again. Decoding stops when the last clip is whole; with the file's
    `stamps`, what lies long before a clip is not decoded either. `BadVideo` where decoding breaks off; clips finished
    before that stay.
    """
    for run in _runs(plans, analysis.info.fps) if stamps else [list(plans)] if plans else []:
        if held is not None and held.is_whole:
            items: Iterator[Decoded] = held.take()
        else:
            items = video.frames_and_sound(path, start=min(plan.start for plan, _ in run), stamps=stamps)
        _cut_run(path, items, analysis, run, settings)


def _runs(plans: Sequence[tuple[ClipPlan, Path]], fps: float) -> list[list[tuple[ClipPlan, Path]]]:
    """Plans that one stretch of decoding serves, in the order of time: a gap of `GAP_S` begins another."""
    runs: list[list[tuple[ClipPlan, Path]]] = []
    end = float("-inf")
    for plan, target in sorted(plans, key=lambda item: (item[0].start, item[0].end, item[1])):
        if plan.start > end + GAP_S * fps:
            runs.append([])
        runs[-1].append((plan, target))
        end = max(end, plan.end)
    return runs


def _cut_run(
    path: Path,
    items: Iterator[Decoded],
    analysis: Analysis,
    plans: Sequence[tuple[ClipPlan, Path]],
    settings: SelectionSettings,
) -> None:
    todo = [_Clip(plan, target, analysis, settings) for plan, target in plans]
    try:
        for item in items:
            if not todo:
                return
            if isinstance(item, Frame):
                takers = [clip for clip in todo if clip.wants(item.index)]
                if takers:
                    planes = item.planes()
                    for clip in takers:
                        clip.add_frame(item, planes)
            else:
                block = item.to_ndarray().astype(np.float32, copy=False)
                for clip in todo:
                    clip.add_sound(block, item.time or 0.0)
            todo = [clip for clip in todo if not clip.finish_if_whole()]
        todo = [clip for clip in todo if not clip.finish_if_whole(at_end=True)]
        if todo:
            raise BadVideo(f"{path.name}: gave fewer frames when it was decoded again")
    except BaseException as error:
        for clip in todo:
            clip.abort(error)
        raise
