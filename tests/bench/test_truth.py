"""What is compared with the rendered truth where a dataset knows it, and which clips are measured on."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import bench
from bench import tasks
from bench.tasks.base import Pair, Reference, Task
from bench.truth import truth_of
from curate import video
from curate.dataset import Dataset
from curate.errors import UserError
from curate.synth.dataset import make
from curate.synth.recipe import Recipe
from leaderboard.aggregate import Score, aggregate
from leaderboard.records import RunRecord, read_record

from .conftest import FRAMES, SEEN, FakeSuite, picture, write_dataset

ABSOLUTE = replace(tasks.get("cross-id"), size=128)


class FakeTruth:
    """The source's disc where the driving clip's disc is; as `bench.truth.TruthRenderer`."""

    seconds = 0.125

    def __init__(self) -> None:
        self.asked: list[str] = []

    def frames(self, pair: Pair, indices: Sequence[int], task: Task) -> np.ndarray:
        self.asked.append(pair.id)
        person = int((pair.source.identity_id or "").removeprefix("person"))
        number = int(pair.driving.clip_id.removeprefix("clip"))
        return video.resize(np.stack([picture(person, step + number) for step in indices]), task.size)


@pytest.fixture
def truth(monkeypatch: pytest.MonkeyPatch) -> FakeTruth:
    fake = FakeTruth()
    monkeypatch.setattr("bench.plan.truth_of", lambda dataset: fake)
    return fake


def scores(folder: Path) -> dict[str, Score]:
    return {score.metric: score for score in aggregate(pd.read_parquet(folder / "samples.parquet"))}


def run(task: str, dataset: Path, out: Path, **more: object) -> dict[str, tuple[RunRecord, dict[str, Score]]]:
    folders = bench.run(task, "source-copy", dataset, out=out, **more)
    return {read_record(folder).model.name: (read_record(folder), scores(folder)) for folder in folders}


def test_where_the_truth_is_known_cross_id_is_compared_with_it(dataset, suite, truth, tmp_path):
    found = run("cross-id", dataset, tmp_path)
    (record, best), (_, copy) = found["truth"], found["source-copy"]
    assert {name: score.mean for name, score in best.items()} == pytest.approx(
        {
            "l1": 0,
            "lp-open": 0,
            "psnr": 100,
            "ssim": 1,
            "akd-open": 0,
            "aucon-open": 1,
            "prmse-open": 0,
            "csim-open": 1,  # with the source: here the disc's colour, which no motion changes
            "fd-open": 0,
        },
        abs=1e-4,
    )
    assert best["csim-open"].mean < 1
    assert copy["l1"].mean > 0.01
    assert copy["lp-open"].mean > 0.01
    assert copy["csim-open"].mean == pytest.approx(1, abs=1e-6)
    assert copy["akd-open"].mean > 5
    assert copy["fd-open"].mean > 0.001
    assert {score.n_ok for score in copy.values()} == {3 * FRAMES}
    assert record.seconds["truth"] == 0.125
    assert record.metrics[0].id == "l1"  # what has a value is shown first
    assert record.arguments["references"]["identity"] == "the source frame"
    assert record.arguments["references"]["pixels"].startswith("the rendered truth")


def test_values_are_those_of_the_rendered_frames_by_hand(dataset, suite, truth, tmp_path):
    folder = bench.run("cross-id", "source-copy", dataset, out=tmp_path, limit=1)[0]
    (preview,) = read_record(folder).previews
    number = int(preview.source_clip.removeprefix("clip"))
    source = video.resize(video.read_frames(dataset / "clips" / f"clip{number}.mp4", [0]), 256).astype(float)
    rendered = video.resize(np.stack([picture(number, step) for step in range(FRAMES)]), 256).astype(float)
    rows = pd.read_parquet(folder / "samples.parquet").query("metric == 'l1'")
    np.testing.assert_allclose(rows.value, np.abs(rendered - source).mean(axis=(1, 2, 3)) / 255, atol=1e-7)


def test_the_truth_row_shows_the_rendered_truth_and_models_are_still_given_the_driving(
    dataset, suite, truth, outside, tmp_path
):
    folders = {read_record(f).model.name: f for f in bench.run("cross-id", "shifter", dataset, out=tmp_path)}
    shown, given = read_record(folders["truth"]).previews[0], read_record(folders["shifter"]).previews[0]
    assert len(truth.asked) == len(set(truth.asked)) == 3
    rendered = (folders["truth"] / shown.output[0]).read_bytes()
    assert rendered != (folders["truth"] / shown.driving[0]).read_bytes()
    assert (folders["shifter"] / given.driving[0]).read_bytes() == (folders["truth"] / shown.driving[0]).read_bytes()


def test_no_network_looks_at_driving_frames_that_nothing_is_compared_with(dataset, suite, truth, tmp_path):
    run("cross-id", dataset, tmp_path)
    seen = {kind: sum(count for what, count in suite.seen if what == kind) for kind in SEEN}
    assert seen == dict.fromkeys(
        SEEN, 6 * FRAMES + 3
    )  # truths, once more re-encoded, and sources; a copy is seen already


def test_a_model_that_needs_landmarks_of_the_driving_frames_gets_those_and_no_more(
    dataset, suite, truth, outside, tmp_path
):
    bench.run("cross-id", "shifter", dataset, checkpoint="landmarks", out=tmp_path)
    seen = {kind: sum(count for what, count in suite.seen if what == kind) for kind in SEEN}
    assert seen["landmarks"] == seen["pose"] + 3 * (FRAMES - 1)  # the first frame of each clip is a source too


def test_same_id_asks_for_no_truth(dataset, suite, truth, tmp_path):
    record, best = run("same-id", dataset, tmp_path)["truth"]
    assert truth.asked == []
    assert best["l1"].mean == 0
    assert record.seconds["truth"] == 0


def test_scores_against_the_truth_and_against_the_driver_have_different_signatures(
    dataset, suite, tmp_path, monkeypatch
):
    filmed, _ = run("cross-id", dataset, tmp_path / "filmed")["source-copy"]
    monkeypatch.setattr("bench.plan.truth_of", lambda dataset: FakeTruth())
    rendered, _ = run("cross-id", dataset, tmp_path / "rendered")["source-copy"]
    signatures = [{m.id: record.signature(m) for m in record.metrics} for record in (filmed, rendered)]
    assert "|vs:driving|" in signatures[0]["akd-open"]
    assert "|vs:truth|" in signatures[1]["akd-open"]
    same = {name for name in signatures[0] if signatures[0][name] == signatures[1][name]}
    assert same == {"csim-open"}  # the source is the source


def test_truth_needs_something_to_fall_back_on():
    with pytest.raises(ValueError, match="`otherwise` goes with the frames 'truth'"):
        Reference("truth", "the truth")
    with pytest.raises(ValueError, match="`otherwise` goes with the frames 'truth'"):
        Reference("driving", "the driving frame", Reference(None, "nothing"))
    references = tasks.get("cross-id").references_on(truth=False)
    assert list(references)[-1] == "pixels"
    assert references["pixels"].frames is None


def split(root: Path, *names: str | None) -> Path:
    path = root / "manifest.parquet"
    table = pq.read_table(path).to_pylist()
    for row, name in zip(table, names, strict=True):
        row["split"] = name
    pq.write_table(pa.Table.from_pylist(table), path)
    return root


def test_a_dataset_with_a_test_split_is_measured_on_that(suite, tmp_path, capsys):
    data = split(write_dataset(tmp_path / "data", [0, 1, 2, 0]), "train", "test", "test", "val")
    record, copy = run("cross-id", data, tmp_path / "runs")["source-copy"]
    assert "data: the test split, 2 of 4 clips" in capsys.readouterr().err
    assert (record.protocol.split, record.protocol.n_pairs, record.dataset.n_clips) == ("test", 2, 4)
    assert copy["csim-open"].n_ok == 2 * FRAMES
    split(data, "train", "train", None, "val")
    record, _ = run("same-id", data, tmp_path / "runs")["source-copy"]
    assert (record.protocol.split, record.protocol.n_pairs) == (None, 4)


def test_a_test_split_of_one_person_is_too_little_for_cross_id(suite, tmp_path):
    data = split(write_dataset(tmp_path / "data", [0, 1]), "test", "train")
    with pytest.raises(UserError, match="these 1 clips show 1 in 1"):
        bench.run("cross-id", "truth", data, out=tmp_path / "runs")


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three rendered people, one clip of six frames each, two of them the test split."""
    out = tmp_path_factory.mktemp("heads") / "heads"
    report = make(out, Recipe(train=1, test=2, clips_per_identity=1, seconds=0.24, size=128, seed=3))
    assert report.failed == ()
    return out


