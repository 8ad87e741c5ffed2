"""`bench score`: somebody's own frames, matched by name, checked, and ranked in one column with models."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

import bench
from bench import predictions
from bench.cli import main
from bench.score import ScoreRequest, score
from bench.table import board
from curate import video
from curate.errors import UserError
from leaderboard.ingest import ingest
from leaderboard.records import read_record
from leaderboard.standings import ALL, boards
from leaderboard.store import Store

from .conftest import FRAMES, SIDE, picture

PAIRS = [f"clip{i}--clip{i}" for i in range(3)]


def frames_of(dataset: Path, clip: int) -> np.ndarray:
    return video.read_frames(dataset / "clips" / f"clip{clip}.mp4", range(FRAMES))


@pytest.fixture
def made(dataset: Path, tmp_path: Path) -> Path:
    """Predictions that are the driving frames themselves: two pairs as pictures, one as a (lossy) video."""
    root = tmp_path / "made"
    for i in range(2):
        (root / PAIRS[i]).mkdir(parents=True)
        for step, frame in enumerate(frames_of(dataset, i)):
            Image.fromarray(frame).save(root / PAIRS[i] / (f"{step:06d}.png" if i else f"{step}.png"))
    video.write_video(root / f"{PAIRS[2]}.mp4", frames_of(dataset, 2), 25.0, crf=1)
    return root


def ask(made: Path, dataset: Path, out: Path, **more) -> ScoreRequest:
    return ScoreRequest(str(made), "same-id", "theirs", str(dataset), out=str(out), **more)


def command(made: Path, dataset: Path, out: Path, *more: str):
    arguments = ["score", "--predictions", made, "--task", "same-id", "--name", "theirs", "--dataset", dataset]
    return CliRunner().invoke(main, [str(a) for a in [*arguments, "--out", out, *more]])


def test_predictions_stand_in_one_column_with_models(dataset, suite, outside, made, tmp_path):
    found, results = score(ask(made, dataset, tmp_path / "runs"))
    assert found.whole
    assert (found.matched, found.n_missing, found.extra) == (3, 0, [])
    records = [read_record(result.folder) for result in results]
    assert [record.source for record in records] == ["predictions"] + ["measured"] * 4
    theirs = pd.read_parquet(results[0].folder / "samples.parquet").query("metric == 'l1'")
    assert (theirs[theirs.pair_id != PAIRS[2]].value == 0).all()  # pictures are the driving frames
    assert 0 < theirs[theirs.pair_id == PAIRS[2]].value.max() < 0.02
    measured = [read_record(folder) for folder in bench.run("same-id", "shifter", dataset, out=tmp_path / "runs")]
    assert {m.id: records[0].signature(m) for m in records[0].metrics} == {
        m.id: measured[0].signature(m) for m in measured[0].metrics
    }
    with Store(tmp_path / "a.duckdb") as store:
        assert not ingest(store, [tmp_path / "runs"]).refused
        (together,) = boards(store, ALL)
        assert [row.model for row in together.ranked] == ["theirs", "shifter"]
        assert [row.origin for row in together.ranked] == ["predictions", "measured"]
        assert together.ranked[0].cells[0].best
        assert [row.model for row in boards(store)[0].ranked] == ["shifter"]


def test_a_dry_run_says_what_matches_and_scores_nothing(dataset, suite, made, tmp_path):
    (made / PAIRS[0] / "2.png").unlink()
    (made / f"{PAIRS[2]}.mp4").rename(made / "clip2--clip1.mp4")
    (made / PAIRS[1] / "notes.txt").write_text("")
    (made / PAIRS[1] / "000099.png").write_text("")
    result = command(made, dataset, tmp_path / "runs", "--dry-run")
    assert result.exit_code == 1  # something is missing
    assert result.stderr.splitlines() == [
        "matched: 2 of 3 pairs",
        f"missing: {FRAMES + 1} of {3 * FRAMES} frames: {PAIRS[0]}: frames 2; {PAIRS[2]}",
        f"extra, not read: 3: {PAIRS[1]}/000099.png; {PAIRS[1]}/notes.txt; clip2--clip1.mp4",
    ]
    assert not (tmp_path / "runs").exists()
    assert not suite.seen
    told = json.loads(command(made, dataset, tmp_path / "runs", "--dry-run", "--json").stdout)
    assert told["found"]["missing_frames"] == FRAMES + 1
    assert "runs" not in told


def test_what_is_missing_is_failed_and_never_left_out(dataset, suite, made, tmp_path):
    (made / PAIRS[0] / "2.png").unlink()
    (made / f"{PAIRS[2]}.mp4").unlink()
    result = command(made, dataset, tmp_path / "runs")
    assert result.exit_code == 1
    assert f"{PAIRS[2]}: there is no prediction of this frame" in result.stderr
    (folder,) = [f for f in (tmp_path / "runs").iterdir() if "theirs" in f.name]
    (cell,) = [row.cells[0] for row in board([folder]).ranked]
    assert (cell.n_attempted, cell.n_failed, cell.dropped) == (3 * FRAMES, FRAMES + 1, 0)
    assert cell.mean == cell.penalised == pytest.approx((FRAMES + 1) / (3 * FRAMES))
    assert "theirs" in result.stdout


def test_nobody_gains_by_leaving_out_what_is_hard(dataset, suite, tmp_path):
    """Two people's frames are alike but for those that are worst, which one of them does not give."""
    for name, given in (("honest", FRAMES), ("picky", FRAMES - 1)):
        for i in range(3):
            (tmp_path / name / PAIRS[i]).mkdir(parents=True)
            for step, frame in enumerate(frames_of(dataset, i)[:given]):
                worse = frame.astype(int) + np.array((0, 0, 20 * (step + 1)))  # the last is the worst
                Image.fromarray(worse.clip(0, 255).astype(np.uint8)).save(tmp_path / name / PAIRS[i] / f"{step}.png")
    order, values = {}, {}
    for protocol in ("same-id@1", "same-id@2"):
        with Store(tmp_path / f"{protocol}.duckdb") as store:
            for name in ("honest", "picky"):
                asked = ScoreRequest(str(tmp_path / name), "same-id", name, str(dataset), out=str(tmp_path / "runs"))
                for result in score(replace(asked, protocol=protocol))[1]:
                    store.ingest(result.folder)
            (shown,) = boards(store, ALL)
        order[protocol] = [row.model for row in shown.ranked]
        names = [column.metric for column in shown.columns]
        values[protocol] = {row.model: dict(zip(names, row.cells, strict=True)) for row in shown.ranked}
    assert order == {"same-id@1": ["picky", "honest"], "same-id@2": ["honest", "picky"]}
    for name, cell in values["same-id@2"]["picky"].items():
        honest = values["same-id@2"]["honest"][name]
        assert (cell.n_attempted, cell.n_failed) == (honest.n_attempted, honest.n_failed + 3), name
        if cell.mean is not None and name != "fd-open":
            assert cell.mean != cell.dropped, name
    penalised = values["same-id@2"]["picky"]["lp-open"]
    assert penalised.penalised is not None  # of the source's copy


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:200]), "cannot be used: "),
        (lambda path: path.write_bytes(b"GIF89a" + bytes(100)), "cannot be used: cannot identify image file"),
        (
            lambda path: Image.new("RGB", (SIDE, SIDE // 2)).save(path),
            f"it is {SIDE} x {SIDE // 2}, and must be square",
        ),
        (
            lambda path: Image.new("RGB", (SIDE * 2, SIDE * 2)).save(path),
            f"it is {SIDE * 2} x {SIDE * 2}, and the pair's",
        ),
        (lambda path: Image.new("I;16", (SIDE, SIDE)).save(path), "must be 8-bit RGB"),
    ],
)
def test_a_frame_that_cannot_be_used_costs_that_frame_alone(dataset, suite, made, tmp_path, spoil, reason):
    spoil(made / PAIRS[0] / "3.png")
    folder = score(ask(made, dataset, tmp_path / "runs"))[1][0].folder
    rows = pd.read_parquet(folder / "samples.parquet").query("metric == 'l1'")
    failed = rows[rows.status == "failed"]
    assert [(row.pair_id, row.frame) for row in failed.itertuples()] == [(PAIRS[0], 3)]
    assert reason in failed.error.iloc[0]
    assert "\n" not in failed.error.iloc[0]


