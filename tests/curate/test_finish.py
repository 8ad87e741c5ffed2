"""What only the whole dataset tells: duplicates, persons, splits."""

import random

import numpy as np

from curate.finish import Row, finished
from curate.ledger import Trace
from curate.settings import DatasetSettings

SPLITS = DatasetSettings(splits={"train": 0.5, "test": 0.5})


def row(clip: str, video: str, start: int = 0, **more: object) -> Row:
    return {"clip_id": clip, "video_id": video, "start_frame": start, "end_frame": start + 100, **more} | {
        "native_side": 512,
        "n_frames": 100,
        "fps": 25.0,
    }


def trace(clip: str, person: int, track: int = 0, hashes: list[int] | None = None) -> Trace:
    rng = np.random.default_rng(sum(map(ord, clip)))
    vector = np.eye(16)[person] + rng.normal(0, 0.05, 16)
    values = hashes or rng.integers(0, 2**63, 20).tolist()
    return Trace(
        clip, track, tuple((i / 5, value) for i, value in enumerate(values)), tuple(vector / np.linalg.norm(vector))
    )


def test_persons_are_found_across_videos_but_two_at_once_are_two() -> None:
    rows = [row("a", "v1"), row("b", "v2"), row("c", "v2"), row("d", "v3", identity_id="listed")]
    traces = [("v1", trace("a", 0)), ("v2", trace("b", 0)), ("v2", trace("c", 0, track=1)), ("v3", trace("d", 3))]
    done = {one["clip_id"]: one for one in finished(rows, traces, DatasetSettings())}
    assert done["b"]["identity_id"] != done["c"]["identity_id"]
    assert done["a"]["identity_id"] in (done["b"]["identity_id"], done["c"]["identity_id"])
    assert done["d"]["identity_id"] == "listed"
    assert "split" not in done["a"]


def test_a_copy_is_named_and_stays_in_its_originals_split() -> None:
    shown = np.random.default_rng(5).integers(0, 2**63, 25).tolist()
    for seed in range(6):
        rows = [row("a", "v1"), row("b", "v2") | {"native_side": 256}, row("c", "v3")]
        traces = [
            ("v1", trace("a", 0, hashes=shown)),
            ("v2", trace("b", 1, hashes=shown)),
            ("v3", trace("c", 2)),
        ]
        done = {r["clip_id"]: r for r in finished(rows, traces, SPLITS.model_copy(update={"seed": seed}))}
        assert (done["a"].get("duplicate_of"), done["b"].get("duplicate_of")) == (None, "a")
        assert done["a"]["split"] == done["b"]["split"]


def test_the_order_of_rows_and_traces_does_not_matter_and_nobody_is_in_two_splits() -> None:
    rows = [row(f"c{i}", f"v{i // 3}", start=60 * (i % 3)) for i in range(30)]
    traces = [(f"v{i // 3}", trace(f"c{i}", i % 7, track=i % 3)) for i in range(30)]
    want = finished(rows, traces, SPLITS)
    for seed in range(3):
        random.Random(seed).shuffle(rows)
        random.Random(seed + 9).shuffle(traces)
        assert finished(rows, traces, SPLITS) == want
    for key in ("identity_id", "video_id"):
        splits: dict[str, set[str]] = {}
        for one in want:
            splits.setdefault(one[key], set()).add(one["split"])
        assert all(len(names) == 1 for names in splits.values())
