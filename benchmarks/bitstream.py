"""Bytes per frame of OSFV's motion stream, and what quantisation costs: SynthHeads' test clips and clips of a folder.

    python benchmarks/bitstream.py --checkpoint FILE [--clips FOLDER] [--frames N]

Each clip's first frame is the source, all frames drive. PSNR is against the true frames, once with the motion as it is
and once as the receiver has it. Bytes are those of the whole stream, header and end included, by the frames.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import baselines
from bench.bitstream import Format, decode, dequantised, encode, quantised
from bench.datasets import open_dataset
from curate import video
from curate.files import sha256_file

FORMATS = {"fixed": Format(20), "adaptive": Format(20, hold=6)}
FORMATS |= {
    f"{coarser} x the steps": Format(20, angle_step=0.25 * coarser, t_step=coarser / 512, delta_step=coarser / 512)
    for coarser in (2, 4, 8, 16, 32)  # a curve
}


def psnr(found: torch.Tensor, truth: torch.Tensor) -> float:
    """Mean over frames, dB."""
    return float((-10 * torch.log10((found - truth).square().mean((1, 2, 3)))).mean())


def centred(frames: np.ndarray) -> np.ndarray:
    """The largest square in the middle."""
    height, width = frames.shape[1:3]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return np.ascontiguousarray(frames[:, top : top + side, left : left + side])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--dataset", default="synthheads-mini")
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument("--count", type=int, default=6)
    options = parser.parse_args()
    model = baselines.load("osfv", checkpoint=options.checkpoint)
    print(f"checkpoint sha256 {sha256_file(Path(options.checkpoint))}, steps {model.spec.details.get('steps')}")
    dataset = open_dataset(options.dataset)
    tests = [clip for clip in dataset.clips if clip.split == "test"] or list(dataset.clips)
    groups = {options.dataset: [dataset.root / clip.path for clip in tests[: options.count]]}
    if options.clips:
        groups[options.clips.name] = sorted(options.clips.rglob("*.mp4"))[: options.count]
    for group, paths in groups.items():
        results: dict[str, list[tuple[float, float]]] = {name: [] for name in FORMATS}
        plain = []
        for path in paths:
            count = min(options.frames, video.info(path).n_frames)
            frames = video.resize(centred(video.read_frames(path, range(count))), model.spec.resolution)
            images = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255
            source, motion = model.encode_source(images[:1], {}), model.motion(images)
            plain.append(psnr(model.render(source, motion), images))
            for name, form in FORMATS.items():
                form = replace(form, keypoints=motion["delta"].shape[1])
                stream = encode(quantised(motion, form), form)
                received = {key: torch.from_numpy(value) for key, value in dequantised(*decode(stream)).items()}
                results[name].append((len(stream) / len(images), psnr(model.render(source, received), images)))
        print(f"{group}: {len(paths)} clips of at most {options.frames} frames, K = {form.keypoints}")
        print(f"  unquantised PSNR {np.mean(plain):.3f} dB")
        for name, rows in results.items():
            size, quality = np.mean(rows, axis=0)
            print(f"  {name}: {size:.1f} bytes a frame, {np.mean(plain) - quality:+.3f} dB lost")


if __name__ == "__main__":
    main()
