"""`bench.run` from a dataset to run folders, with networks that count and models that live in an installed package."""

import hashlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import bench
from bench import drive, run_folder
from bench.features import Features
from bench.runner import Request, measure
from bench.scoring import Look
from curate import video
from curate.errors import MissingPrerequisite, UserError
from curate.files import PARTIAL
from leaderboard.aggregate import Score, aggregate
from leaderboard.records import RunRecord, read_record

from .conftest import FRAMES, SEEN, FakeSuite, picture, write_dataset

NETWORKS_OF_ONE_PASS = [(kind, FRAMES) for kind in SEEN]


def samples(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "samples.parquet")


def scores(folder: Path) -> dict[str, Score]:
    return {score.metric: score for score in aggregate(samples(folder))}


def by_model(folders: list[Path]) -> dict[str, Path]:
    return {read_record(folder).model.name: folder for folder in folders}


def test_same_id_truth_is_best_and_a_copy_is_not(dataset, suite, tmp_path):
    found = by_model(bench.run("same-id", "source-copy", dataset, out=tmp_path))
    assert set(found) == {"source-copy", "truth", "truth-reencoded", "shuffled"}
    truth, copy = scores(found["truth"]), scores(found["source-copy"])
    assert {name: score.mean for name, score in truth.items()} == pytest.approx(
        {
            "l1": 0,
            "lp-open": 0,
            "psnr": 100,
            "ssim": 1,
            "akd-open": 0,
            "aucon-open": 1,
            "prmse-open": 0,
            "csim-open": 1,
            "fd-open": 0,
        }
    )
    assert {score.n_ok for score in truth.values()} == {3 * FRAMES}
    assert copy["l1"].mean > 0.01
    assert copy["psnr"].mean < 60
    assert copy["akd-open"].mean > 5
    assert copy["prmse-open"].mean > 5
    assert copy["aucon-open"].mean < 1
    assert copy["lp-open"].mean > 0.01
    assert copy["fd-open"].mean > 0.001
    first = samples(found["source-copy"]).query("frame == 0 and metric == 'l1'")
    assert (first.value == 0).all()  # the source is frame 0, and it is scored too
    assert len(first) == 3


def test_values_are_those_of_the_frames_by_hand(dataset, suite, tmp_path):
    folder = bench.run("same-id", "source-copy", dataset, out=tmp_path)[0]
    frames = video.resize(video.read_frames(dataset / "clips" / "clip1.mp4", range(FRAMES)), 256).astype(float)
    expected = np.abs(frames - frames[:1]).mean(axis=(1, 2, 3)) / 255
    rows = samples(folder).query("clip_id == 'clip1' and metric == 'l1'")
    np.testing.assert_allclose(rows.value, expected, atol=1e-7)
    assert list(rows.frame) == list(range(FRAMES))
    assert set(rows.person) == {"person1"}
    assert set(rows.pair_id) == {"clip1--clip1"}


def test_cross_id_references(dataset, suite, tmp_path):
    found = by_model(bench.run("cross-id", "source-copy", dataset, out=tmp_path))
    truth, copy = scores(found["truth"]), scores(found["source-copy"])
    for score in (truth["l1"], copy["l1"], copy["lp-open"]):
        assert (score.mean, score.n_attempted, score.n_missing) == (None, 0, 3 * FRAMES)
        assert "nobody filmed this source" in score.reason
    assert truth["akd-open"].mean == 0
    assert truth["csim-open"].mean == pytest.approx(1)
    assert copy["csim-open"].mean == pytest.approx(1, abs=1e-6)  # identity is compared with the source
    assert copy["akd-open"].mean > 5  # motion is compared with the driving frames
    truth_record, copy_record = (read_record(found[name]) for name in ("truth", "source-copy"))
    assert truth_record.arguments["references"]["identity"] == "the driving frame itself"
    assert copy_record.arguments["references"]["identity"] == "the source frame"
    described = {metric.id: metric.description for metric in copy_record.metrics}
    assert described["akd-open"].endswith("of another face shape: no model can reach 0")
    assert described["fd-open"].endswith("which show other persons: no model can reach 0")
    against = {metric.id: metric.reference for metric in truth_record.metrics}  # one column with the models' values
    assert against == {metric.id: metric.reference for metric in copy_record.metrics}
    assert against.items() >= {"l1": "", "akd-open": "driving", "csim-open": "source", "fd-open": "driving"}.items()


