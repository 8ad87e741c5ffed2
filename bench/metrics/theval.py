"""THEval's measures (CVPR 2026, arXiv 2511.04520): how lively, how clean, and how near to the truth in that.

A clip has one number for each measure. A method's score is 1 - |m - t| / |t| for the means m over its clips and t over
the truth's; the final score is the mean of the scores. The published code measures motion on 478 points of a mesh;
here it is 68 landmarks by the same formulas, so that ids end in -68 and values are another scale. Two of the five
measures of motion listen to the driving clip (`bench.sound`), whose sound an output has as its own; a clip without
silence or without speech adds nothing to them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bench.metrics.base import Metric

if TYPE_CHECKING:
    from torch import Tensor

    from bench.metrics.spread import Spread

PAPER = "THEval: Evaluation Framework for Talking Head Video Generation, CVPR 2026"
LIPS = slice(48, 68)
BROWS = (slice(17, 22), slice(22, 27))  # on the image's left and right
EYES = (slice(36, 42), slice(42, 48))
INNER = ((61, 67), (62, 66), (63, 65))  # upper and lower lip, inside
NAN = float("nan")
SPEECH = 0.1  # share of frames with speech below which lip sync is not measured


def lip_dynamics(landmarks: Tensor) -> Tensor:
    """A clip's landmarks [T, 68, 2] in pixels at 256 -> []: the standard deviation over time of the distance of each
    two points of the lips, mean over all twos."""
    import torch

    lips = _points(landmarks)[:, LIPS]
    one, two = torch.triu_indices(lips.shape[1], lips.shape[1], 1)
    distances = (lips[:, one] - lips[:, two]).square().sum(dim=2).sqrt()
    return distances.std(dim=0, unbiased=False).mean()


def head_motion(pose: Tensor, landmarks: Tensor) -> Tensor:
    """A clip's head poses [T, 3] in degrees and landmarks [T, 68, 2] in pixels at 256 -> []: the root of (mean standard
    deviation of the angles x mean variance of their frame to frame change + mean variance of the face's centre).

    The centre is that of the box about the landmarks; the published code takes a detector's.
    """
    points = _points(landmarks)
    centre = (points.amin(dim=1) + points.amax(dim=1)) / 2
    change = pose[1:] - pose[:-1]
    change = change - 360 * (change / 360).round()
    moved = pose.std(dim=0, unbiased=False).mean() * change.var(dim=0, unbiased=False).mean()
    return (moved + centre.var(dim=0, unbiased=False).mean()).sqrt()


def eyebrow_dynamics(landmarks: Tensor) -> Tensor:
    """A clip's landmarks [T, 68, 2] -> []: how much the distance of a brow's centre to its eye's, over that of the
    eyes' centres, changes, mean over both sides and every two frames."""
    import torch

    points = _points(landmarks)
    eyes = [points[:, part].mean(dim=1) for part in EYES]
    between = (eyes[0] - eyes[1]).square().sum(dim=1).sqrt()
    sides = []
    for brow, eye in zip(BROWS, eyes, strict=True):
        height = (points[:, brow].mean(dim=1) - eye).square().sum(dim=1).sqrt() / between
        one, two = torch.triu_indices(len(height), len(height), 1)
        sides.append((height[one] - height[two]).abs().mean())
    return torch.stack(sides).mean()


def lip_opening(landmarks: Tensor) -> Tensor:
    """Landmarks [T, 68, 2] -> [T]: mean height of the inner lips over the distance of the outer eye corners."""
    points = _points(landmarks)
    heights = [(points[:, up] - points[:, down]).square().sum(dim=1).sqrt() for up, down in INNER]
    corners = (points[:, 36] - points[:, 45]).square().sum(dim=1).sqrt()
    return sum(heights[1:], heights[0]) / len(heights) / corners


def silent_lip_stability(opening: Tensor, silent: Tensor) -> Tensor:
    """Lip openings [T] and whether nobody speaks [T] -> []: the median distance of a silent frame's opening to their
    mean. ValueError without a silent frame."""
    quiet = opening[silent]
    if not len(quiet):
        raise ValueError("`silent` must be true of at least one frame")
    return (quiet - quiet.mean()).abs().median()