def test_the_truth_of_a_clips_own_motion_is_the_clip_without_its_compression(heads):
    dataset = Dataset.open(heads)
    renderer = truth_of(dataset)
    a, b = dataset.clips[:2]
    rendered = renderer.frames(Pair(a, a), [0, 3, 5], ABSOLUTE)
    filmed = dataset.frames(a, [0, 3, 5])
    assert np.abs(rendered.astype(int) - filmed).mean() < 4
    moved = renderer.frames(Pair(a, b), [0, 3, 5], ABSOLUTE)
    assert np.abs(moved.astype(int) - filmed).mean() > 4  # another motion
    assert np.abs(moved.astype(int) - dataset.frames(b, [0, 3, 5])).mean() > 20  # another person in another place
    assert renderer.seconds > 0


def test_a_run_on_rendered_people_has_real_pixel_scores_across_identities(heads, suite, tmp_path):
    found = run("cross-id", heads, tmp_path)
    (record, best), (_, copy) = found["truth"], found["source-copy"]
    assert (record.protocol.split, record.protocol.n_pairs) == ("test", 2)
    assert (best["l1"].mean, best["psnr"].mean, best["lp-open"].mean) == (0, 100, 0)
    assert best["fd-open"].mean == pytest.approx(0, abs=1e-9)
    assert 0.005 < copy["l1"].mean < 0.3
    assert 8 < copy["psnr"].mean < 40
    assert copy["lp-open"].mean > 0
    assert copy["ssim"].n_ok == 2 * 6
    assert record.seconds["truth"] > 0


