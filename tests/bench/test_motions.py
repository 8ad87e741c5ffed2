"""Relative motion and redirection: what models are asked for, what is compared, what cannot be known."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy.spatial.transform import Rotation

import baselines
import bench
from baselines.calibration import SourceCopy
from baselines.interface import ModelSpec
from bench import metrics, tasks
from bench.run_folder import angle_grid
from bench.runner import Request, measure
from bench.tasks.base import unable
from bench.tasks.redirection import GRID
from curate import video
from curate.angles import rotation
from curate.errors import UserError
from curate.synth.dataset import make
from curate.synth.recipe import Recipe
from leaderboard.aggregate import aggregate
from leaderboard.records import read_record

from .conftest import FRAMES


class Turner(SourceCopy):
    """Notes what it is asked for."""

    name = "turner"
    asked: ClassVar[list[object]] = []

    def reenact(self, source, driving, extras, *, relative_to=None):
        Turner.asked.append(relative_to)
        return driving

    def redirect(self, source, yaw, pitch, roll):
        Turner.asked.append(torch.stack((yaw, pitch, roll), 1))
        return source.images[:1].expand(len(yaw), -1, -1, -1)


@pytest.fixture
def turner(monkeypatch):
    Turner.asked = []
    monkeypatch.setattr("baselines._REGISTRY", {**bench.runner.baselines._REGISTRY, "turner": f"{__name__}:Turner"})
    return Turner


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rendered people, one clip of six frames each."""
    out = tmp_path_factory.mktemp("heads") / "heads"
    assert make(out, Recipe(train=0, test=2, clips_per_identity=1, seconds=0.24, size=128, seed=3)).failed == ()
    return out


def scores(folder: Path) -> dict[str, object]:
    return {score.metric: score for score in aggregate(pd.read_parquet(folder / "samples.parquet"))}


def test_relative_motion_starts_from_the_first_driving_frame(dataset, suite, turner, tmp_path):
    folder = bench.run("relative", "turner", dataset, out=tmp_path)[0]
    assert len(turner.asked) == 3
    for asked, number in zip(turner.asked, range(3), strict=True):
        frame = video.resize(video.read_frames(dataset / "clips" / f"clip{number}.mp4", [0]), 256)
        np.testing.assert_allclose(asked[0].permute(1, 2, 0), frame[0] / 255, atol=1e-6)
    found = scores(folder)
    assert found["l1"].mean is None
    assert "nobody filmed" in found["l1"].failures
    assert found["csim-open"].mean is not None


def test_a_model_without_the_ability_is_refused_before_any_work(dataset, suite, outside, tmp_path):
    for task, able in (("relative", "relative"), ("redirection", "redirect")):
        with pytest.raises(UserError, match=f"shifter cannot take part in task {task}: it cannot do '{able}'"):
            bench.run(task, "shifter", dataset, out=tmp_path)


def test_relative_truth_is_the_source_at_the_initial_frame(heads, suite, tmp_path):
    found = {read_record(f).model.name: scores(f) for f in bench.run("relative", "source-copy", heads, out=tmp_path)}
    assert found["truth"]["l1"].mean == 0
    rows = pd.read_parquet(next(tmp_path.glob("*source-copy*")) / "samples.parquet").query("metric == 'l1'")
    first, later = rows.query("frame == 0").value, rows.query("frame > 2").value
    assert first.mean() < 0.02 < 0.02 + later.mean()  # compression alone
    assert later.mean() > 1.5 * first.mean()


def test_redirection_asks_for_every_angle_and_keeps_its_grid(heads, suite, turner, tmp_path):
    results = measure(Request("redirection", "turner", str(heads), out=str(tmp_path)))
    assert not any(result.failures for result in results)
    assert len(turner.asked) == 2
    np.testing.assert_array_equal(turner.asked[0].numpy(), np.array(GRID, np.float32))
    record = read_record(results[0].folder)
    assert record.protocol.id == "redirection@2"
    grid = np.asarray(Image.open(results[0].folder / record.previews[0].grid))
    assert grid.shape == (28 + 2 * 96 * 5, 28 + 96 * 7, 3)  # the truth above what was made, for each pitch
    table = pd.read_parquet(results[0].folder / "samples.parquet")
    assert sorted(table.query("metric == 'l1'").frame.unique()) == list(range(len(GRID)))
    truth = next(result.folder for result in results if "truth" in result.folder.name)
    assert scores(truth)["l1"].mean == 0


