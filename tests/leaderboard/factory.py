"""Run folders for tests: small, whole, written through `leaderboard.records`, with previews."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from curate.video import write_video
from leaderboard.records import (
    SCHEMA_VERSION,
    DatasetInfo,
    EvaluatorInfo,
    MetricInfo,
    ModelInfo,
    PreviewInfo,
    ProtocolInfo,
    RunRecord,
    Sample,
    write_record,
    write_samples,
)

ARCFACE = EvaluatorInfo(name="arcface-r50", sha256="1a2b3c4d" * 8, licence="research only")
METRICS = (
    MetricInfo(id="l1", unit="", higher_is_better=False, description="Mean absolute error, RGB in [0, 1]."),
    MetricInfo(id="psnr", unit="dB", higher_is_better=True, description="Peak signal-to-noise ratio."),
    MetricInfo(
        id="csim", unit="", higher_is_better=True, description="Cosine of face embeddings.", evaluators=("identity",)
    ),
)


def make_samples(
    quality: float = 0.7, seed: int = 0, persons: int = 4, frames: int = 6, lost: Sequence[int] = ()
) -> list[Sample]:
    """Samples of `METRICS`: one pair per person; csim fails at the frames in `lost`."""
    random = np.random.default_rng(seed)
    samples = []
    for person in range(persons):
        pair = {"pair_id": f"pair-{person}", "clip_id": f"clip-{person}", "person": f"person-{person}"}
        level = quality + random.normal(0, 0.03)
        for frame in range(frames):
            noise = random.normal(0, 0.01, 3)
            values = {"l1": 0.2 * (1 - level) + abs(noise[0]), "psnr": 10 + 20 * level + noise[1], "csim": level}
            for metric, value in values.items():
                if metric == "csim" and frame in lost:
                    samples.append(
                        Sample(**pair, frame=frame, metric=metric, value=None, status="failed", error="no face found")
                    )
                else:
                    samples.append(Sample(**pair, frame=frame, metric=metric, value=float(value)))
    return samples


def make_run(
    folder: Path,
    *,
    model: str = "fomm",
    samples: Iterable[Sample] | None = None,
    previews: Sequence[PreviewInfo] = (),
    changes: dict[str, Any] | None = None,
) -> Path:
    """Write a run folder. `changes`: dotted field -> value, such as {"dataset.name": "x"}."""
    folder.mkdir(parents=True, exist_ok=True)
    samples = make_samples() if samples is None else samples
    calibration = model in ("truth", "source-copy")
    record = RunRecord(
        schema_version=SCHEMA_VERSION,
        run_id=folder.name,
        status="complete",
        created="2026-01-01T12:00:00+00:00",
        source="measured",
        command=("bench", "run"),
        arguments={},
        git_sha=None,
        git_dirty=None,
        packages={},
        machine={},
        seed=0,
        suite="builtin",
        model=ModelInfo(
            name=model,
            preset="none" if calibration else "mini",
            kind="calibration" if calibration else "model",
            resolution=None if calibration else 64,
            parameters=0 if calibration else 1_234_567,
            paper="",
            licence="MIT",
            checkpoint="",
            weights_sha256="" if calibration else "ab" * 32,
        ),
        dataset=DatasetInfo(name="portraits", fingerprint="fe" * 32, n_clips=8),
        protocol=ProtocolInfo(
            id="same-id@1",
            task="same-id",
            pair_list_sha256="cd" * 32,
            n_pairs=4,
            size=256,
            frames_per_clip=6,
            limit=None,
        ),
        metrics=METRICS,
        evaluators={"identity": ARCFACE},
        seconds={"model": 1.5, "total": 4.0},
        frames_driven=24,
        previews=tuple(previews),
        samples_sha256=write_samples(folder, samples),
    ).model_dump(mode="json")
    for field, value in (changes or {}).items():
        *path, last = field.split(".")
        target = record
        for name in path:
            target = target[name]
        target[last] = value
    write_record(folder, RunRecord.model_validate_json(json.dumps(record)))
    return folder


def make_still(folder: Path, pair: int, frame: int) -> dict[str, Any]:
    """JPEG frames of one moment in `folder`, and their description as in a record."""
    sides = {}
    for i, side in enumerate(("source", "driving", "output", "truth")):
        path = folder / "previews" / f"worst-{pair}-{frame}-{side}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (60 * i, 20 * pair, 10 * frame)).save(path)
        sides[side] = f"previews/{path.name}"
    return {"pair_id": f"pair-{pair}", "frame": frame, **sides}


def make_preview(
    folder: Path, pair: int = 0, hue: int = 0, frames: Sequence[int] = (0, 2, 4), video_frames: Sequence[int] = ()
) -> PreviewInfo:
    """Small JPEG frames of one pair in `folder`, videos of 25 frames per second where `video_frames` says which frames
    of the clip they show, and their description."""

    def save(name: str, shade: int) -> str:
        path = folder / "previews" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        ramp = np.linspace(0, 255, 64, dtype=np.uint8)
        image = np.stack([np.tile(ramp, (64, 1)), np.tile(ramp[:, None], (1, 64)), np.full((64, 64), shade)], -1)
        Image.fromarray(image.astype(np.uint8)).save(path)
        return f"previews/{name}"

    def film(name: str, shade: int) -> str:
        pictures = [np.full((64, 64, 3), (shade + 3 * frame) % 256, np.uint8) for frame in video_frames]
        write_video(folder / "previews" / name, pictures, 25)
        return f"previews/{name}"

    videos: dict[str, Any] = {}
    if video_frames:
        videos = {
            "driving_video": film(f"{pair}-driving.mp4", 40 * pair),
            "output_video": film(f"{pair}-output.mp4", hue),
            "video_frames": tuple(video_frames),
            "fps": 25.0,
        }
    return PreviewInfo(
        **videos,
        pair_id=f"pair-{pair}",
        source_clip=f"clip-{pair}",
        driving_clip=f"clip-{pair}",
        frames=tuple(frames),
        source=save(f"{pair}-source.jpg", 40 * pair),
        driving=tuple(save(f"{pair}-driving-{f}.jpg", 40 * pair + f) for f in frames),
        output=tuple(save(f"{pair}-output-{f}.jpg", hue + f) for f in frames),
    )
