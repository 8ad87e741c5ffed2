"""The task `kp-recognition`: gallery and probes, landmarks and chance, what is failed and what is missing."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import baselines
import bench
from baselines.interface import ModelSpec, Source
from bench.metrics import kp_auc, kp_rank1
from bench.recognition import normalised
from curate import video
from curate.errors import UserError
from leaderboard.records import read_record

from .conftest import FRAMES, FakeSuite, picture, write_dataset

PEOPLE = 3


class Colours:
    """Its canonical keypoints are the colour of the disc, which is the person."""

    def __init__(self) -> None:
        self.spec = ModelSpec("colours", "mini", 64, capabilities=("canonical-keypoints",))

    def encode_source(self, images, extras):
        return Source(images)

    def canonical_keypoints(self, source):
        bright = source.images[0, 0] > 0.9
        if not bright.any():
            return torch.zeros(1, 3)
        return source.images[0][:, bright].median(1).values[None]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    """Samples of each row, of three people with two clips each; one frame of the last clip shows nobody."""
    root = tmp_path_factory.mktemp("kp")
    data = write_dataset(root / "data", [0, 1, 2, 0, 1, 2])
    video.write_video(data / "clips" / "clip5.mp4", [picture(9 if i == 2 else 2, i) for i in range(FRAMES)], 25.0)
    with pytest.MonkeyPatch.context() as patch:
        load, names = baselines.load, baselines.names
        patch.setattr(baselines, "load", lambda name, **o: Colours() if name == "colours" else load(name, **o))
        patch.setattr(baselines, "names", lambda: ["colours", *names()])
        patch.setattr("bench.runner.open_suite", lambda name: FakeSuite())
        folders = bench.run("kp-recognition", "colours", data, seed=3, out=root / "runs")
    return {read_record(f).model.name: pd.read_parquet(f / "samples.parquet") for f in folders}


def test_the_model_landmarks_and_chance_stand_in_one_table(found):
    assert set(found) >= {"colours", "landmarks68", "chance", "truth"}
    rank1 = {row: samples.query("metric == 'kp-rank1'") for row, samples in found.items()}
    assert len(rank1["chance"]) == PEOPLE * FRAMES
    np.testing.assert_allclose(rank1["chance"].value, 1 / PEOPLE)
    np.testing.assert_allclose(found["chance"].query("metric == 'kp-auc'").value, 0.5)
    faces = rank1["colours"].query("not (clip_id == 'clip5' and frame == 2)")
    assert (faces.value == 1).all()
    assert set(rank1["truth"].error) == {"a calibration row has no keypoints"}
    assert set(rank1["colours"].person) == {"person0", "person1", "person2"}  # what intervals are clustered by


def test_a_frame_without_a_face_is_failed_for_landmarks(found):
    samples = found["landmarks68"].query("metric == 'kp-rank1'")
    failed = samples[samples.status == "failed"]
    assert len(failed) in (0, 1)  # 0: clip5 is the gallery's, and its first frame has a face
    if len(failed):
        assert "no face found in the driving frame" in failed.error.iloc[0]


@settings(deadline=None, max_examples=50)
@given(
    arrays(np.float64, (4, 5), elements=st.sampled_from([0.0, 0.5, 1.0, 2.0])),
    st.lists(st.integers(0, 4), min_size=4, max_size=4),
)
def test_metrics_against_plain_loops(distances, own):
    ranks, areas = [], []
    for row, right in zip(distances, own, strict=True):
        least = [i for i, value in enumerate(row) if value == row.min()]
        ranks.append(1 / len(least) if right in least else 0)
        areas.append(np.mean([(v > row[right]) + 0.5 * (v == row[right]) for i, v in enumerate(row) if i != right]))
    found = torch.from_numpy(distances), torch.tensor(own)
    assert kp_rank1(*found).tolist() == pytest.approx(ranks)
    assert kp_auc(*found).tolist() == pytest.approx(areas)


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match=r"`distances` must be finite, \[B, G\] with G at least 2"):
        kp_rank1(torch.zeros(3, 1), torch.zeros(3))
    with pytest.raises(ValueError, match=r"`own` must be \[3\] and below 2"):
        kp_auc(torch.zeros(3, 2), torch.tensor([0, 1, 2]))


@settings(deadline=None, max_examples=30)
@given(st.floats(0.1, 10), st.floats(-1.2, 1.2), st.floats(-50, 50))
def test_place_size_and_roll_of_landmarks_do_not_count(scale, angle, shift):
    points = torch.randn(2, 68, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    turn = torch.tensor([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], dtype=torch.float64)
    moved = scale * points @ turn.T + shift
    torch.testing.assert_close(normalised(moved), normalised(points))
    level = normalised(points)
    torch.testing.assert_close(level[:, 36, 1], level[:, 45, 1])
    assert (level[:, 45, 0] > level[:, 36, 0]).all()


def test_a_model_and_a_dataset_that_cannot_are_told_so(dataset: Path, suite, outside, tmp_path):
    with pytest.raises(UserError, match="needs a model that can do 'canonical-keypoints', and shifter cannot"):
        bench.run("kp-recognition", "shifter", write_dataset(tmp_path / "data", [0, 1, 0, 1]), out=tmp_path / "runs")
    with pytest.raises(UserError, match="needs two persons with two clips each, but these 3 clips show 3 persons"):
        bench.run("kp-recognition", "truth", dataset, out=tmp_path / "runs")