def test_where_nothing_is_rendered_only_angles_and_identity_are_scored(dataset, suite, turner, tmp_path):
    folders = {read_record(f).model.name: scores(f) for f in bench.run("redirection", "turner", dataset, out=tmp_path)}
    found = folders["turner"]
    assert found["l1"].mean is None
    assert found["identity-distance-open"].mean == pytest.approx(0, abs=1e-6)
    assert found["identity-hit-0.05-open"].mean == 1
    assert found["angle-error-open"].mean > 20  # the disc does not turn
    assert found["redirection-hit-15-0.05-open"].mean == found["angle-hit-15-open"].mean < 0.3
    assert found["angle-error-open"].n_ok == 3 * len(GRID)
    assert all(score.mean is None for score in folders["truth"].values())


def test_frontalisation_is_redirection_to_the_camera(dataset, suite, turner, tmp_path):
    bench.run("frontalisation", "turner", dataset, out=tmp_path, limit=1)
    assert turner.asked[0].tolist() == [[0, 0, 0]]
    assert tasks.get("redirection").motion == "redirect"


def test_shots_of_relative_and_redirection_reach_the_model(dataset, suite, turner, tmp_path):
    record = read_record(bench.run("redirection", "turner", dataset, out=tmp_path, limit=1, shots=2)[0])
    assert record.protocol.shots == 2
    assert record.frames_driven == len(GRID) > FRAMES


def test_angle_error_is_that_of_scipy():
    random = np.random.default_rng(0)
    one, two = random.uniform(-80, 80, (2, 50, 3))
    expected = (Rotation.from_matrix(rotation(one)).inv() * Rotation.from_matrix(rotation(two))).magnitude()
    found = metrics.angle_error(torch.from_numpy(one), torch.from_numpy(two))
    np.testing.assert_allclose(found, np.degrees(expected), atol=1e-5)
    turned = torch.tensor([[15.0, 0, 0], [14.9, 0, 0], [0, 15.1, 0]])
    assert metrics.angle_hit(turned, torch.zeros(3, 3)).tolist() == [0, 1, 0]


def test_both_must_be_hit():
    asked, source = torch.zeros(4, 3), torch.tensor([[1.0, 0.0]]).expand(4, 2)
    pose = torch.tensor([[0.0, 0, 0], [0, 0, 0], [30, 0, 0], [30, 0, 0]])
    face = torch.tensor([[1.0, 0.1], [1, 1], [1, 0.1], [1, 1]])
    found = metrics.redirection_hit(torch.cat((pose, face), 1), torch.cat((asked, source), 1))
    assert found.tolist() == [1, 0, 0, 0]
    assert metrics.identity_hit(face, source).tolist() == [1, 0, 1, 0]
    np.testing.assert_allclose(metrics.identity_distance(face, source), 1 - 1 / np.sqrt([1.01, 2, 1.01, 2]), atol=1e-6)


def test_the_grid_shows_angles_where_they_belong():
    frames = np.stack([np.full((8, 8, 3), 40 * i, np.uint8) for i in range(3)])
    page = angle_grid(frames, np.array([[15, 10, 0], [0, 0, 0], [15, 0, 0]], np.float32), side=20)
    assert page.shape == (28 + 40, 28 + 40, 3)
    assert page[28 + 10, 28 + 30].tolist() == [0, 0, 0]  # looks up: the upper row
    assert page[28 + 30, 28 + 10].tolist() == [40, 40, 40]
    assert page[28 + 30, 28 + 30].tolist() == [80, 80, 80]
    assert page[28 + 10, 28 + 10].tolist() == [211, 211, 211]  # nothing was asked for here
    both = angle_grid(frames, np.array([[15, 10, 0], [0, 0, 0], [15, 0, 0]], np.float32), side=20, truth=frames + 100)
    assert both.shape == (28 + 80, 28 + 40, 3)
    assert [both[28 + 10 + 20 * row, 28 + 30, 0] for row in range(4)] == [100, 0, 180, 80]


def test_a_model_that_turns_heads_alone_takes_part_in_redirection_alone():
    spec = ModelSpec("turner", "mini", 64, capabilities=("redirect", "relative"), follows=False)
    assert [unable(motion, spec) for motion in ("absolute", "relative", "redirect")] == [
        "it follows no driving frames",
        "it follows no driving frames",
        "",
    ]
    assert not baselines.load("psp").spec.follows
