"""The comparison of curation with what is known of raw videos."""

import json
from pathlib import Path

from bench.curation_check import Check, check
from curate.analyse import Analysis
from curate.shots import Shot
from curate.tracks import Track
from curate.video import VideoInfo

INFO = VideoInfo(320, 180, 25.0, 40, 1.6, 10_000, "h264", "yuv420p", 0.0, 0.0)


def track(shot: int, frames: range, left: float) -> Track:
    n = len(frames)
    return Track(0, shot, tuple(frames), ((left, 0.0, left + 10, 10.0),) * n, (0.9,) * n, (), (0,) * n, 9)


def person(start: int, end: int, left: float) -> dict[str, object]:
    return {"identity_id": "x", "start": start, "end": end, "boxes": [[left, 0, left + 10, 10]] * (end - start)}


def test_cuts_and_people_are_counted(tmp_path: Path):
    shots = [
        {"start": 0, "end": 20, "kind": "two", "tracks": [person(0, 20, 0), person(0, 20, 100)]},
        {"start": 20, "end": 30, "kind": "empty", "tracks": []},
        {"start": 30, "end": 40, "kind": "one", "tracks": [person(30, 40, 50)]},
    ]
    found = Analysis(
        video_id="talk-0",
        settings="",
        info=INFO,
        n_frames=40,
        times=None,
        shots=(Shot(0, 0, 20, False), Shot(1, 20, 35, False), Shot(2, 35, 40, False)),  # one cut in the wrong place
        tracks=(
            track(0, range(0, 20, 5), 102),  # the second person
            track(0, range(0, 20, 5), 4),  # the first, a little beside
            track(1, range(20, 30, 5), 0),  # nobody
            track(1, range(30, 34), 58),  # too far from the one who is there
        ),
    )
    (tmp_path / "raw").mkdir()
    (tmp_path / "out" / "analysis").mkdir(parents=True)
    (tmp_path / "raw" / "raw_truth.json").write_text(json.dumps({"videos": {"talk": {"shots": shots}}}))
    (tmp_path / "out" / "analysis" / "talk-0.json").write_text(json.dumps(found.to_json()))
    checked = check(tmp_path / "raw", tmp_path / "out")
    assert checked == Check(2, 1, 1, 3, 1, 3)
    assert str(checked) == "found 1 of 2 cuts (and 1 that are none), 1 of 3 people (and 3 that are nobody)"
