"""Errors of the builtin evaluators on rendered people they never saw, and their agreement with networks for real faces.

    TALKINGHEAD_WEIGHTS=FOLDER python benchmarks/evaluators.py --clips FOLDER [--out docs/evaluators.md]

Prints the tables and writes them. Without --clips it writes the first part alone, and says so in the page.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from bench.evaluators import builtin, shipped
from bench.evaluators.suite import open_suite
from bench.evaluators.training import agreement, measure
from bench.evaluators.training.clips import clip_frames
from bench.evaluators.training.command import FULL, NAMES
from bench.evaluators.training.frames import FrameSet, frame_set
from curate.console import milestone, say
from curate.files import atomic
from curate.perception import align, load_detector
from curate.perception.interface import Faces
from curate.synth import dataset as synth
from curate.synth.parameters import UNITS
from curate.synth.recipe import Recipe

BARS = {"landmarks": 0.03, "pose": 3.0, "expression": 0.90, "mask": 0.95, "identity": 0.97}


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    yield "| " + " | ".join(header) + " |"
    yield "|" + "---|" * len(header)
    yield from ("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)
    yield ""


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def told(what: str, total: int) -> Callable[[int], None]:
    return lambda done: say(f"{what}: {done} of {total}") if milestone(done, total) else None


def clips(cache: Path) -> Iterator[str]:
    """The bars on SynthHeads' own clips."""
    recipe = Recipe.of(60, clips_per_identity=1, seconds=4.0, seed=77)
    made = synth.make(cache / "clips", recipe, workers=2)
    data = clip_frames(made.manifest.parent, every=8)
    say("looking for faces in clips")
    ways = {"true boxes": measure.true_faces(data), "MTCNN": measure.detected_faces(data, load_detector("mtcnn"))}
    errors = {way: measure.face_errors(builtin.BuiltinFace(), data, faces) for way, faces in ways.items()}
    one, two = (error.summary() for error in errors.values())
    yield "## On SynthHeads' clips of other people"
    yield ""
    yield (
        f"Every eighth frame of {made.clips} clips of {data.recipe.identities} people who were not in the training "
        f"(seed {recipe.seed}), as `curate synth` makes them: speech, blinks, head turns. This is where the bars are "
        "held against; the frames of the next section are harder than any clip."
    )
    yield ""
    yield from table(["", "bar", *errors], [*_face_rows(errors), ["frames", "", one["frames"], two["frames"]]])
    yield from _units(errors["MTCNN"])


def _face_rows(errors: dict[str, measure.FaceErrors]) -> list[list[object]]:
    """Landmarks, pose and expressions against their bars."""
    one, two = (error.summary() for error in errors.values())
    return [
        ["68 landmarks, mean distance over that of the outer eye corners", f"<= {percent(BARS['landmarks'])}"]
        + [percent(side["landmarks_over_eye_distance"]) for side in (one, two)],
        ["the same, median frame", ""] + [percent(side["landmarks_median"]) for side in (one, two)],
        ["head pose, mean absolute error of the three angles", f"<= {BARS['pose']:.0f} deg"]
        + [f"{side['pose_degrees']:.2f} deg" for side in (one, two)],
        ["expression, units rightly called active or not", f">= {percent(BARS['expression'])}"]
        + [percent(side["expression_agreement"]) for side in (one, two)],
        ["the same by always saying what is more frequent", ""]
        + [percent(error.majority) for error in errors.values()],
    ]


def rendered(cache: Path) -> Iterator[str]:
    recipe = FULL[1]
    data = frame_set(recipe, cache, 2, told("rendering people", recipe.identities))
    say("looking for faces")
    ways = {"true boxes": measure.true_faces(data), "MTCNN": measure.detected_faces(data, load_detector("mtcnn"))}
    yield "## On rendered people that were not in the training"
    yield ""
    yield (
        f"{recipe.frames} frames of {recipe.identities} people (population {recipe.population}), each frame drawn on "
        "its own: yaw within 60 degrees, pitch and roll within 30, and more than a quarter of the expression units "
        "active. Crops from the true boxes, and from those of the suite's detector; frames in which it finds nothing "
        "count for the former alone."
    )
    yield ""
    head, face, identifier = builtin.BuiltinHead(), builtin.BuiltinFace(), builtin.BuiltinIdentity()
    say("measuring faces")
    heads = {way: measure.head_errors(head, data, faces) for way, faces in ways.items()}
    errors = {way: measure.face_errors(face, data, faces) for way, faces in ways.items()}
    told_apart = {
        way: measure.verification(measure.embeddings(identifier, data, faces), data.identity)
        for way, faces in ways.items()
    }
    yield from _bars(heads, errors, told_apart)
    yield from _bands(heads, errors)
    yield from _units(errors["MTCNN"])
    yield from _detector(data, ways["MTCNN"])
    yield from _features(data)