def lip_sync(opening: Tensor, volume: Tensor, speech: Tensor) -> Tensor:
    """Lip openings, volumes (RMS of 50 ms) and whether somebody speaks, each [T] -> []: mean |difference| of opening
    and volume, each brought to [0, 1] over the speech. ValueError where less than a tenth of the frames has speech."""
    if float(speech.float().mean()) < SPEECH:
        raise ValueError(f"`speech` must be true of at least {SPEECH:.0%} of the frames")
    spread = []
    for values in (opening[speech], volume[speech]):
        low, high = values.min(), values.max()
        spread.append((values - low) / (high - low).clamp(min=1e-12))
    return (spread[0] - spread[1]).abs().mean()


def likeness(pred: float, target: float) -> float:
    """1 - |pred - target| / |target|, a method's score in one measure: 1 is the truth's value, and it has no floor."""
    return 1 - abs(pred - target) / abs(target) if target else float("nan")


def of_sets(pred: Spread, target: Spread) -> float:
    """The mean over measures of `likeness` of two sets of clips, each clip a row of measures."""
    scores = [likeness(float(p), float(t)) for p, t in zip(pred.mean, target.mean, strict=True)]
    return sum(scores) / len(scores)


def _points(landmarks: Tensor) -> Tensor:
    """[T, 68, 2], also of rows of 136; ValueError for fewer than two frames."""
    points = landmarks.reshape(len(landmarks), 68, 2)
    if len(points) < 2:
        raise ValueError(f"`landmarks` must be of two frames at least, but are of {len(points)}")
    return points


def _head(seen: Tensor) -> Tensor:
    """`head_motion` of pose and landmarks side by side [T, 3 + 136]."""
    return head_motion(seen[:, :3], seen[:, 3:])


def _mean(seen: Tensor) -> Tensor:
    return seen.mean()


def _silent(seen: Tensor) -> Tensor:
    """`silent_lip_stability` of landmarks, volume and speech side by side [T, 136 + 2]; NaN without silence."""
    silent = seen[:, -1] < 0.5
    return silent_lip_stability(lip_opening(seen[:, -138:-2]), silent) if bool(silent.any()) else seen.new_tensor(NAN)


def _sync(seen: Tensor) -> Tensor:
    """`lip_sync` of landmarks, volume and speech side by side [T, 136 + 2]; NaN without speech."""
    speech = seen[:, -1] > 0.5
    if float(speech.float().mean()) < SPEECH:
        return seen.new_tensor(NAN)
    return lip_sync(lip_opening(seen[:, -138:-2]), seen[:, -2], speech)


def _motion(seen: Tensor) -> Tensor:
    """The five measures of motion [5] of pose, landmarks, volume and speech side by side [T, 3 + 136 + 2]."""
    import torch

    listening = seen[:, 3:]
    points = seen[:, 3:-2]
    measures = (
        lip_dynamics(points),
        _head(seen[:, :-2]),
        eyebrow_dynamics(points),
        _silent(listening),
        _sync(listening),
    )
    return torch.stack(measures)


def _final(seen: Tensor) -> Tensor:
    """All eight measures [8] of pose, landmarks, three scores of pictures, volume and speech side by side."""
    import torch

    pictures = seen[:, 139:142].mean(dim=0)
    return torch.cat((pictures, _motion(torch.cat((seen[:, :139], seen[:, 142:]), dim=1))))


def theval_motion_68(pred: Tensor, target: Tensor) -> Tensor:
    """The mean score of two clips in the five measures of motion; see `_motion` for what a row is."""
    return pred.new_tensor(_likeness(_motion(pred), _motion(target)))


def theval_final_68(pred: Tensor, target: Tensor) -> Tensor:
    """The mean score of two clips in all eight measures; see `_final` for what a row is."""
    return pred.new_tensor(_likeness(_final(pred), _final(target)))


def _likeness(pred: Tensor, target: Tensor) -> float:
    scores = [likeness(p, t) for p, t in zip(pred.tolist(), target.tolist(), strict=True)]
    return sum(scores) / len(scores)


