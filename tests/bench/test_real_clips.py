"""Both tasks on real curated clips with real networks: truth must be best on every metric that has a value."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bench
import curate
from bench import metrics
from bench.evaluators.suite import open_suite
from curate import video
from curate.settings import SelectionSettings, Settings
from leaderboard.aggregate import aggregate
from leaderboard.records import read_record

VIDEOS = ("pyfeat__single_face.mp4", "retalking__3.mp4", "retalking__5.mp4")


@pytest.fixture(scope="module")
def real_dataset(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("real")
    (root / "videos").mkdir()
    for name in VIDEOS:
        shutil.copy(clips / name, root / "videos" / name)
    settings = Settings(selection=SelectionSettings(min_res=128))
    assert curate.build(root / "videos", root / "dataset", settings).clips == len(VIDEOS)
    return root / "dataset"


@pytest.mark.parametrize(
    ("task", "valued"),
    [
        ("same-id", {"l1", "psnr", "ssim", "akd-open", "prmse-open", "csim-open"}),
        ("cross-id", {"akd-open", "prmse-open", "csim-open"}),
    ],
)
def test_truth_is_best_on_real_clips(real_dataset, real_networks, tmp_path, task, valued):
    means = {}
    for folder in bench.run(task, "source-copy", real_dataset, suite="open", out=tmp_path):
        record = read_record(folder)
        scores = {score.metric: score for score in aggregate(pd.read_parquet(folder / "samples.parquet"))}
        means[record.model.name] = {name: score.mean for name, score in scores.items()}
        assert {name for name, score in scores.items() if score.n_ok} == valued
        assert all(score.reason for score in scores.values() if score.mean is None)
        better = {metric.id: metric.higher_is_better for metric in record.metrics}
        assert all(len(network.sha256) == 64 for network in record.evaluators.values())
    truth, copy = means["truth"], means["source-copy"]
    assert truth["akd-open"] == 0
    assert truth["csim-open"] == pytest.approx(1, abs=1e-5)
    for name in valued:
        # a copy of the source is the source: on identity it is as good as the truth, when that is the reference
        worse = copy[name] - truth[name] if not better[name] else truth[name] - copy[name]
        assert worse > 0 or (task, name) == ("cross-id", "csim-open")


def test_the_same_person_in_another_clip_is_nearer_than_anybody_else(clips, real_networks):
    import torch

    listed = pd.read_csv(clips / "clips.csv")
    alone = listed[(listed.faces_min == 1) & (listed.faces_max == 1)]
    suite, seen, persons = open_suite("open"), [], []
    for row in alone.itertuples():
        frame = video.read_frames(clips / row.file, [row.frames // 2])
        embedding = suite.observe(frame).identity[0]
        if np.isfinite(embedding).all():
            seen.append(embedding)
            persons.append(row.person)
    found = torch.from_numpy(np.stack(seen))
    person = np.array(persons)
    assert len(found) > 20
    again = [i for i, name in enumerate(persons) if persons.count(name) > 1]
    assert len(again) >= 8
    for i in again:
        alike = metrics.csim(found[i].expand_as(found), found).numpy()
        same, other = (person == person[i]) & (np.arange(len(person)) != i), person != person[i]
        assert alike[same].min() > alike[other].max(), person[i]