@pytest.mark.parametrize("wrong", ["short", "oblong", "broken"])
def test_a_video_that_cannot_be_used_costs_its_pair(dataset, suite, made, tmp_path, wrong):
    path = made / f"{PAIRS[2]}.mp4"
    if wrong == "broken":
        path.write_bytes(b"no video")
    elif wrong == "short":
        video.write_video(path, frames_of(dataset, 2)[:-1], 25.0)
    else:
        video.write_video(path, frames_of(dataset, 2)[:, : SIDE // 2], 25.0)
    failures = score(ask(made, dataset, tmp_path / "runs"))[1][0].failures
    assert list(failures) == [PAIRS[2]]
    said = {"short": f"it has {FRAMES - 1} frames", "oblong": "must be square", "broken": "cannot be used"}
    assert said[wrong] in failures[PAIRS[2]]


def test_links_that_lead_out_and_hostile_names_are_told_and_not_read(dataset, suite, made, tmp_path, monkeypatch):
    outside = tmp_path / "secret.png"
    Image.fromarray(picture(0, 0)).save(outside)
    (made / PAIRS[0] / "1.png").unlink()
    (made / PAIRS[0] / "1.png").symlink_to(outside)
    (made / PAIRS[0] / "2.png").unlink()
    (made / PAIRS[0] / "2.png").symlink_to(made / "nowhere")
    (made / "up").symlink_to(tmp_path)
    (made / "a\x1b[2J\nb").write_text("")
    (made / os.fsdecode(b"\xff.mp4")).write_text("")
    monkeypatch.setattr(predictions, "LARGEST_VIDEO", 10)
    found, _ = score(ask(made, dataset, tmp_path / "runs"), dry_run=True)
    assert set(found.refused) == {f"{PAIRS[0]}/1.png", f"{PAIRS[0]}/2.png", "up", f"{PAIRS[2]}.mp4"}
    assert "leads out of the folder" in found.refused["up"]
    assert "bytes, and at most 10 are read" in found.refused[f"{PAIRS[2]}.mp4"]
    text = "\n".join(found.lines())
    assert "a\\x1b[2J\\nb" in text
    assert "\x1b" not in text
    monkeypatch.setattr(predictions, "MOST_ENTRIES", 3)
    with pytest.raises(UserError, match="more than 3 entries"):
        score(ask(made, dataset, tmp_path / "runs"), dry_run=True)


@pytest.mark.parametrize("name", ["", "truth", "x" * 81, "a\nb", "\u202egnp"])
def test_names_that_cannot_be(dataset, suite, made, tmp_path, name):
    with pytest.raises(UserError, match="name: expected"):
        score(ScoreRequest(str(made), "same-id", name, str(dataset), out=str(tmp_path / "runs")))


def test_a_folder_in_which_nothing_fits_says_what_is_expected(dataset, suite, tmp_path):
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "out.mp4").write_text("")
    result = command(tmp_path / "frames", dataset, tmp_path / "runs")
    assert result.exit_code == 2
    assert f"expected {PAIRS[0]}/000000.png or {PAIRS[0]}.mp4 and so on; found: out.mp4" in result.stderr
    assert "no folder of predictions" in command(tmp_path / "none", dataset, tmp_path / "runs").stderr


def test_the_same_file_twice_and_frames_beside_a_video_are_refused(dataset, suite, made, tmp_path):
    Image.fromarray(picture(0, 0)).save(made / PAIRS[0] / "00001.png")
    video.write_video(made / f"{PAIRS[1]}.mp4", frames_of(dataset, 1), 25.0)
    found, _ = score(ask(made, dataset, tmp_path / "runs"), dry_run=True)
    assert "is the same frame" in next(iter(found.refused.values()))
    assert found.refused[f"{PAIRS[1]}.mp4"] == "there is a folder of frames of the same pair"