def _bars(
    heads: dict[str, measure.HeadErrors],
    errors: dict[str, measure.FaceErrors],
    told_apart: dict[str, measure.Verification],
) -> Iterator[str]:
    one, two = (heads[way].summary() | error.summary() for way, error in errors.items())
    verified = list(told_apart.values())
    rows: list[list[object]] = [
        *_face_rows(errors),
        ["head mask, intersection over union", f">= {BARS['mask']:.2f}"]
        + [f"{side['mask_iou']:.3f}" for side in (one, two)],
        ["identity, area under the verification curve", f">= {BARS['identity']:.2f}"]
        + [f"{side.auc:.3f}" for side in verified],
        ["the same, equal error rate", ""] + [percent(side.equal_error_rate) for side in verified],
        ["cosine: same person 5th percentile / median", ""]
        + [f"{side.same_p5:.2f} / {side.same_median:.2f}" for side in verified],
        ["cosine: different people median / 95th percentile", ""]
        + [f"{side.different_median:.2f} / {side.different_p95:.2f}" for side in verified],
        ["frames", "", one["frames"], two["frames"]],
    ]
    yield from table(["", "bar", *errors], rows)


def _bands(heads: dict[str, measure.HeadErrors], errors: dict[str, measure.FaceErrors]) -> Iterator[str]:
    rows: list[list[object]] = []
    for way, error in errors.items():
        masks = [float(np.nanmean(heads[way].mask_iou[chosen])) for _, chosen in measure.bands(error.yaw)]
        for (band, side), mask in zip(error.by_yaw().items(), masks, strict=True):
            angles = " / ".join(f"{side[name]:.2f}" for name in ("yaw_degrees", "pitch_degrees", "roll_degrees"))
            rows.append(
                [
                    *(way, band, percent(side["landmarks_over_eye_distance"]), angles),
                    *(percent(side["expression_agreement"]), f"{mask:.3f}", side["frames"]),
                ]
            )
    yield "By the size of the yaw; the eyes' distance is that in the image, which shrinks as the head turns:"
    yield ""
    header = ["crops", "yaw, deg", "landmarks", "yaw / pitch / roll error, deg", "expression", "mask IoU", "frames"]
    yield from table(header, rows)


def _units(error: measure.FaceErrors) -> Iterator[str]:
    yield f"By expression unit, through MTCNN; {percent(error.active)} of all (frame, unit) are active:"
    yield ""
    ordered = sorted(zip(UNITS, error.unit_agreement, strict=True), key=lambda pair: -pair[1])
    yield ", ".join(f"{name} {percent(value)}" for name, value in ordered) + "."
    yield ""


def _detector(data: FrameSet, faces: Sequence[Faces]) -> Iterator[str]:
    """What `bench.evaluators.training.detector` imitates."""
    count = np.array([len(found) for found in faces])
    seen = np.flatnonzero(count)
    true = data.box[seen].astype(np.float64)
    side = np.maximum(true[:, 2] - true[:, 0], true[:, 3] - true[:, 1])
    boxes = np.stack([faces[i].boxes[0] for i in seen]).astype(np.float64)
    middle = ((boxes[:, :2] + boxes[:, 2:]) - (true[:, :2] + true[:, 2:])) / 2 / side[:, None]
    larger = np.log(np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]) / side)
    points = np.stack([data.points_of(i) for i in seen]), np.stack([faces[i].points[0] for i in seen])
    slopes = np.array([[align.eye_roll(p) for p in way] for way in points])
    kept = np.polyfit(slopes[0], slopes[1], 1)
    rest = slopes[1] - np.polyval(kept, slopes[0])
    yield (
        f"The detector finds a face in {percent(float((count > 0).mean()))} of the frames and exactly one in "
        f"{percent(float((count == 1).mean()))}. Against the renderer's boxes, in units of their longer side, its "
        f"boxes lie {-middle[:, 1].mean():.3f} higher (spread {middle[:, 0].std():.3f} across, "
        f"{middle[:, 1].std():.3f} down) and are {np.exp(larger.mean()):.3f} times as large (spread of the logarithm "
        f"{larger.std():.3f}); the slope between its eyes is {kept[0]:.2f} of the true one, spread "
        f"{rest.std():.1f} degrees."
    )
    yield ""