def test_every_frame_is_decoded_once_and_seen_once_by_each_network(dataset, suite, outside, tmp_path, monkeypatch):
    decoded: list[tuple[str, int]] = []
    read = video.read_frames

    def counting(path, indices):
        if path.name.startswith("clip"):  # and not what the re-encoded truth is read from
            decoded.extend((path.name, index) for index in indices)
        return read(path, indices)

    monkeypatch.setattr(video, "read_frames", counting)
    assert len(bench.run("same-id", "source-copy", dataset, out=tmp_path)) == 4
    assert len(decoded) == len(set(decoded)) == 3 * FRAMES
    # of the calibration rows only the frames that went through a codec cost a network anything
    assert sorted(suite.seen) == sorted(NETWORKS_OF_ONE_PASS * 6)

    suite.seen.clear()
    assert len(bench.run("same-id", "shifter", dataset, out=tmp_path)) == 5
    assert (
        sum(count for kind, count in suite.seen if kind == "landmarks") == 6 * FRAMES + 3
    )  # one output a clip, repeated


def test_the_record_says_how_it_came_about(dataset, suite, outside, tmp_path):
    folder = bench.run("cross-id", "shifter", dataset, out=tmp_path / "runs", limit=2, seed=3, checkpoint="noise")[0]
    record = read_record(folder)
    assert isinstance(record, RunRecord)
    assert folder.name == record.run_id
    assert folder.name.split("-")[0].endswith("Z")
    assert "-cross-id-shifter-" in folder.name
    assert record.protocol.model_dump(exclude={"pair_list_sha256"}) == {
        "id": "cross-id@2",
        "task": "cross-id",
        "n_pairs": 2,
        "size": 256,
        "frames_per_clip": 64,
        "limit": 2,
        "split": None,
        "shots": 1,
        "failed_frames": "penalise",
    }
    assert record.dataset.n_clips == 3
    assert record.model.name == "shifter"
    assert record.model.checkpoint == "noise"
    assert record.seed == record.arguments["seed"] == 3
    assert record.arguments["out"] == str(tmp_path / "runs")
    assert record.frames_driven == 2 * FRAMES
    assert set(record.seconds) == {"decode", "truth", "model", "evaluators", "metrics", "total"}
    assert record.seconds["total"] >= record.seconds["model"] > 0
    assert set(record.evaluators) == {"detector", *SEEN}
    by_id = {metric.id: metric for metric in record.metrics}
    assert by_id["akd-open"].evaluators == ("detector", "landmarks")
    assert by_id["fd-open"].evaluators == ("frechet",)
    assert by_id["l1"].evaluators == ()
    assert by_id["l1"].reference == ""
    assert record.packages["torch"]
    table = samples(folder)
    assert len(table.pair_id.dropna().unique()) == 2
    (whole,) = table[table.pair_id.isna()].to_dict("records")
    assert (whole["metric"], whole["n"], whole["status"]) == ("fd-open", 2 * FRAMES, "ok")


def test_the_pair_list_is_hashed_as_far_as_it_was_run(dataset, suite, tmp_path):
    for limit in (None, 2):
        record = read_record(bench.run("same-id", "truth", dataset, out=tmp_path, limit=limit)[0])
        expected = "".join(f"clip{i}\tclip{i}\n" for i in range(limit or 3))
        assert record.protocol.pair_list_sha256 == hashlib.sha256(expected.encode()).hexdigest()


