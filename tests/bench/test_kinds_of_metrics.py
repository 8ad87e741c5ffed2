"""Metrics that are no mean over frames, in runs: of the mean, of clips, of sets, of sound, of faces that are missed."""

import math

import numpy as np
import pytest
from PIL import Image

import bench
from bench.evaluators.suite import OPTIONAL
from bench.score import ScoreRequest, score
from curate import video
from leaderboard.records import read_record

from .conftest import FRAMES
from .test_runner import samples, scores


def test_variants_are_scored_where_they_are_asked_for(dataset, suite, tmp_path):
    suite.missing = {"mask": "no mask network", **dict.fromkeys(OPTIONAL, "no such file")}
    found, true, *_ = bench.run("same-id", "source-copy", dataset, variants=True, limit=1, out=tmp_path / "a")
    ids = [metric.id for metric in read_record(found).metrics]
    assert {"l1", "l1-255", "ssim-uniform7", "ms-ssim", "akd-euclid-open", "l1-masked-open"} <= set(ids)
    assert len(ids) == len(set(ids))
    assert scores(found)["l1-255"].mean == pytest.approx(255 * scores(found)["l1"].mean)
    assert "no mask network" in scores(found)["l1-masked-open"].failures
    assert "no such file" in scores(found)["fvd-open"].failures
    values = samples(found)
    squares = 10 ** (-values.query("metric == 'psnr'").value / 10)
    pooled = values.query("metric == 'psnr-of-mean-mse'")
    assert pooled.value.item() == pytest.approx(-10 * math.log10(squares.mean()), rel=1e-4)
    assert pooled.n.item() == FRAMES
    assert pooled.pair_id.isna().all()
    root = math.sqrt((values.query("metric == 'prmse-open'").value ** 2).mean())
    assert scores(found)["prmse-pooled-open"].mean == pytest.approx(root, rel=1e-5)
    assert scores(found)["miss-rate-open"].mean == 0
    assert scores(found)["csim-source-open"].mean == pytest.approx(1, abs=1e-5)  # it is the source
    assert scores(true)["csim-driver-open"].mean == pytest.approx(1, abs=1e-5)
    for row, motion in ((found, 0), (true, scores(true)["lip-dynamics-68-open"].mean)):
        of_clip = samples(row).query("metric == 'lip-dynamics-68-open'")
        assert (len(of_clip), of_clip.frame.isna().all(), of_clip.n.item()) == (1, True, FRAMES)
        assert of_clip.value.item() == pytest.approx(motion)
    assert "needs two clips" in scores(true)["lip-dynamics-68-score-open"].reason
    plain = read_record(bench.run("same-id", "source-copy", dataset, limit=1, out=tmp_path / "b")[0])
    assert "l1-255" not in [metric.id for metric in plain.metrics]


def test_a_face_that_is_missed_has_a_rate(dataset, suite, outside, tmp_path):
    suite.missing = dict.fromkeys({"mask", *OPTIONAL}, "no such file")
    folder = bench.run("same-id", "shifter", dataset, checkpoint="faceless", variants=True, out=tmp_path)[0]
    assert scores(folder)["miss-rate-open"].mean == 1
    assert scores(folder)["miss-rate-open"].n_ok == 3 * FRAMES


def test_a_clips_value_does_not_speak_of_frames_that_lost_their_face(dataset, suite, tmp_path):
    """Of a clip in whose output a face is lost once, that frame is failed, and the others have the value."""
    suite.missing = dict.fromkeys({"mask", *OPTIONAL}, "no such file")
    made = tmp_path / "made"
    for i in range(3):
        frames = video.read_frames(dataset / "clips" / f"clip{i}.mp4", range(FRAMES)).copy()
        if i == 1:
            frames[2] = 60
        (made / f"clip{i}--clip{i}").mkdir(parents=True)
        for step, frame in enumerate(frames):
            Image.fromarray(frame).save(made / f"clip{i}--clip{i}" / f"{step}.png")
    asked = ScoreRequest(str(made), "same-id", "theirs", str(dataset), variants=True, out=str(tmp_path / "runs"))
    folder = score(asked)[1][0].folder
    rows = samples(folder).query("metric == 'lip-dynamics-68-open' and pair_id == 'clip1--clip1'")
    assert [(row.status, row.n) for row in rows.sort_values("n").itertuples()] == [("failed", 1), ("ok", FRAMES - 1)]
    assert rows.query("status == 'failed'").frame.item() == 2
    assert scores(folder)["lip-dynamics-68-open"].n_failed == 1
    assert scores(folder)["lip-dynamics-68-open"].n_attempted == 3 * FRAMES


def test_scores_of_clips_are_1_for_the_truth(dataset, suite, tmp_path):
    suite.missing = dict.fromkeys({"mask", *OPTIONAL}, "no such file")
    copied, true, *_ = bench.run("same-id", "source-copy", dataset, variants=True, out=tmp_path)
    for name in ("lip-dynamics-68-score-open", "head-motion-68-score-open"):
        assert scores(true)[name].mean == 1
        assert scores(copied)[name].mean == pytest.approx(0)  # nothing moves


def test_measures_that_listen_need_a_sound(dataset, suite, tmp_path, monkeypatch):
    suite.missing = dict.fromkeys({"mask", *OPTIONAL}, "no such file")
    mute = bench.run("same-id", "truth", dataset, variants=True, limit=1, out=tmp_path / "mute")[0]
    assert "the driving clip has no sound" in scores(mute)["lip-sync-68-open"].failures
    assert "no such file" in scores(mute)["theval-final-68-open"].failures

    def heard(clip, indices):
        return np.array([[i / 9, i % 2] for i in range(len(indices))], np.float32)

    monkeypatch.setattr("bench.sound.heard", heard)
    copied, true = bench.run("same-id", "source-copy", dataset, variants=True, out=tmp_path / "heard")[:2]
    for name in ("lip-sync-68-score-open", "theval-motion-68-open"):
        assert scores(true)[name].mean == 1
        assert scores(copied)[name].mean < 1
    assert scores(copied)["silent-lip-stability-68-open"].mean == pytest.approx(0, abs=1e-6)


def test_features_too_large_to_keep_are_asked_for_in_parts(dataset, suite, tmp_path):
    kept = bench.run("same-id", "source-copy", dataset, limit=1, out=tmp_path / "a")[0]
    suite.seen.clear()
    suite.wide = frozenset({"perceptual"})
    parts = bench.run("same-id", "source-copy", dataset, limit=1, out=tmp_path / "b")[0]
    assert scores(parts)["lp-open"].mean == scores(kept)["lp-open"].mean
    asked = [count for kind, count in suite.seen if kind == "perceptual"]
    assert sum(asked) == 2 * FRAMES  # each frame once, for all rows together, and those that went through a codec
    assert max(asked) <= 4
