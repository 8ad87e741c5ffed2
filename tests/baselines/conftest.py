"""A model small enough to train in a test, and a dataset for it."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import baselines.fomm
import models.fomm
from curate import video
from curate.dataset import MANIFEST
from curate.files import sha256_file
from tests.models.conftest import golden, published, seeded  # noqa: F401

RESOLUTION = 32


@pytest.fixture
def tiny(monkeypatch):
    """The mini preset, shrunk to 32 x 32 pixels and a few channels."""
    config = models.fomm.Config(
        num_kp=3,
        kp_width=4,
        kp_max_width=16,
        kp_blocks=2,
        kp_scale=0.5,
        motion_width=4,
        motion_max_width=16,
        motion_blocks=2,
        motion_scale=0.5,
        width=8,
        max_width=12,
        down_blocks=1,
        bottleneck_blocks=1,
    )
    monkeypatch.setitem(models.fomm.PRESETS, "mini", config)
    monkeypatch.setitem(baselines.fomm.RESOLUTION, "mini", RESOLUTION)
    return config


@pytest.fixture
def recipe(tiny, tmp_path):
    """A file with FOMM's mini recipe for the tiny model."""
    from dataclasses import asdict

    switches = "\n".join(f"{key} = {str(value).lower()}" for key, value in asdict(tiny).items())
    path = tmp_path / "tiny.toml"
    path.write_text(
        f'extends = "fomm-mini"\nfirst = ""\njudges = []\nresolution = {RESOLUTION}\n\n'
        f"[weights]\nperceptual-builtin = 0\n\n[switches]\n{switches}\n"
    )
    return path


@pytest.fixture(scope="session")
def dataset(tmp_path_factory):
    """Three clips of a bright blob that circles over a gradient; the third is of the test split."""
    root = tmp_path_factory.mktemp("dataset")
    y, x = np.mgrid[:64, :64]
    rows = []
    for number in range(3):
        frames = []
        for t in range(10):
            angle = 0.6 * t + 2 * number
            blob = np.exp(-((x - 32 - 12 * np.cos(angle)) ** 2 + (y - 32 - 12 * np.sin(angle)) ** 2) / 60)
            frames.append(
                np.stack([200 * blob + 40, 2 * x + 60 * number, 2 * y + 20], axis=-1).round().astype(np.uint8)
            )
        path = root / f"clip{number}.mp4"
        video.write_video(path, frames, 25.0)
        rows.append(
            {
                "clip_id": path.stem,
                "path": path.name,
                "sha256": sha256_file(path),
                "video_id": path.stem,
                "identity_id": None,
                "split": "test" if number == 2 else None,
                "n_frames": len(frames),
                "fps": 25.0,
                "width": 64,
                "height": 64,
            }
        )
    pq.write_table(pa.Table.from_pylist(rows), root / MANIFEST)
    return root


@pytest.fixture
def checkpoint(tiny, tmp_path):
    """Random weights of the tiny model, as `bench train` would leave them."""
    import torch

    from baselines.checkpoint import save

    torch.manual_seed(0)
    networks = models.create("fomm", "mini")
    path = tmp_path / "made" / "checkpoint.safetensors"
    save(path, {part: networks[part] for part in baselines.fomm.PARTS}, model="fomm", preset="mini", steps=7)
    return path