def test_previews_show_source_driving_and_output(suite, tmp_path):
    data = write_dataset(tmp_path / "data", [0, 1, 2, 0, 1], frames=9)
    folder = bench.run("cross-id", "truth", data, out=tmp_path / "runs")[0]
    previews = read_record(folder).previews
    assert [preview.driving_clip for preview in previews] == ["clip0", "clip1", "clip2", "clip3"]
    first = previews[0]
    assert first.frames == (0, 2, 4, 6, 8)
    for driving, output in zip(first.driving, first.output, strict=True):
        assert (folder / driving).read_bytes() == (folder / output).read_bytes()
    shown = np.asarray(Image.open(io.BytesIO((folder / first.source).read_bytes()))).astype(int)
    number = int(first.source_clip.removeprefix("clip"))
    expected = video.resize(picture([0, 1, 2, 0, 1][number], number)[None], 256)[0]
    assert np.abs(shown - expected).mean() < 8


def test_videos_and_worst_frames_lie_beside_the_previews(dataset, suite, outside, tmp_path):
    folder = by_model(bench.run("same-id", "shifter", dataset, out=tmp_path / "runs"))["shifter"]
    record = read_record(folder)
    for preview in record.previews:
        assert len(preview.video_frames) == FRAMES
        assert preview.fps == pytest.approx(25)
        for name in (preview.driving_video, preview.output_video):
            assert video.read_frames(folder / name, range(FRAMES)).shape == (FRAMES, 256, 256, 3)
            assert video.info(folder / name).fps == pytest.approx(25)
    table = samples(folder)
    worst = table[table.metric == "l1"].sort_values("value").iloc[-1]
    assert (worst.pair_id, worst.frame) in {(still.pair_id, still.frame) for still in record.stills}
    stored = {str(path.relative_to(folder)) for path in (folder / "previews").iterdir()}
    stated = {v for still in record.stills for k, v in still if k in ("source", "driving", "output", "truth") and v}
    assert stated <= stored


def test_the_same_seed_gives_the_same_bytes(dataset, suite, outside, tmp_path):
    def digests(out: str, seed: int, limit: int | None = None) -> pd.DataFrame:
        folders = bench.run(
            "cross-id", "shifter", dataset, checkpoint="noise", out=tmp_path / out, seed=seed, limit=limit
        )
        return [read_record(folder).samples_sha256 for folder in folders], samples(folders[0])

    (first, table), (again, _), (other, _) = digests("a", 0), digests("b", 0), digests("c", 1)
    assert first == again
    assert first[0] != other[0]
    _, part = digests("d", 0, limit=1)  # no pair depends on the pairs before it
    part = part[part.pair_id.notna()].reset_index(drop=True)
    whole = table[table.pair_id.isin(part.pair_id)].reset_index(drop=True)
    pd.testing.assert_frame_equal(part, whole)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("raise", "the model raised KeyError: 'keypoint"),
        ("nan", "the model gave values that are not finite floats"),
        ("shape", rf"the model gave \[{FRAMES - 1}, 3, 32, 32\] instead of frames \[{FRAMES}, 3, 32, 32\]"),
        ("type", r"the model gave a ndarray instead of frames"),
    ],
)
def test_a_pair_that_fails_costs_no_other_pair(dataset, suite, outside, tmp_path, fault, reason):
    results = measure(Request("cross-id", "shifter", str(dataset), checkpoint=fault, out=str(tmp_path)))
    failures = results[0].failures
    assert 0 < len(failures) < 3
    assert not results[1].failures
    table = samples(results[0].folder)
    for pair, why in failures.items():
        assert re.search(reason, why)
        rows = table[(table.pair_id == pair) & (table.metric == "akd-open")]
        assert set(rows.status) == {"failed"}
        assert len(rows) == FRAMES  # all of its frames count as attempted
        assert set(rows.error) == {why}
        assert "\n" not in why
    rest = table[~table.pair_id.isin(failures) & (table.metric == "akd-open")]
    assert len(rest) > 0
    assert set(rest.status) == {"ok"}


