"""Select stage: thresholds over stored scores, nothing else. Gives a verdict and a reason for every track and clip."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from curate.analyse import Analysis
from curate.settings import SelectionSettings
from curate.tracks import Track, iou
from curate.video import Box

MIN_SIDE_OF_FACE = 1.15  # a crop tighter than this many (longer) face sides is no head any more
MAX_FACE_OUTSIDE = 0.15  # share of the face that may lie outside the crop, in any frame
MAX_OTHER_FACE = 0.3  # share of another face that may lie inside the crop
OTHER_FACE_S = 0.4  # a face seen for a shorter time is taken for a false alarm


@dataclass(frozen=True)
class Verdict:
    """Kept, or why not. `doubtful` is dropped too, but says that a person might decide otherwise."""

    verdict: str  # "kept", "doubtful", "dropped"
    reason: str = ""


KEPT = Verdict("kept")


@dataclass(frozen=True)
class ClipPlan:
    """A clip to make, or the reason why not."""

    track: int
    start: int
    end: int
    box: Box  # even corners, square, inside the frame
    verdict: Verdict
    overlap_tracks: int = 0  # other faces that meet the crop in space and time
    scores: dict[str, float] = field(default_factory=dict)

    @property
    def native_side(self) -> int:
        """Side of the crop in source pixels."""
        return self.box[2] - self.box[0]


@dataclass(frozen=True)
class Selection:
    """Verdicts over one video."""

    video: Verdict
    tracks: tuple[Verdict, ...]
    clips: tuple[ClipPlan, ...]


def select(analysis: Analysis, settings: SelectionSettings) -> Selection:
    """Decide on a video, its tracks and the clips that could be cut from them."""
    info = analysis.info
    if info.bitrate < settings.min_bitrate:
        return _none(analysis, f"bit rate {info.bitrate} < {settings.min_bitrate}")
    if min(info.width, info.height) < settings.min_res:
        return _none(analysis, f"frame {info.width} x {info.height} < {settings.min_res}")
    verdicts: list[Verdict] = []
    clips: list[ClipPlan] = []
    for track in analysis.tracks:
        verdict = _judge(track, analysis, settings)
        plans = list(_plans(track, analysis, settings)) if verdict == KEPT else []
        if verdict == KEPT and not any(plan.verdict == KEPT for plan in plans):
            verdict = Verdict(
                "dropped", plans[0].verdict.reason if plans else "too short between its cuts' guard frames"
            )
        verdicts.append(verdict)
        clips.extend(plans)
    kept = any(plan.verdict == KEPT for plan in clips)
    reason = "" if kept else "no clip passed" if analysis.tracks else "no face found"
    return Selection(KEPT if kept else Verdict("dropped", reason), tuple(verdicts), tuple(clips))


def _none(analysis: Analysis, reason: str) -> Selection:
    verdict = Verdict("dropped", reason)
    return Selection(verdict, tuple(verdict for _ in analysis.tracks), ())


def _judge(track: Track, analysis: Analysis, settings: SelectionSettings) -> Verdict:
    if track.face_score < settings.min_face_score:
        return Verdict("doubtful", f"face score {track.face_score:.3f} < {settings.min_face_score:g}")
    if track.face_rate < settings.min_face_rate:
        return Verdict("doubtful", f"face in {track.face_rate:.0%} of the frames < {settings.min_face_rate:.0%}")
    if track.flat > settings.max_flat:
        return Verdict("doubtful", f"perhaps a drawing: {track.flat:.0%} of the face without texture")
    seconds = analysis.time_of(track.end) - analysis.time_of(track.start)
    if seconds < settings.min_seconds:
        return Verdict("dropped", f"{seconds:.2f} s < {settings.min_seconds:g} s")
    return KEPT


def _plans(track: Track, analysis: Analysis, settings: SelectionSettings) -> Iterator[ClipPlan]:
    shot = analysis.shots[track.shot]
    first = shot.start + (settings.guard_frames if shot.start > 0 else 0)
    last = shot.end - (settings.guard_frames if shot.end < analysis.n_frames else 0)
    for start, end in _tubes(track, max(track.start, first), min(track.end, last), settings):
        seconds = analysis.time_of(end) - analysis.time_of(start)
        plan = _plan(track, start, end, analysis, settings)
        if seconds < settings.min_seconds:
            reason = f"part of a track: {seconds:.2f} s < {settings.min_seconds:g} s"
            plan = ClipPlan(track.index, start, end, plan.box, Verdict("dropped", reason), scores=plan.scores)
        yield plan


def _tubes(track: Track, start: int, end: int, settings: SelectionSettings) -> Iterator[tuple[int, int]]:
    """Spans in which the face stays near its first box, none longer than `max_frames`."""
    while start < end:
        known = [frame for frame in track.frames if start <= frame < end]
        boxes = track.known(start, end)
        base = tuple(boxes[0])
        stop = end
        for frame in known:
            box = tuple(track.known(frame, frame + 1)[0])
            if iou(base, box) < settings.tube_iou:  # type of both: four floats
                stop = max(frame, start + 1)
                break
        parts = math.ceil((stop - start) / settings.max_frames)
        edges = np.linspace(start, stop, parts + 1).round().astype(int)
        yield from ((int(a), int(b)) for a, b in pairwise(edges))
        start = stop


def _plan(track: Track, start: int, end: int, analysis: Analysis, settings: SelectionSettings) -> ClipPlan:
    boxes = track.known(start, end)
    width, height = analysis.info.width, analysis.info.height
    union = (*boxes[:, :2].min(axis=0).tolist(), *boxes[:, 2:].max(axis=0).tolist())
    face = float(max(union[2] - union[0], union[3] - union[1]))
    box, moved = _square(union, face, width, height, settings)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    sizes = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    scores = {
        "face_score": track.face_score,
        "face_rate": track.face_rate,
        "face_side": float(sizes.mean()),
        # how far the face's centre strays, in face sides: 0 for a still head
        "motion": float(np.linalg.norm(centres - centres.mean(axis=0), axis=1).mean() / sizes.mean()),
    }
    others = _others(track, start, end, box, analysis)
    side = box[2] - box[0]
    typical = float(np.percentile(sizes, 95))
    if moved and settings.box_policy == "drop":
        verdict = Verdict("dropped", "the crop leaves the frame")
    elif max(_outside(face_box, box) for face_box in boxes.tolist()) > MAX_FACE_OUTSIDE:
        verdict = Verdict("dropped", "the face leaves the frame")
    elif side < MIN_SIDE_OF_FACE * typical:
        verdict = Verdict(
            "dropped", f"the face fills the frame: crop {side} < {MIN_SIDE_OF_FACE:g} x face {typical:.0f}"
        )
    elif side < settings.min_res:
        verdict = Verdict("dropped", f"native side {side} < {settings.min_res}")
    elif any(share > MAX_OTHER_FACE for share in others):
        verdict = Verdict("dropped", "another face in the crop")
    else:
        verdict = KEPT
    return ClipPlan(track.index, start, end, box, verdict, sum(share > 0 for share in others), scores)


def _square(
    union: Sequence[float], face: float, width: int, height: int, settings: SelectionSettings
) -> tuple[Box, bool]:
    """Square with even corners around the face, moved (and if need be shrunk) into the frame; whether it was."""
    wanted = 2 * round(face * settings.crop_scale / 2)
    side = min(wanted, width & ~1, height & ~1)
    left = (union[0] + union[2] - side) / 2
    top = (union[1] + union[3] - side) / 2 - settings.crop_rise * side
    x = 2 * round(min(max(left, 0), width - side) / 2)
    y = 2 * round(min(max(top, 0), height - side) / 2)
    x, y = min(x, (width - side) & ~1), min(y, (height - side) & ~1)
    moved = side < wanted or left < 0 or top < 0 or left + side > width or top + side > height
    return (x, y, x + side, y + side), moved


def _outside(box: Sequence[float], frame: Sequence[float]) -> float:
    """Share of a box that lies outside another."""
    inside_w = max(0.0, min(box[2], frame[2]) - max(box[0], frame[0]))
    inside_h = max(0.0, min(box[3], frame[3]) - max(box[1], frame[1]))
    area = (box[2] - box[0]) * (box[3] - box[1])
    return 1 - inside_w * inside_h / area if area > 0 else 1.0


def _others(track: Track, start: int, end: int, box: Box, analysis: Analysis) -> list[float]:
    """For every other track that shares frames with the span: the largest share of its face inside the crop."""
    shares = []
    for other in analysis.tracks:
        a, b = max(start, other.start), min(end, other.end)
        seconds = analysis.time_of(other.end) - analysis.time_of(other.start)
        if other.index != track.index and a < b and seconds >= OTHER_FACE_S:
            shares.append(max(1 - _outside(face.tolist(), box) for face in other.known(a, b)))
    return shares