def _measured(measure: Callable[[Tensor], Tensor], name: str) -> Callable[[Tensor, Tensor], Tensor]:
    """A metric of one clip that looks at the output alone."""

    def function(pred: Tensor, target: Tensor) -> Tensor:
        return measure(pred)

    function.__name__ = name
    function.__doc__ = measure.__doc__
    return function


def _scored(measure: Callable[[Tensor], Tensor], name: str) -> Callable[[Tensor, Tensor], Tensor]:
    """`likeness` of two clips in a measure."""

    def function(pred: Tensor, target: Tensor) -> Tensor:
        return pred.new_tensor(likeness(float(measure(pred)), float(measure(target))))

    function.__name__ = name
    function.__doc__ = f"THEval's score of two clips in {name}."
    return function


def _row(measure: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """A clip's measures as the one row that it adds to its set [1, M]; none for a clip of fewer than two frames, or
    that lacks what a measure looks for."""

    def vectors(seen: Tensor) -> Tensor:
        rows = measure(seen).reshape(1, -1) if len(seen) > 1 else seen.new_zeros((0, 1))
        return rows[rows.isfinite().all(dim=1)]

    return vectors


def _pair(
    id_: str, measure: Callable[[Tensor], Tensor], feature: str, unit: str, what: str, aspect: str = "motion"
) -> tuple[Metric, Metric]:
    """The measure of a clip, and the score in it."""
    name = id_.replace("-", "_")
    shared = {"aspect": aspect, "feature": feature, "variant_of": "akd", "paper": PAPER, "higher_is_better": True}
    return (
        Metric(
            id=id_,
            function=_measured(measure, name),
            of_clip=True,
            worst=0.0,
            unit=unit,
            description=f"{what}; best is the truth's value, not the highest",
            **shared,  # type: ignore[arg-type]  # fields that both have, of several types
        ),
        Metric(
            id=f"{id_}-score",
            function=_scored(measure, f"{name}_score"),
            vectors=_row(measure),
            of_sets=of_sets,
            best=1.0,
            description=f"1 - |m - t| / |t| of the clips' mean and the truth's: {what}",
            **shared,  # type: ignore[arg-type]  # fields that both have, of several types
        ),
    )


VARIANTS = (
    *_pair("lip-dynamics-68", lip_dynamics, "landmarks", "px", "how the distances of the lips' points vary in a clip"),
    *_pair("head-motion-68", _head, "pose+landmarks", "", "how much the head turns and moves in a clip"),
    *_pair("eyebrow-dynamics-68", eyebrow_dynamics, "landmarks", "", "how the brows' height varies in a clip"),
    *_pair(
        "silent-lip-stability-68",
        _silent,
        "landmarks+sound",
        "",
        "how much the lips' opening varies in silence",
    ),
    *_pair("lip-sync-68", _sync, "landmarks+sound", "", "how far the lips' opening and the volume are apart in speech"),
    *_pair("global-aesthetics", _mean, "aesthetics", "", "how pleasant frames are, by TOPIQ-IAA"),
    *_pair("mouth-quality", _mean, "mouth_quality", "", "how good mouths look, by MUSIQ"),
    *_pair("face-quality", _mean, "face_quality", "", "how good faces look, by TOPIQ for faces"),
    Metric(
        id="theval-motion-68",
        function=theval_motion_68,
        aspect="motion",
        feature="pose+landmarks+sound",
        higher_is_better=True,
        best=1.0,
        vectors=_row(_motion),
        of_sets=of_sets,
        variant_of="akd",
        description="mean of the scores in THEval's five measures of motion",
        paper=PAPER,
    ),
    Metric(
        id="theval-final-68",
        function=theval_final_68,
        aspect="motion",
        feature="pose+landmarks+aesthetics+mouth_quality+face_quality+sound",
        higher_is_better=True,
        best=1.0,
        vectors=_row(_final),
        of_sets=of_sets,
        variant_of="akd",
        description="mean of the scores in THEval's eight measures, motion on 68 landmarks",
        paper=PAPER,
    ),
)
