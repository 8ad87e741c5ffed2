"""Four real clips of two people through the real commands and networks: truth, identity, frames without a face."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from PIL import Image

from bench.cli import main as bench
from bench.evaluators.suite import open_suite
from curate import video
from curate.files import sha256_file
from leaderboard.cli import main as leaderboard
from leaderboard.records import read_record

SIDE = 256
FRAMES = 3
WITHOUT = 2  # the frame of man0 that shows no face: the man has left the picture
COUNT = 4 * FRAMES
GREY = 1  # the frame of aoc1's prediction that is made grey
CLIPS = {  # name -> file, its frames; the name without its digit is the person
    "man0": ("pyfeat__face_noface.mov", (0, 40, 100)),
    "man1": ("pyfeat__single_face.mp4", (0, 14, 28)),
    "aoc0": ("retalking__3.mp4", (0, 20, 40)),
    "aoc1": ("talkvid__AOC_gt.mp4", (0, 20, 40)),
}
SAME = {"man0": "man1", "man1": "man0", "aoc0": "aoc1", "aoc1": "aoc0"}  # another clip of the same person
SEED = 0  # with which man0 is not in the gallery of kp-recognition
OTHER = {"man0": "aoc0", "man1": "aoc1", "aoc0": "man0", "aoc1": "man1"}


def answer(command, *arguments: object):
    """What a command prints for machines; it must not fail but for frames that did."""
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    assert result.exit_code in (0, 1), result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def squares(shared: Path) -> dict[str, np.ndarray]:
    """The clips' frames, cut about the face of the first, by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TALKINGHEAD_WEIGHTS", str(shared / "data" / "weights"))
        suite, found = open_suite("open"), {}
        for name, (file, at) in CLIPS.items():
            frames = video.read_frames(shared / "data" / "clips" / file, list(at))
            face = suite.observe(frames[:1]).landmarks[0]
            half = int(min(np.ptp(face, axis=0).max(), min(frames.shape[1:3]) / 2))
            x, y = face.mean(0).clip(half, np.array(frames.shape[2:0:-1]) - half).astype(int)
            found[name] = video.resize(frames[:, y - half : y + half, x - half : x + half], SIDE)
        return found