def test_truth_of_another_version_or_of_other_clips_is_refused(heads, monkeypatch):
    dataset = Dataset.open(heads)
    pair = Pair(dataset.clips[0], dataset.clips[1])
    with monkeypatch.context() as patch:
        patch.setattr("bench.truth.SYNTH_VERSION", 10**6)
        with pytest.raises(UserError, match="whose truth would be another: make the dataset again"):
            truth_of(dataset).frames(pair, [0], ABSOLUTE)
    unknown = replace(dataset.clips[0], clip_id="somebody")
    with pytest.raises(UserError, match="no truth of clip somebody"):
        truth_of(replace(dataset, clips=(*dataset.clips, unknown)))


def test_filmed_clips_have_no_truth(dataset):
    assert truth_of(Dataset.open(dataset)) is None


def test_suite_is_only_asked_for_what_it_has(dataset, truth, monkeypatch, tmp_path):
    fake = FakeSuite(missing={"expression": "no expression network", "frechet": "no frechet network"})
    monkeypatch.setattr("bench.runner.open_suite", lambda name: fake)
    _, copy = run("cross-id", dataset, tmp_path)["source-copy"]
    assert (copy["fd-open"].mean, copy["fd-open"].reason) == (None, f"no frechet network ({3 * FRAMES})")
    assert copy["aucon-open"].n_missing == 3 * FRAMES
    assert copy["lp-open"].mean > 0