def test_output_without_a_face_is_failed_and_never_dropped(dataset, suite, outside, tmp_path):
    folder = bench.run("same-id", "shifter", dataset, checkpoint="faceless", out=tmp_path)[0]
    score = scores(folder)["csim-open"]
    assert (score.mean, score.n_attempted, score.n_failed) == (None, 3 * FRAMES, 3 * FRAMES)
    assert "no face found in the output frame" in score.reason
    assert scores(folder)["l1"].n_ok == 3 * FRAMES


def test_a_reference_without_a_face_is_missing_for_every_row(suite, tmp_path):
    data = write_dataset(tmp_path / "data", [0, 9])
    found = by_model(bench.run("same-id", "truth", data, out=tmp_path / "runs"))
    for name in ("truth", "truth-reencoded", "source-copy"):
        score = scores(found[name])["akd-open"]
        assert (score.n_ok, score.n_failed, score.n_missing) == (FRAMES, 0, FRAMES)
        assert "no face found in the reference frame" in score.failures


def test_output_is_clamped_and_rounded(dataset, suite, outside, tmp_path):
    folder = bench.run("same-id", "shifter", dataset, checkpoint="bright", out=tmp_path)[0]
    assert set(samples(folder).query("metric == 'darkest'").value) == {1.0}
    import torch

    from bench.scoring import to_frames

    steps = torch.tensor([0.4, 0.6, 254.4, 254.6, 300, -3]).div(255).reshape(1, 1, 1, 6).expand(1, 3, 1, 6)
    assert to_frames(steps)[0, 0, :, 0].tolist() == [0, 1, 254, 255, 255, 0]


def test_a_missing_network_is_null_with_its_reason(dataset, suite, tmp_path):
    suite.missing = {"identity": "no identity weights; run: bench weights"}
    record = read_record(bench.run("same-id", "truth", dataset, out=tmp_path)[0])
    table = samples(tmp_path / record.run_id).query("metric == 'csim-open'")
    assert table.frame.isna().all()
    assert table.value.isna().all()
    assert set(table.status) == {"missing"}
    assert set(table.error) == {"no identity weights; run: bench weights"}
    assert len(table) == 3
    assert {kind for kind, _ in suite.seen} == set(SEEN) - {"identity"}
    assert {metric.id: metric.evaluators for metric in record.metrics}["csim-open"] == ("detector",)


def test_paper_metrics_are_named_without_a_suffix(dataset, suite, tmp_path):
    suite.name = "paper"
    record = read_record(bench.run("same-id", "truth", dataset, out=tmp_path)[0])
    named = ["l1", "lpips-alex", "psnr", "ssim", "akd", "aucon", "prmse", "csim", "fid"]
    assert [metric.id for metric in record.metrics] == named


def test_a_model_gets_the_landmarks_it_needs_at_its_own_size(dataset, suite, outside, tmp_path):
    results = measure(Request("same-id", "shifter", str(dataset), checkpoint="landmarks", out=str(tmp_path)))
    assert not results[0].failures
    suite.missing = {"landmarks": "no weights"}
    with pytest.raises(MissingPrerequisite, match="model shifter needs landmarks: no weights"):
        bench.run("same-id", "shifter", dataset, checkpoint="landmarks", out=tmp_path)


def test_extras_are_those_of_the_images_that_a_model_gets():
    points = np.array([[[0.0, 0.0], [255.0, 255.0], [127.5, 127.5]]], np.float32)
    mask = np.zeros((1, 256, 256), np.float32)
    mask[:, :128] = 1
    look = Look(np.zeros((1, 256, 256, 3), np.uint8), {"landmarks": points, "mask": mask})
    model = SimpleNamespace(spec=SimpleNamespace(needs=("landmarks68", "mask")))
    extras = drive._extras(model, look, 128, 256, "cpu")
    np.testing.assert_allclose(extras["landmarks68"][0], [[-0.25, -0.25], [127.25, 127.25], [63.5, 63.5]])
    assert extras["mask"].shape == (1, 1, 128, 128)
    assert extras["mask"][0, 0, :64].min() == 1
    assert extras["mask"][0, 0, 64:].max() == 0