@pytest.fixture(scope="module")
def dataset(squares: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    root, rows = tmp_path_factory.mktemp("real") / "faces", []
    (root / "clips").mkdir(parents=True)
    for name, frames in squares.items():
        path = root / "clips" / f"{name}.mp4"
        video.write_video(path, frames, 25.0, crf=10)
        about = {"clip_id": name, "path": f"clips/{name}.mp4", "sha256": sha256_file(path), "video_id": name}
        about |= {"identity_id": name[:-1], "split": None, "n_frames": FRAMES, "fps": 25.0}
        rows.append(about | {"width": SIDE, "height": SIDE})
    pq.write_table(pa.Table.from_pylist(rows), root / "manifest.parquet")
    return root


def predictions(root: Path, of_pair: dict[str, np.ndarray]) -> Path:
    """A folder of predictions for same-id: clip -> frames."""
    for name, frames in of_pair.items():
        (root / f"{name}--{name}").mkdir(parents=True)
        for i, frame in enumerate(frames):
            Image.fromarray(frame).save(root / f"{name}--{name}" / f"{i}.png")
    return root


@pytest.fixture(scope="module")
def scored(dataset: Path, squares: dict[str, np.ndarray], shared: Path, tmp_path_factory) -> tuple[dict, Path]:
    """What `bench score` told of frames of other clips, by the model's name, and the folder of its runs. One frame of
    "another person" is grey."""
    root, told = tmp_path_factory.mktemp("scored"), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TALKINGHEAD_WEIGHTS", str(shared / "data" / "weights"))
        for model, partner in (("another person", OTHER), ("same person", SAME)):
            frames = {name: squares[partner[name]].copy() for name in CLIPS}
            if model == "another person":
                frames["aoc1"][GREY] = 127
            made = predictions(root / model, frames)
            asked = ("--predictions", made, "--task", "same-id", "--name", model, "--dataset", dataset)
            told[model] = answer(bench, "score", *asked, "--suite", "open", "--out", root / "runs", "--json")
    return told, root / "runs"


def samples(runs: Path, model: str) -> pd.DataFrame:
    """Of the last run of a row."""
    (*_, folder) = sorted(f for f in runs.iterdir() if read_record(f).model.name == model)
    return pd.read_parquet(folder / "samples.parquet")


def cells(told: dict, model: str) -> dict[str, dict]:
    names = [column["metric"] for column in told["board"]["columns"]]
    (row,) = [row for row in told["board"]["rows"] if row["model"] == model]
    return dict(zip(names, row["cells"], strict=True))


def test_the_truth_is_perfect_and_what_it_cannot_be_asked_is_missing(scored):
    told, _ = scored
    truth, copy = (cells(told["same person"], row) for row in ("truth", "source-copy"))
    perfect = {"l1": 0, "psnr": 100, "ssim": 1, "akd-open": 0, "prmse-open": 0, "csim-open": 1}
    for name, best in perfect.items():
        assert truth[name]["mean"] == pytest.approx(best, abs=1e-5), name
        assert truth[name]["n_failed"] == 0
        assert truth[name]["n_missing"] == (1 if name.endswith("-open") else 0)  # no face to compare with
        assert truth[name]["n_ok"] == COUNT - truth[name]["n_missing"]
        assert abs(copy[name]["mean"] - best) > 1e-3, name
    assert "no face found in the reference frame (1)" in truth["akd-open"]["failures"]


def test_the_same_person_in_another_clip_ranks_above_others(scored, tmp_path):
    """Nobody's frames are a copy: frames of another clip of the person against those of another person."""
    _, runs = scored
    least, most = (samples(runs, model).query("metric == 'csim-open'") for model in ("same person", "another person"))
    assert set(least.pair_id[least.status == "ok"]) == {f"{name}--{name}" for name in CLIPS}
    assert least.value.min() > most.value.max()
    store = ("--db", str(tmp_path / "a.duckdb"))
    assert CliRunner().invoke(leaderboard, [*store, "ingest", str(runs)]).exit_code == 0
    shown = answer(leaderboard, *store, "show", "--source", "all", "--sort", "csim-open", "--json")
    ranked = [row["model"] for board in shown for row in board["rows"] if row["kind"] == "model"]
    assert ranked == ["same person", "another person"]


def test_frames_without_a_face_are_failed_and_cost_what_the_penalty_says(scored):
    """A grey frame and one that the person has left: both are counted, and both means are those of arithmetic."""
    told, runs = scored
    table = samples(runs, "another person")
    for metric, penalty in (("csim-open", -1.0), ("akd-open", 256.0), ("prmse-open", 180.0)):
        of_metric, cell = table[table.metric == metric], cells(told["another person"], "another person")[metric]
        failed = of_metric[of_metric.status == "failed"]
        assert set(zip(failed.clip_id, failed.frame, strict=True)) == {("aoc1", GREY), ("aoc0", WITHOUT)}
        assert set(failed.error) == {"no face found in the output frame"}
        missing = of_metric[of_metric.status == "missing"]
        assert set(zip(missing.clip_id, missing.frame, strict=True)) == {("man0", WITHOUT)}
        values = of_metric.value.dropna()
        assert len(values) == COUNT - 3
        assert (cell["n_attempted"], cell["n_failed"], cell["n_missing"]) == (COUNT - 1, 2, 1)
        assert cell["dropped"] == pytest.approx(values.mean(), rel=1e-6)
        assert cell["penalised"] == pytest.approx((values.sum() + 2 * penalty) / (COUNT - 1), rel=1e-6)
    pixels = cells(told["another person"], "another person")["l1"]
    assert (pixels["n_attempted"], pixels["n_failed"]) == (COUNT, 0)  # there are pixels to compare


def test_a_driving_frame_without_a_face_fails_a_row_that_needs_one(dataset, real_networks, tmp_path):
    asked = ("--task", "kp-recognition", "--model", "truth", "--dataset", dataset, "--suite", "open", "--seed", SEED)
    told = answer(bench, "run", *asked, "--out", tmp_path, "--json")
    landmarks, chance = cells(told, "landmarks68"), cells(told, "chance")
    of_frames = samples(tmp_path, "landmarks68").query("metric == 'kp-rank1'")
    probes = set(of_frames.clip_id)
    assert len(probes) == 2
    assert "man0" in probes
    lost = of_frames[of_frames.status == "failed"]
    assert set(zip(lost.clip_id, lost.frame, strict=True)) == {("man0", WITHOUT)}
    assert landmarks["kp-rank1"]["n_failed"] == len(lost)
    assert landmarks["kp-rank1"]["n_attempted"] == chance["kp-rank1"]["n_ok"] == 2 * FRAMES
    assert landmarks["kp-rank1"]["penalised"] == pytest.approx(of_frames.value.sum() / (2 * FRAMES))
