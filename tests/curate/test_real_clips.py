"""`curate build` on real clips: cuts, two people, black and drawn stretches, variable rate, full range, sound."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from curate import video
from curate.frame import Frame

CHOSEN = (
    "facerec__short_hamilton_clip.mp4",  # three cuts, an audience
    "intel__head-pose-face-detection-female-and-male.gif",  # two people
    "intel__no.mkv",  # full range
    "pyfeat__face_noface.mov",  # a man, one black frame, a drawn sky; variable rate
    "pyfeat__single_face.mp4",
    "speakervid__range_full_body_3.mp4",  # a cut six frames before the end
)


@pytest.fixture(scope="module")
def built(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("real")
    for name in CHOSEN:
        (folder / name).symlink_to(shared / "data" / "clips" / name)
    command = [sys.executable, "-m", "curate", "build", "--input", folder, "--out", folder / "out", "--min-res", "256"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "out"


def items(built: Path, kind: str, name: str) -> list[tuple[str, str, int, int]]:
    """Verdict, reason, first frame, end of all items of a kind of one clip."""
    with duckdb.connect(str(built / "ledger.duckdb"), read_only=True) as db:
        query = """
            SELECT verdict, reason, start_frame, end_frame FROM items
            WHERE kind = ? AND video_id LIKE ? ORDER BY start_frame, item_id
        """
        return db.execute(query, [kind, f"{Path(name).stem}%"]).fetchall()


def test_every_clip_is_in_the_ledger(built: Path) -> None:
    assert [len(items(built, "video", name)) for name in CHOSEN] == [1] * len(CHOSEN)


def test_no_output_crosses_a_listed_cut_or_its_guard_frame(built: Path, shared: Path) -> None:
    with (shared / "data" / "clips" / "clips.csv").open() as lines:
        cuts = {row["file"]: row["cuts"] for row in csv.DictReader(lines) if row["cuts"]}
    checked = 0
    for name in sorted(set(CHOSEN) & set(cuts)):
        for cut in (int(part.split("(")[0]) for part in cuts[name].split(";")):
            for _, _, start, end in items(built, "clip", name):
                assert end <= cut - 1 or start >= cut + 1, f"{name}: clip {start}-{end} crosses the cut at {cut}"
                checked += 1
            for _, _, start, end in items(built, "track", name):
                assert end <= cut or start >= cut
    assert checked > 5


def test_the_two_people_are_two_tracks(built: Path) -> None:
    tracks = items(built, "track", "intel__head-pose-face-detection-female-and-male.gif")
    assert [(start, end) for _, _, start, end in tracks] == [(0, 56), (0, 56)]


def test_black_has_no_face_and_a_drawing_is_doubtful(built: Path) -> None:
    name = "pyfeat__face_noface.mov"
    assert ("dropped", "blank: one colour", 72, 73) in items(built, "shot", name)
    man, *others = items(built, "track", name)
    assert man == ("kept", "", 0, 72)
    assert all(verdict == "doubtful" and start >= 73 for verdict, _, start, _ in others)


def test_outputs_have_the_frames_and_seconds_that_the_manifest_says(built: Path) -> None:
    rows = pq.read_table(built / "manifest.parquet").to_pylist()
    assert len(rows) >= 4
    for row in rows:
        frames = [frame.time_s for frame in video.frames(built / row["path"])]
        assert len(frames) == row["n_frames"] == row["end_frame"] - row["start_frame"]
        assert frames[-1] - frames[0] == pytest.approx(row["end_s"] - row["start_s"], abs=1.5 / row["fps"])
        assert row["native_side"] >= 256


def test_the_sound_of_a_clip_is_as_long_as_its_picture(built: Path) -> None:
    rows = pq.read_table(built / "manifest.parquet").to_pylist()
    silent = [row for row in rows if not row["has_audio"]]  # its source's sound begins after the clip
    assert [row["video_id"].split("-")[0] for row in silent] == ["pyfeat__face_noface"]
    assert not video.info(built / silent[0]["path"]).has_audio
    for row in (row for row in rows if row["has_audio"]):
        sound = [item for item in video.frames_and_sound(built / row["path"]) if not isinstance(item, Frame)]
        seconds = sum(block.samples for block in sound) / video.AUDIO_RATE
        assert seconds == pytest.approx(row["end_s"] - row["start_s"], abs=0.06), json.dumps(row)