def test_a_model_is_given_as_many_source_images_as_it_can_use(dataset, suite, outside, tmp_path):
    for fault, last in (("shots", FRAMES - 1), ("", 0)):
        found = bench.run("cross-id", "shifter", dataset, shots=3, checkpoint=fault, out=tmp_path / str(last), limit=1)
        record = read_record(found[0])
        assert record.protocol.shots == 3
        assert "|shots:3|" in record.signature(record.metrics[0])
        source = record.previews[0].source_clip
        frame = video.resize(video.read_frames(dataset / "clips" / f"{source}.mp4", [last]), 32)
        shown = np.asarray(Image.open(found[0] / record.previews[0].output[0]).resize((32, 32), Image.Resampling.BOX))
        assert np.abs(shown.astype(float) - np.roll(frame[0], 1, axis=1)).mean() < 3, fault
    single = read_record(bench.run("cross-id", "shifter", dataset, out=tmp_path / "one", limit=1)[0])
    assert "shots" not in single.signature(single.metrics[0])


def test_frames_that_a_model_was_given_are_not_asked_of_it(dataset, suite, outside, tmp_path):
    found = bench.run("same-id", "shifter", dataset, shots=2, out=tmp_path)[0]
    assert sorted(samples(found).query("metric == 'l1'").frame.unique()) == [1, 2]
    with pytest.raises(UserError, match="shots must be at least 1"):
        bench.run("same-id", "shifter", dataset, shots=0, out=tmp_path)


def test_frames_without_a_face_cost_a_model_that_needs_landmarks_no_others(suite, outside, tmp_path):
    root = write_dataset(tmp_path / "data", [0, 1, 2])
    frames = [picture(9 if step == 2 else 1, step) for step in range(FRAMES)]
    video.write_video(root / "clips" / "clip1.mp4", frames, 25.0)
    result = measure(Request("same-id", "shifter", str(root), checkpoint="landmarks", out=str(tmp_path / "runs")))[0]
    assert not result.failures
    rows = samples(result.folder).query("clip_id == 'clip1' and metric == 'l1'").set_index("frame")
    assert list(rows.status) == ["ok", "ok", "failed", "ok"]
    assert rows.error[2] == "no face found in the driving frame, of which the model needs landmarks68"
    video.write_video(root / "clips" / "clip1.mp4", [picture(9, step) for step in range(FRAMES)], 25.0)
    result = measure(Request("same-id", "shifter", str(root), checkpoint="landmarks", out=str(tmp_path / "more")))[0]
    assert list(result.failures) == ["clip1--clip1"]


def test_an_installed_package_adds_model_metric_and_task(dataset, suite, outside, tmp_path):
    folder = bench.run("first-drives-all", "shifter", dataset, out=tmp_path)[0]
    record = read_record(folder)
    assert record.protocol.id == "first-drives-all@3"
    assert [metric.id for metric in record.metrics] == ["l1", "lp-open", "psnr", "ssim", "darkest"]
    table = samples(folder)
    assert set(table.clip_id) == {"clip0"}
    assert sorted(table.query("metric == 'darkest'").frame.unique()) == [0, 1, 3]


def test_an_outside_package_that_cannot_work_is_named(dataset, suite, outside, tmp_path):
    entry_points = outside / "shifter-1.0.dist-info" / "entry_points.txt"
    entry_points.write_text("[talkinghead.metrics]\nlost = shifter_package:NOTHING\n")
    with pytest.raises(UserError, match=r"entry point 'lost' of talkinghead.metrics .* cannot be loaded"):
        bench.run("same-id", "truth", dataset, out=tmp_path)
    entry_points.write_text("[talkinghead.metrics]\nwrong = shifter_package:TASK\n")
    with pytest.raises(UserError, match=r"must be a bench.metrics.base.Metric, and is a Task"):
        bench.run("same-id", "truth", dataset, out=tmp_path)


