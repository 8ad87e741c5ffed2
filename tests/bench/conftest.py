"""A tiny dataset, a suite of networks that count what they are shown, and models that live in an installed package."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate import video
from curate.files import sha256_file
from curate.perception.interface import NetworkInfo

SIDE = 64
SEEN = ("expression", "frechet", "identity", "landmarks", "perceptual", "pose")  # kinds of networks of the suite
FRAMES = 4


def picture(person: int, step: int) -> np.ndarray:
    """A coloured disc on a shaded ground; it moves with `step`. Person 9 shows none."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    ground = np.stack([x * 2 + 40, y * 2 + 40, np.full_like(x, 60)], axis=2).astype(np.uint8)
    if person != 9:
        disc = (x - 24 - 2 * step) ** 2 + (y - 32 + step) ** 2 < 14**2
        ground[disc] = [250, 200 - 60 * person, 40 + 60 * person]
    return ground


def write_dataset(root: Path, people: list[int], frames: int = FRAMES) -> Path:
    (root / "clips").mkdir(parents=True)
    rows = []
    for i, person in enumerate(people):
        path = root / "clips" / f"clip{i}.mp4"
        video.write_video(path, [picture(person, step + i) for step in range(frames)], 25.0)
        rows.append(
            {
                "clip_id": f"clip{i}",
                "path": f"clips/clip{i}.mp4",
                "sha256": sha256_file(path),
                "video_id": f"video{i}",
                "identity_id": f"person{person}",
                "split": None,
                "n_frames": frames,
                "fps": 25.0,
                "width": SIDE,
                "height": SIDE,
            }
        )
    pq.write_table(pa.Table.from_pylist(rows), root / "manifest.parquet")
    return root


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips of three people."""
    return write_dataset(tmp_path_factory.mktemp("data") / "tiny", [0, 1, 2])


@dataclass
class FakeObservation:
    """The disc's box and colour stand for what is seen of a face, NaN where there is no disc; of the whole frame there
    are thumbnails."""

    frames: np.ndarray
    seen: list[tuple[str, int]]

    def _discs(self) -> list[np.ndarray | None]:
        found = []
        for frame in self.frames:
            rows, columns = np.nonzero(frame[..., 0] > 225)
            found.append(np.stack([columns, rows], axis=1) if len(rows) > 500 else None)
        return found

    @cached_property
    def landmarks(self) -> np.ndarray:
        self.seen.append(("landmarks", len(self.frames)))
        points = np.full((len(self.frames), 68, 2), np.nan, np.float32)
        for i, disc in enumerate(self._discs()):
            if disc is not None:
                points[i] = np.linspace(disc.min(axis=0), disc.max(axis=0), 68)
        return points

    @cached_property
    def identity(self) -> np.ndarray:
        self.seen.append(("identity", len(self.frames)))
        vectors = np.full((len(self.frames), 3), np.nan, np.float32)
        for i, disc in enumerate(self._discs()):
            if disc is not None:
                colour = np.median(self.frames[i][disc[:, 1], disc[:, 0]], axis=0)
                vectors[i] = colour / np.linalg.norm(colour)
        return vectors

    @cached_property
    def pose(self) -> np.ndarray:
        self.seen.append(("pose", len(self.frames)))
        angles = np.full((len(self.frames), 3), np.nan, np.float32)
        for i, disc in enumerate(self._discs()):
            if disc is not None:
                angles[i] = [*disc.mean(axis=0) - 128, 0]
        return angles

    @cached_property
    def expression(self) -> np.ndarray:
        self.seen.append(("expression", len(self.frames)))
        units = np.full((len(self.frames), 18), np.nan, np.float32)
        for i, disc in enumerate(self._discs()):
            if disc is not None:
                units[i] = np.linspace(0, disc[:, 0].mean() / 128, 18)
        return units

    @cached_property
    def perceptual(self) -> np.ndarray:
        self.seen.append(("perceptual", len(self.frames)))
        return self._thumbnails(32)

    @cached_property
    def frechet(self) -> np.ndarray:
        self.seen.append(("frechet", len(self.frames)))
        return self._thumbnails(2)

    def _thumbnails(self, side: int) -> np.ndarray:
        small = self.frames.reshape(len(self.frames), side, 256 // side, side, 256 // side, 3).mean(axis=(2, 4))
        return (small / 255).reshape(len(self.frames), -1).astype(np.float32)


@dataclass
class FakeSuite:
    """The interface of bench.evaluators.suite.Suite; `seen` lists (kind, frames) of every use of a network."""

    name: str = "open"
    missing: dict[str, str] = field(default_factory=dict)
    wide: frozenset[str] = frozenset()
    seen: list[tuple[str, int]] = field(default_factory=list)

    @property
    def networks(self) -> dict[str, NetworkInfo]:
        kinds = {"detector", *SEEN} - set(self.missing)
        return {kind: NetworkInfo(f"fake-{kind}", kind[0] * 64, "MIT") for kind in sorted(kinds)}

    def observe(self, frames: np.ndarray) -> FakeObservation:
        assert frames.dtype == np.uint8
        assert frames.shape[1:] == (256, 256, 3)
        return FakeObservation(frames, self.seen)


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch) -> FakeSuite:
    """Networks that know discs."""
    fake = FakeSuite()
    for command in ("runner", "score"):
        monkeypatch.setattr(f"bench.{command}.open_suite", lambda name: fake)
    return fake


PACKAGE = '''
import torch
from baselines.interface import ModelSpec, Source
from bench.metrics.base import Metric
from bench.tasks.base import Pair, Reference, Task


class Model:
    """Shifts the source by a column; does wrong what its checkpoint says, in the pair whose source is darkest."""

    def __init__(self, fault, preset, needs):
        self.fault = fault
        self.shots = 3 if fault == "shots" else 1
        self.spec = ModelSpec("shifter", preset, 32, needs=needs, checkpoint=fault, shots=self.shots)

    def encode_source(self, images, extras):
        return Source(images, {"extras": extras})

    def reenact(self, source, driving, extras, *, relative_to=None):
        assert source.images.shape == (self.shots, 3, 32, 32) and source.images.dtype == torch.float32
        assert torch.is_inference_mode_enabled()
        out = source.images[-1:].roll(1, dims=3).expand_as(driving).clone()
        if self.fault == "noise":
            return out * 0.9 + 0.1 * torch.rand_like(out)
        if self.fault == "faceless":
            return out * 0
        if self.fault == "bright":
            return out + 10
        if self.fault == "landmarks":
            assert extras["landmarks68"].shape == (len(driving), 68, 2) and extras["landmarks68"].max() < 32
            assert source.state["extras"]["landmarks68"].shape == (1, 68, 2)
            return out
        if source.images[0, 1].mean() > driving[0, 1].mean():
            return out
        if self.fault == "raise":
            raise KeyError("keypoint\\nsecond line")
        if self.fault == "nan":
            out[2] = torch.nan
        return {"shape": out[:-1], "type": out.numpy()}.get(self.fault, out)


def load(*, preset="mini", checkpoint=None, device="cpu"):
    return Model(str(checkpoint or ""), preset, ("landmarks68",) if checkpoint == "landmarks" else ())


def darkest(pred, target):
    return pred.amin(dim=(1, 2, 3))


METRIC = Metric("darkest", darkest, "pixels", "frames", False, "the darkest value of the output")

TASK = Task(
    "first-drives-all",
    3,
    "the first clip drives the others",
    {"pixels": Reference("driving", "the driving frame")},
    lambda clips, seed: [Pair(clip, min(clips, key=lambda c: c.clip_id)) for clip in clips],
    frames_per_clip=3,
)
'''


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package that adds a model, a metric and a task: a module and its entry points, nothing more."""
    site = tmp_path / "site"
    info = site / "shifter-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "shifter_package.py").write_text(PACKAGE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shifter\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[talkinghead.models]\nshifter = shifter_package:load\n"
        "[talkinghead.metrics]\ndarkest = shifter_package:METRIC\n"
        "[talkinghead.tasks]\nfirst-drives-all = shifter_package:TASK\n"
    )
    monkeypatch.syspath_prepend(str(site))
    return site
