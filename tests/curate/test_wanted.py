"""A list whose videos are downloaded: sections and whole videos, once."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from curate import pipeline, video
from curate.download.options import Options
from curate.lists import read
from curate.lists.tube import Video, VideoList
from curate.settings import SelectionSettings, Settings
from tests.curate import made
from tests.curate.serving import Server, serving

SETTINGS = Settings(selection=SelectionSettings(min_res=64, size="native"))
OPTIONS = Options(timeout_s=5.0, free_bytes=0, pause_s=0.0)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory):
    root = tmp_path_factory.mktemp("site")
    made.encode(root / "long.mp4", 1000, options={"g": "25"})
    made.encode(root / "short.mp4", 50)
    with serving(root) as server:
        yield server


def listing(site: Server, path: Path) -> VideoList:
    def row(name: str, start: float, end: float) -> dict[str, object]:
        where = {"video_id": name, "source_url": site.at(f"{name}.mp4"), "clip_id": f"{name}-{start}"}
        box = {"box_left": 40, "box_top": 0, "box_right": 280, "box_bottom": 240, "ref_width": 320, "ref_height": 240}
        return {**where, "start_s": start, "end_s": end, **box}

    rows = [row("long", 4.0, 6.0), row("long", 36.0, 37.0), row("short", 0.4, 1.2), row("gone", 0.0, 1.0)]
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    found = read(path)
    unwanted = Video("unwanted", site.at("short.mp4"))
    return replace(found, videos=(*found.videos, unwanted))


def test_what_is_downloaded_is_cut_once_and_removed(site: Server, tmp_path: Path) -> None:
    wanted, out = listing(site, tmp_path / "list.jsonl"), tmp_path / "out"
    report = pipeline.build(wanted, out, SETTINGS, download=OPTIONS)
    assert [name for name, _ in report.failed] == ["gone"]
    rows = {row["list_name"]: row for row in pq.read_table(out / "manifest.parquet").to_pylist()}
    shown = {
        name: [made.read_stamp(frame.rgb()) for frame in video.frames(out / row["path"])] for name, row in rows.items()
    }
    assert shown == {
        "long-4.0": list(range(100, 150)),
        "long-36.0": list(range(900, 925)),
        "short-0.4": list(range(10, 30)),
    }
    assert {row["source_url"] for row in rows.values()} == {site.at("long.mp4"), site.at("short.mp4")}
    assert not list((out / "raw").glob("*.mp4"))
    assert ("video", "dropped", "the list names no clip of it", 1) in report.counts
    asked, manifest = dict(site.counts), (out / "manifest.parquet").read_bytes()
    again = pipeline.build(wanted, out, SETTINGS, download=OPTIONS)
    assert again.done_before == 2
    assert dict(site.counts) == asked  # not even the dead one is asked for again
    assert (out / "manifest.parquet").read_bytes() == manifest