def _features(data: FrameSet) -> Iterator[str]:
    say("measuring features")
    found = measure.perceptual_distances(builtin.BuiltinFeatures(), data)
    yield "Mean perceptual distance (lp-builtin) of a frame to itself distorted, and to other frames:"
    yield ""
    rows = [
        [
            kind,
            ", ".join(f"{level:g}" for level in measure.DISTORTIONS.get(kind, ())),
            ", ".join(f"{v:.4f}" for v in values),
        ]
        for kind, values in found.items()
    ]
    yield from table(["to", "levels", "distance"], rows)


def real(folder: Path, per_clip: int) -> Iterator[str]:
    clips = agreement.read_list(folder)
    say("comparing on real clips")
    ours, theirs = open_suite("builtin"), open_suite("open")
    found = agreement.compare(ours, theirs, clips, per_clip)
    yield "## On real faces, against the suite `open`"
    yield ""
    yield (
        f"{found.both} frames of {found.clips} real clips of one person each, {per_clip} to a clip, in which both "
        f"suites' detectors see exactly one face, the same one ({found.frames} frames looked at). No truth is known "
        "here: this is how far the builtin networks, which never saw a real face, agree with small networks made for "
        "them. For masks, expressions and features there is nothing to compare with."
    )
    yield ""
    rows: list[list[object]] = [
        ["68 landmarks, distance over that of the outer eye corners, median / 90th percentile", _two(found.landmarks)],
        ["the same without the jaw line", _two(found.inner_landmarks)],
    ]
    for k, name in enumerate(("yaw", "pitch", "roll")):
        difference = found.pose[:, k]
        rows.append(
            [
                f"{name}: correlation; mean and mean absolute difference",
                f"{found.pose_correlation[k]:.2f}; {difference.mean():+.1f} and {np.abs(difference).mean():.1f} deg",
            ]
        )
    rows.append(["rank correlation of csim, pairs of frames of different clips", f"{found.csim_rank_correlation:.2f}"])
    yield from table(["", "builtin against open"], rows)
    apart: list[list[object]] = []
    for what, pair in (("all pairs of frames", found.same_clip), ("pairs of different clips", found.other_clip)):
        for side, name in zip(pair, ("builtin", "open"), strict=True):
            apart.append(
                [
                    *(what, name, f"{side.auc:.3f}", f"{side.same_p5:.2f} / {side.same_median:.2f}"),
                    f"{side.different_median:.2f} / {side.different_p95:.2f}",
                ]
            )
    yield "Telling real people apart (who is who is known from the clips' list):"
    yield ""
    yield from table(["", "suite", "AUC", "cosine, same person p5 / median", "different people median / p95"], apart)


def _two(values: Any) -> str:
    return f"{percent(float(np.median(values)))} / {percent(float(np.percentile(values, 90)))}"


def page(arguments: argparse.Namespace) -> Iterator[str]:
    yield "# The builtin evaluators: how far off they are"
    yield ""
    yield (
        "Made by `python benchmarks/evaluators.py --clips FOLDER`. The networks are trained by `bench train-evaluators`"
        " on rendered heads alone; their cards stand beside them in `bench/evaluators/weights/`. They are surrogates: "
        "what they measure carries the suite's name (`akd-builtin`) and stands in no column with other networks."
    )
    yield ""
    rows = []
    for name in NAMES:
        card = shipped.read_card(shipped.WEIGHTS, name)
        minutes = card["seconds"] / 60
        rows.append(
            [shipped.network_name(name), card["parameters"], card["bytes"], f"{minutes:.0f}", card["sha256"][:16]]
        )
    yield from table(["network", "parameters", "bytes", "minutes of training, one thread", "sha256"], rows)
    yield from clips(arguments.cache)
    yield from rendered(arguments.cache)
    if arguments.clips is None:
        yield "Agreement on real faces was not measured for this page: that needs --clips and the suite `open`."
    else:
        yield from real(arguments.clips, arguments.frames)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--clips", type=Path, help="folder of real clips with a clips.csv (file, person, frames, faces_med)"
    )
    parser.add_argument("--frames", type=int, default=12, help="frames of each real clip")
    parser.add_argument("--out", type=Path, default=Path("docs/evaluators.md"))
    parser.add_argument("--cache", type=Path, default=Path("out/evaluators"), help="where rendered frames are kept")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    text = "\n".join(page(arguments)).rstrip("\n") + "\n"
    print(text)
    with atomic(arguments.out) as partial:
        partial.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
