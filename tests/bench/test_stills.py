import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from bench.scoring import Look
from bench.stills import KEPT, WorstFrames

HIGHER = SimpleNamespace(id="csim", higher_is_better=True)
LOWER = SimpleNamespace(id="l1", higher_is_better=False)


def shades(first, count=4):
    """Frames of one grey each, from `first` on."""
    return Look(np.stack([np.full((16, 16, 3), first + i, np.uint8) for i in range(count)]), {})


def offered(worst, number, metric, values, truth=None):
    """Offer pair `number`, whose driven frames are 10, 11, ..."""
    view = SimpleNamespace(indices=[10 + i for i in range(4)], source=shades(200), driving=shades(100), truth=truth)
    outcomes = {10 + i: (v, "ok" if v is not None else "failed", None) for i, v in enumerate(values)}
    worst.offer(metric, SimpleNamespace(id=f"pair{number:02d}"), view, shades(10 * number), outcomes)


def places(worst):
    return [(still.info.pair_id, still.info.frame) for still in worst.finish()]


@pytest.mark.parametrize(("metric", "sign"), [(HIGHER, 1), (LOWER, -1)])
def test_the_worst_frames_are_kept_one_a_pair(metric, sign):
    worst = WorstFrames()
    for number in range(KEPT + 3):
        badness = (number * 5) % (KEPT + 3)  # in no order
        offered(worst, number, metric, [sign, -sign * badness, sign, sign])
    bad = [number for number in range(KEPT + 3) if (number * 5) % (KEPT + 3) >= 3]
    assert places(worst) == [(f"pair{number:02d}", 11) for number in bad]


def test_a_frame_that_failed_is_worse_than_any_value_and_missing_is_none():
    worst = WorstFrames()
    for number in range(KEPT):
        offered(worst, number, HIGHER, [-1e9, 1, 1, 1])
    offered(worst, 9, HIGHER, [0.9, 0.9, None, 0.9])
    assert ("pair09", 12) in places(worst)
    assert len(places(worst)) == KEPT
    nothing = WorstFrames()
    nothing.offer(HIGHER, SimpleNamespace(id="p"), None, None, {0: (None, "missing", "no network")})
    assert nothing.finish() == []


def test_pictures_are_of_that_frame_and_shared_by_metrics():
    worst = WorstFrames()
    offered(worst, 1, HIGHER, [0.5, 0.4, 0.1, 0.7], truth=shades(50))
    offered(worst, 1, LOWER, [0.5, 0.4, 0.9, 0.7], truth=shades(50))
    (still,) = worst.finish()
    means = {
        side: np.asarray(Image.open(io.BytesIO(still.files[getattr(still.info, side)]))).mean()
        for side in ("source", "driving", "output", "truth")
    }
    assert means == pytest.approx({"source": 200, "driving": 102, "output": 12, "truth": 52}, abs=1)
    offered(worst, 2, HIGHER, [0.5, 0.4, 0.1, 0.7])
    assert worst.finish()[1].info.truth == ""
