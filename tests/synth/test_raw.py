"""Raw videos and what `curate.build` makes of them, compared with what is known: curation from end to end."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

import curate
from curate import Dataset, SelectionSettings, Settings, video
from curate.analyse import Analysis
from curate.errors import UserError
from curate.framing import iou
from curate.synth.raw import RAW_TRUTH, RawRecipe, make_raw

RECIPE = RawRecipe(seconds=1.24, height=216, seed=1)
MIN_RES = 128


@dataclass(frozen=True)
class Curated:
    """What is known, and what curation found."""

    folder: Path
    truth: dict[str, Any]
    out: Path

    def items(self, kind: str, name: str) -> list[tuple[str, str, int, int]]:
        """Verdict, reason, first frame, end."""
        with duckdb.connect(str(self.out / "ledger.duckdb"), read_only=True) as db:
            query = """
                SELECT verdict, reason, start_frame, end_frame FROM items
                WHERE kind = ? AND video_id LIKE ? ORDER BY start_frame, item_id
            """
            return db.execute(query, [kind, f"{name}-%"]).fetchall()

    def analysis(self, name: str) -> Analysis:
        (path,) = (self.out / "analysis").glob(f"{name}-*.json")
        return Analysis.from_json(json.loads(path.read_text()))


@pytest.fixture(scope="module")
def curated(tmp_path_factory: pytest.TempPathFactory) -> Curated:
    folder = tmp_path_factory.mktemp("raw")
    report = make_raw(folder, RECIPE, workers=2)
    assert (report.clips, report.done_before, report.failed) == (7, 0, ())
    out = tmp_path_factory.mktemp("built") / "dataset"
    built = curate.build(folder, out, Settings(selection=SelectionSettings(min_res=MIN_RES)), workers=2)
    assert built.failed == ()
    return Curated(folder, json.loads((folder / RAW_TRUTH).read_text())["videos"], out)


def test_the_truth_describes_the_files(curated: Curated) -> None:
    known = json.loads((curated.folder / RAW_TRUTH).read_text())
    assert known["recipe"] == asdict(RECIPE)
    assert {path.stem for path in curated.folder.glob("*.mp4")} == set(curated.truth)
    for name, about in curated.truth.items():
        info = video.info(curated.folder / f"{name}.mp4")
        assert (info.width, info.height, info.n_frames) == (about["width"], about["height"], about["n_frames"])
        assert info.has_audio == about["has_audio"] == (name == "sound")
        edges = [shot["start"] for shot in about["shots"]] + [about["n_frames"]]
        assert edges == [0] + [shot["end"] for shot in about["shots"]]
        for shot in about["shots"]:
            for track in shot["tracks"]:
                assert (track["start"], track["end"]) == (shot["start"], shot["end"])
                boxes = np.array(track["boxes"])
                assert boxes.shape == (shot["end"] - shot["start"], 4)
                assert (boxes[:, :2] > 0).all()
                assert (boxes[:, 2:] < [about["width"], about["height"]]).all()
    people = [[len(shot["tracks"]) for shot in about["shots"]] for about in curated.truth.values()]
    assert sorted(map(sum, people)) == [0, 1, 1, 1, 2, 4, 4]
    assert curated.truth["low-resolution"]["height"] == 180


def test_every_cut_is_found_and_no_other(curated: Curated) -> None:
    for name, about in curated.truth.items():
        found = [(shot.start, shot.end) for shot in curated.analysis(name).shots]
        assert found == [(shot["start"], shot["end"]) for shot in about["shots"]], name
    assert [shot.blank for shot in curated.analysis("dark").shots] == [False, True, False]


def test_no_clip_crosses_a_cut_and_no_clip_shows_nobody(curated: Curated) -> None:
    for name, about in curated.truth.items():
        for verdict, _, start, end in curated.items("clip", name):
            (shot,) = [shot for shot in about["shots"] if shot["start"] <= start and end <= shot["end"]]
            assert shot["tracks"] or verdict != "kept"
    assert curated.items("clip", "nobody") == []
    assert [row[:2] for row in curated.items("video", "nobody")] == [("dropped", "no face found")]


def test_tracks_are_the_people_and_boxes_are_theirs(curated: Curated) -> None:
    overlaps = []
    for name, about in curated.truth.items():
        found = curated.analysis(name).tracks
        for shot in about["shots"]:
            inside = [track for track in found if shot["start"] <= track.start and track.end <= shot["end"]]
            if shot["kind"] == "dark":
                continue  # a detector may or may not see somebody at a 25th of the light
            assert len(inside) == len(shot["tracks"]), (name, shot["kind"])
            for known in shot["tracks"]:
                best = max(inside, key=lambda track: overlap(track, known).mean())
                overlaps.extend(overlap(best, known))
                assert best.start - known["start"] <= 5
                assert known["end"] - best.end <= 5
                assert overlap(best, known).mean() > 0.5, (name, shot["kind"])
    assert np.mean(overlaps) > 0.65
    two = curated.analysis("interview").tracks[:2]
    assert abs(two[0].boxes[0][0] - two[1].boxes[0][0]) > 100  # side by side


def overlap(track: Any, known: dict[str, Any]) -> np.ndarray:
    """IoU with the known boxes in the frames in which the face was found."""
    boxes = [tuple(known["boxes"][frame - known["start"]]) for frame in track.frames]
    return np.array([iou(box, truth) for box, truth in zip(track.boxes, boxes, strict=True)])


def test_what_is_too_small_or_too_short_is_dropped_with_that_reason(curated: Curated) -> None:
    crowd = curated.items("clip", "crowd")
    assert len(crowd) == 3
    assert all(row[0] == "dropped" and row[1].endswith(f"< {MIN_RES}") and "native side" in row[1] for row in crowd)
    assert [row[1] for row in curated.items("track", "crowd")][-1] == "0.36 s < 1 s"
    low = curated.items("clip", "low-resolution")
    assert [row[0] for row in low] == ["dropped"]
    assert low[0][1].startswith("native side")


def test_every_other_person_is_kept_once(curated: Curated) -> None:
    kept = Dataset.open(curated.out).clips
    names = sorted(clip.video_id.rsplit("-", 1)[0] for clip in kept)
    dark = sum(row[0] == "kept" for row in curated.items("track", "dark")) - 1
    assert names == sorted(["dark"] * (1 + dark) + ["interview"] * 4 + ["letterbox", "sound"])
    (sound,) = [clip for clip in kept if clip.video_id.startswith("sound")]
    assert video.info(sound.path).has_audio


def test_bars_are_black_and_the_dark_is_dark(curated: Curated) -> None:
    bars = video.read_frames(curated.folder / "letterbox.mp4", [3])[0]
    assert bars[:20].max() < 12
    assert bars[-20:].max() < 12
    assert bars[100].mean() > 30
    dark = video.read_frames(curated.folder / "dark.mp4", [3, 40, 60])
    assert dark[0].mean() < 0.4 * dark[2].mean()
    assert dark[1].max() < 12


def test_a_second_run_does_nothing(curated: Curated) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in curated.folder.iterdir()}
    report = make_raw(curated.folder, RECIPE)
    assert report.done_before == report.clips == 7
    assert {path.name: path.stat().st_mtime_ns for path in curated.folder.iterdir()} == before


def test_a_lost_video_is_made_again_with_the_same_bytes(curated: Curated) -> None:
    """By one process, where two made it before."""
    lost = [curated.folder / f"{name}.mp4" for name in ("nobody", "letterbox")]
    truth, contents = (curated.folder / RAW_TRUTH).read_bytes(), [path.read_bytes() for path in lost]
    for path in lost:
        path.unlink()
    report = make_raw(curated.folder, RECIPE, workers=1)
    assert report.done_before == 5
    assert [path.read_bytes() for path in lost] == contents
    assert (curated.folder / RAW_TRUTH).read_bytes() == truth
    assert not (curated.folder / "parts").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seconds": 0.1}, "seconds of raw shots must be in"),
        ({"height": 181}, "size of raw videos must be even"),
        ({"fps": 1.0}, "fps must be in"),
        ({"seed": -1}, "seed must be in"),
        ({"noise": 2.0}, "noise must be in"),
    ],
)
def test_values_that_make_no_video_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        RawRecipe(**change)
