"""How well heads are fitted to landmarks: pose and vertices of people never seen, and the yaw of real portraits.

    python benchmarks/head_fitting.py --dataset FOLDER [--every 4] [--portraits FOLDER]

FOLDER of `curate synth`: its test split is measured, with true landmarks and with those of the builtin evaluator. The
portraits' folder has portraits.csv with the columns file, faces and yaw (positive to the image's left); it needs the
networks yunet and face-landmark-68 where weights are looked for. Nothing is written.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from baselines.head_fitting import Fit, fit_heads
from baselines.head_model import synthetic
from models.pose import rotation

SIDE = 256
NAMED = 10.0  # degrees: from here on a sign of yaw counts
WIDER = 1.9  # a portrait's crop, in heights of the face's box


def turn_between(a: Tensor, b: Tensor) -> Tensor:
    """Degrees [N] of the turn between poses [N, 3]."""
    apart = rotation(a.double()) @ rotation(b.double()).mT
    return (((apart.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2).clamp(-1, 1)).acos().rad2deg()


def rendered(root: Path, every: int) -> None:
    """Fits of the test split against its truth."""
    from bench.evaluators.suite import Observation, open_suite
    from curate.dataset import Dataset
    from curate.synth.truth import Truth

    dataset, truth, suite = Dataset.open(root), Truth.open(root), open_suite()
    head = synthetic()
    columns: dict[str, list[np.ndarray]] = {n: [] for n in ("true", "builtin", "angles", "shape", "expression")}
    for clip in [clip for clip in dataset.clips if clip.split == "test"]:
        known, frames = truth.clip(clip.clip_id), list(range(0, clip.n_frames, every))
        columns["true"].append((known.landmarks2d[frames] + 0.5) / known.size * SIDE - 0.5)
        columns["builtin"].append(Observation(suite, dataset.frames(clip, frames, SIDE)).landmarks)
        columns["angles"].append(known.motion.angles[frames])
        columns["shape"].append(np.repeat(known.identity.coefficients[None, : len(head.shape)], len(frames), 0))
        columns["expression"].append(known.motion.expression[frames, : len(head.expression)])
    given = {name: torch.from_numpy(np.concatenate(parts)).float() for name, parts in columns.items()}
    people = head.points(given["shape"], given["expression"])
    rows = head.with_head == 1
    print("| landmarks | frames | pose error, deg: median / 90 % | yaw / pitch / roll | vertices, mm | mean head, mm |")
    print("|---|---|---|---|---|---|")
    for name in ("true", "builtin"):
        found = given[name].isfinite().flatten(1).all(1)
        fit = fit_heads(head, given[name][found], SIDE)
        turn = turn_between(fit.angles, given["angles"][found])
        each = (fit.angles - given["angles"][found]).abs().median(0).values.tolist()
        error, still = (
            float((points - people[found])[:, rows].norm(dim=-1).mean(1).median())
            for points in (fit.points(head), head.mean)
        )
        print(
            f"| {name} | {int(found.sum())} | {turn.median():.2f} / {turn.quantile(0.9):.2f} "
            f"| {' / '.join(f'{value:.2f}' for value in each)} | {error:.2f} | {still:.2f} |"
        )


def portraits(folder: Path) -> None:
    """Yaw of portraits, beside what their list names."""
    import cv2
    from PIL import Image

    from curate.perception import load_detector, load_landmarker

    detector, network = load_detector("yunet"), load_landmarker("face-landmark-68")
    names, wanted, seen = [], [], []
    with (folder / "portraits.csv").open(newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["faces"] == "1"]
    for row in rows:
        image = Image.open(folder / row["file"]).convert("RGB")
        image.thumbnail((1280, 1280))
        frame = np.asarray(image)
        faces = detector.detect(frame[None])[0]
        if not len(faces):
            continue
        box = faces.boxes[0]
        half, (x, y) = WIDER / 2 * float((box[2:] - box[:2]).max()), (box[:2] + box[2:]) / 2
        scale = SIDE / (2 * half)
        matrix = np.array([[scale, 0, (half - x) * scale], [0, scale, (half - y) * scale]])
        crop = cv2.warpAffine(frame, matrix, (SIDE, SIDE), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
        found = detector.detect(crop[None])
        if len(found[0]):
            names.append(row["file"])
            wanted.append(-float(row["yaw"]))
            seen.append(network.landmarks(crop[None], found)[0])
    fit: Fit = fit_heads(synthetic(), torch.from_numpy(np.stack(seen)).float(), SIDE)
    yaw, named = fit.angles[:, 0].numpy(), np.array(wanted)
    clear = np.abs(named) >= NAMED
    ranks = np.corrcoef(yaw.argsort().argsort(), named.argsort().argsort())[0, 1]
    print(
        f"\n{len(names)} portraits: signs of yaw right in {int((np.sign(yaw) == np.sign(named))[clear].sum())} of the ",
        end="",
    )
    print(f"{int(clear.sum())} of {NAMED:g} degrees and more; rank correlation {ranks:.2f}")
    for name, found_yaw, named_yaw in sorted(zip(names, yaw, named, strict=True), key=lambda item: item[2]):
        print(f"{name:36s} named {named_yaw:6.0f}   fitted {found_yaw:6.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True, help="a folder that `curate synth` wrote")
    parser.add_argument("--every", type=int, default=4, help="frames of each clip: every so many")
    parser.add_argument("--portraits", type=Path, help="a folder with portraits.csv")
    given = parser.parse_args()
    rendered(given.dataset, given.every)
    if given.portraits:
        portraits(given.portraits)


if __name__ == "__main__":
    main()
