"""Select stage: thresholds over stored scores, nothing else. Gives a verdict and a reason for every track and clip."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from scipy.ndimage import gaussian_filter1d

from curate import framing
from curate.analyse import Analysis
from curate.framing import Box, iou, outside
from curate.settings import SelectionSettings
from curate.tracks import Track

MIN_SIDE_OF_FACE = 1.15  # a crop tighter than this many (longer) face sides is no head any more
MAX_FACE_OUTSIDE = 0.15  # share of the face that may lie outside the crop, in any frame
MAX_OTHER_FACE = 0.3  # share of another face that may lie inside the crop
OTHER_FACE_S = 0.4  # a face seen for a shorter time is taken for a false alarm
FOLLOW_S = 0.4  # seconds over which the centre of a crop that follows the face is smoothed


@dataclass(frozen=True)
class Verdict:
    """Kept, or why not. `doubtful` is dropped too, but says that a person might decide otherwise."""

    verdict: str  # "kept", "doubtful", "dropped"
    reason: str = ""


KEPT = Verdict("kept")


Path = tuple[tuple[int, float, float], ...]
"""Frame, left and top of a crop that moves; between two of them it moves evenly."""


@dataclass(frozen=True)
class ClipPlan:
    """A clip to make, or the reason why not."""

    track: int | None  # None: named by a list
    start: int
    end: int
    box: Box  # even corners, square, inside the frame unless it is padded; at the first frame, where it moves
    verdict: Verdict
    overlap_tracks: int | None = 0  # other faces that meet the crop in space and time; None: nobody looked
    scores: dict[str, float] = field(default_factory=dict)
    path: Path = ()  # of a crop that follows the face
    list_name: str | None = None  # of a clip that a list names
    warning: str = ""  # why it may not be what the list's authors had

    @property
    def native_side(self) -> int:
        """Shorter side of the crop in source pixels."""
        return min(self.box[2] - self.box[0], self.box[3] - self.box[1])

    def corner(self, frame: int) -> tuple[float, float]:
        """Left and top of the crop at a frame."""
        if not self.path:
            return self.box[0], self.box[1]
        at, left, top = zip(*self.path, strict=True)
        return float(np.interp(frame, at, left)), float(np.interp(frame, at, top))

    def window(self, frame: int) -> Box:
        """The crop at a frame, to the nearest pixel."""
        left, top = (round(value) for value in self.corner(frame))
        return left, top, left + self.box[2] - self.box[0], top + self.box[3] - self.box[1]


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
            if settings.box_motion == "fixed" and iou(base, box) < settings.tube_iou:
                stop = max(frame, start + 1)
                break
        parts = math.ceil((stop - start) / settings.max_frames)
        edges = np.linspace(start, stop, parts + 1).round().astype(int)
        yield from ((int(a), int(b)) for a, b in pairwise(edges))
        start = stop


def _plan(track: Track, start: int, end: int, analysis: Analysis, settings: SelectionSettings) -> ClipPlan:
    boxes = track.known(start, end)
    sizes = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    frame = (analysis.info.width, analysis.info.height)
    union = (*boxes[:, :2].min(axis=0).tolist(), *boxes[:, 2:].max(axis=0).tolist())
    longer = float(max(union[2] - union[0], union[3] - union[1]))
    if settings.box_motion == "smooth":
        box, moved, path = _following(track, start, end, analysis, settings)
    else:
        box, moved = framing.square(union, longer, frame, settings.convention, settings.box_policy)
        path = ()
    plan = ClipPlan(track.index, start, end, box, KEPT, scores=_scores(track, start, end, analysis), path=path)
    windows = [plan.window(known) for known in track.frames_of(start, end)]
    others = _others(track, start, end, plan, analysis)
    verdict = _verdict(boxes.tolist(), windows, others, settings, typical=float(np.percentile(sizes, 95)), moved=moved)
    if verdict == KEPT:
        verdict = _by_scores(plan.scores, analysis.has_audio(start, end), settings)
    return replace(plan, verdict=verdict, overlap_tracks=sum(share > 0 for share in others))


def _scores(track: Track, start: int, end: int, analysis: Analysis) -> dict[str, float]:
    """Scores of a clip: medians, means and ranges over its looked-at frames."""
    boxes = track.known(start, end)
    centres, sizes = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    looks = [looks for frame, looks in zip(track.frames, track.looks, strict=False) if start <= frame < end]
    scores = {
        "face_score": track.face_score,
        "face_rate": track.face_rate,
        "face_side": float(sizes.mean()),
        # how far the face's centre strays, in face sides: 0 for a still head
        "motion": float(np.linalg.norm(centres - centres.mean(axis=0), axis=1).mean() / sizes.mean()),
    }
    for name in ("sharpness", "brightness", "contrast", "occlusion") if looks else ():
        scores[name] = round(float(np.median([getattr(one, name) for one in looks])), 4)
    for name in ("yaw", "pitch", "roll"):
        angles = [value for one in looks if (value := getattr(one, name)) is not None]
        if angles:
            scores[f"{name}_mean"] = round(float(np.mean(angles)), 2)
            scores[f"{name}_range"] = round(float(np.ptp(angles)), 2)
    if track.sync is not None:
        scores["sync"], scores["sync_lag_s"] = track.sync.correlation, track.sync.lag_s
    if analysis.screen is not None:
        scores["overlay"] = analysis.screen.overlay
    return scores


def _verdict(
    faces: Sequence[Sequence[float]],
    windows: Sequence[Box],
    others: Sequence[float],
    settings: SelectionSettings,
    *,
    typical: float,
    moved: bool,
) -> Verdict:
    side = windows[0][2] - windows[0][0]
    if moved and settings.box_policy == "drop":
        return Verdict("dropped", "the crop leaves the frame")
    if max(outside(face, window) for face, window in zip(faces, windows, strict=True)) > MAX_FACE_OUTSIDE:
        return Verdict("dropped", "the face leaves the frame")
    if side < MIN_SIDE_OF_FACE * typical:
        return Verdict("dropped", f"the face fills the frame: crop {side} < {MIN_SIDE_OF_FACE:g} x face {typical:.0f}")
    if side < settings.min_res:
        return Verdict("dropped", f"native side {side} < {settings.min_res}")
    if any(share > MAX_OTHER_FACE for share in others):
        return Verdict("dropped", "another face in the crop")
    return KEPT


def _by_scores(scores: dict[str, float], has_sound: bool, settings: SelectionSettings) -> Verdict:
    """The thresholds that are set; a score that is not known passes."""
    for name, least in (("sharpness", settings.min_sharpness), ("brightness", settings.min_brightness)):
        if least is not None and scores.get(name, least) < least:
            return Verdict("dropped", f"{name} {scores[name]:.3f} < {least:g}")
    for name, most in (("occlusion", settings.max_occlusion), ("overlay", settings.max_overlay)):
        if most is not None and scores.get(name, most) > most:
            return Verdict("dropped", f"{name} {scores[name]:.3f} > {most:g}")
    if settings.max_yaw is not None and abs(scores.get("yaw_mean", 0.0)) > settings.max_yaw:
        return Verdict("dropped", f"mean yaw {scores['yaw_mean']:.0f} beyond {settings.max_yaw:g} degrees")
    if settings.need_sound and not has_sound:
        return Verdict("dropped", "no sound")
    return KEPT


def _following(
    track: Track, start: int, end: int, analysis: Analysis, settings: SelectionSettings
) -> tuple[Box, bool, Path]:
    """A square of fixed side whose centre follows the face smoothly: at the first frame, whether it left the frame, and
    where it is later."""
    frame = (analysis.info.width, analysis.info.height)
    frames = np.arange(start, end)
    table = np.asarray(track.boxes, np.float64)
    boxes = np.stack([np.interp(frames, track.frames, table[:, edge]) for edge in range(4)], axis=1)
    longer = float(np.percentile((boxes[:, 2:] - boxes[:, :2]).max(axis=1), 95))
    smooth = gaussian_filter1d(boxes, FOLLOW_S * analysis.info.fps, axis=0, mode="nearest")
    knots = sorted({start, end - 1, *range(start, end, max(1, round(FOLLOW_S * analysis.info.fps / 2)))})
    placed = [
        framing.square(smooth[knot - start].tolist(), longer, frame, settings.convention, settings.box_policy)
        for knot in knots
    ]
    side = min(box[2] - box[0] for box, _ in placed)  # one side for the clip: the least that every place has room for
    squares = [((box[0] + box[2] - side) // 2, (box[1] + box[3] - side) // 2) for box, _ in placed]
    path = tuple((knot, float(left), float(top)) for knot, (left, top) in zip(knots, squares, strict=True))
    left, top = squares[0]
    first = (left & ~1, top & ~1)
    return (*first, first[0] + side, first[1] + side), any(moved for _, moved in placed), path


def _others(track: Track, start: int, end: int, plan: ClipPlan, analysis: Analysis) -> list[float]:
    """For every other track that shares frames with the span: the largest share of its face inside the crop."""
    shares = []
    for other in analysis.tracks:
        a, b = max(start, other.start), min(end, other.end)
        seconds = analysis.time_of(other.end) - analysis.time_of(other.start)
        if other.index != track.index and a < b and seconds >= OTHER_FACE_S:
            known = zip(other.frames_of(a, b), other.known(a, b).tolist(), strict=True)
            shares.append(max(1 - outside(face, plan.window(at)) for at, face in known))
    return shares