def test_an_unreadable_clip_fails_its_pair_in_every_row(suite, tmp_path):
    data = write_dataset(tmp_path / "data", [0, 1])
    (data / "clips" / "clip0.mp4").write_text("no video")
    results = measure(Request("same-id", "source-copy", str(data), out=str(tmp_path / "runs")))
    assert list(results[3].failures) == ["clip0--clip0", "clip1--clip1"]  # shuffled: clip1's partner is clip0
    for result in results[:3]:
        assert list(result.failures) == ["clip0--clip0"]
        assert "a clip cannot be read" in result.failures["clip0--clip0"]
        assert scores(result.folder)["l1"].n_failed == FRAMES
        assert scores(result.folder)["l1"].n_ok == FRAMES


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"task": "same_id"}, "unknown task 'same_id': did you mean same-id"),
        ({"model": "sourcecopy"}, "unknown model 'sourcecopy': did you mean source-copy"),
        ({"limit": 0}, "limit must be at least 1"),
        ({"dataset": "nowhere"}, "unknown dataset 'nowhere'"),
        ({"checkpoint": "some.file"}, "source-copy has no weights"),
    ],
)
def test_wrong_use_is_one_line(dataset, suite, tmp_path, arguments, message):
    request = {"task": "same-id", "model": "source-copy", "dataset": dataset, "out": tmp_path / "runs"} | arguments
    with pytest.raises(UserError, match=message) as caught:
        bench.run(request.pop("task"), request.pop("model"), request.pop("dataset"), **request)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "runs").exists()


def test_missing_weights_are_a_missing_prerequisite(dataset, suite, tmp_path):
    with pytest.raises(MissingPrerequisite, match="bench train --model fomm"):
        bench.run("same-id", "fomm", dataset, checkpoint=tmp_path / "none.safetensors", out=tmp_path)


def test_nothing_unfinished_is_left_or_looks_finished(dataset, suite, tmp_path, monkeypatch, capsys):
    def full_disk(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(run_folder, "write_record", full_disk)
        with pytest.raises(OSError, match="No space left"):
            bench.run("same-id", "truth", dataset, out=tmp_path)
    assert list(tmp_path.iterdir()) == []

    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    dead, alive = (tmp_path / f"{PARTIAL}{pid}-20260101T000000000Z-x" for pid in (process.pid, os.getpid()))
    for folder in (dead, alive):
        folder.mkdir()
        (folder / "samples.parquet").write_bytes(b"half")
    bench.run("same-id", "truth", dataset, out=tmp_path)
    assert not dead.exists()
    assert alive.exists()
    assert f"removed {dead.name}" in capsys.readouterr().err
    finished = [folder for folder in tmp_path.iterdir() if not folder.name.startswith(".")]
    assert len([read_record(folder) for folder in finished]) == 4


def test_features_are_found_again_by_content():
    suite = FakeSuite()
    features = Features(suite)
    frames = video.resize(np.stack([picture(0, 0), picture(0, 3), picture(0, 0)]), 256)
    first = features.of(frames, ["landmarks"])["landmarks"]
    assert suite.seen == [("landmarks", 2)]
    assert np.array_equal(features.of(frames[::-1], ["landmarks"])["landmarks"], first[::-1])
    assert suite.seen == [("landmarks", 2)]
    assert features.of(frames, ()) == {}
    features.of(frames[:1], ["landmarks", "pose"])
    assert set(features.of(frames, {"pose", "landmarks"})) == {"landmarks", "pose"}
    assert suite.seen == [("landmarks", 2), ("pose", 1), ("pose", 1)]


def test_features_are_kept_up_to_a_number_of_bytes(monkeypatch):
    monkeypatch.setattr("bench.features.KEPT", 5 * 68 * 2 * 4)
    suite = FakeSuite()
    features = Features(suite)
    frames = video.resize(np.stack([picture(0, step) for step in range(8)]), 256)
    whole = features.of(frames, ["landmarks"])["landmarks"]  # more than is kept, and yet all are given
    assert np.array_equal(whole, suite.observe(frames).landmarks)
    suite.seen.clear()
    features.of(frames[3:], ["landmarks"])
    assert suite.seen == []
    assert np.array_equal(features.of(frames, ["landmarks"])["landmarks"], whole)
    assert suite.seen == [("landmarks", 3)]
