"""What the task `compression` concludes once every row has coded every clip: rates, curves, comparisons with H.264.

Rows of one family (a coder at several settings) make a curve. Rates at equal quality are compared clip by clip, so
that their mean has an interval by persons; where a clip's curves have no common quality its value is missing, with
the reason. Each record holds the curves of all families, one point a row: the means over the clips that every row made.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import torch

from bench.bjontegaard import NoComparison
from bench.metrics.base import Metric
from bench.metrics.bd_rate import bd_rate
from bench.rows import Row, Told
from bench.tasks.base import Pair, Task
from leaderboard.aggregate import aggregate
from leaderboard.records import SAMPLES_SCHEMA, Sample

ANCHOR = "h264"
QUALITY = "lp"
NOTHING_SENT = "a calibration row sends nothing"
STATED = "rate_distortion"  # where a record has the curves, under its arguments

Point = tuple[float, float]  # bytes a frame, distortion


def conclude(task: Task, rows: Sequence[Row]) -> None:
    """Give every row the samples of the metrics of what was told, and the curves."""
    for row in rows:
        for told in row.told.values():
            for metric in row.metrics:
                if metric.told and not metric.kinds:
                    row.samples += _rates(row, metric, told, task.size**2)
    families: dict[str, list[Row]] = {}
    for row in rows:
        if family := getattr(row.model, "family", ""):
            families.setdefault(family, []).append(row)
    points = {row.model.spec.name: _points(row) for members in families.values() for row in members}
    for row in rows:
        family = families.get(getattr(row.model, "family", ""), [])
        for told in row.told.values():
            key = told.pair.id
            anchor, own = (_at(key, members, points) for members in (families.get(ANCHOR, []), family))
            point = points.get(row.model.spec.name, {}).get(key)
            for metric in row.metrics:
                if metric.told and metric.kinds:
                    row.samples.append(_compared(row, metric, told, anchor, own, point))
    coding = [row for members in families.values() for row in members]
    lost = {told.pair.id for row in coding for told in row.told.values() if told.lost}
    curves = {
        family: [{"row": row.model.spec.name, **_means(row, lost)} for row in members]
        for family, members in families.items()
    }
    for row in rows:
        row.stated[STATED] = {"anchor": ANCHOR, "quality": _quality(row), "curves": curves, "left_out": sorted(lost)}


def _rates(row: Row, metric: Metric, told: Told, pixels: int) -> Iterable[Sample]:
    where = (told.pair.id, told.pair.driving.clip_id, told.pair.source.person)
    name = row.name_of(metric)
    for frame, reason in told.lost.items():
        yield Sample(*where, frame, name, None, "failed", reason)
    if not told.indices:
        return
    if "sent" not in told.values:
        yield Sample(*where, None, name, None, "missing", NOTHING_SENT, n=len(told.indices))
        return
    sent = torch.from_numpy(told.values["sent"])
    values = metric.function(sent, torch.full((len(sent),), float(pixels), dtype=sent.dtype))
    for frame, value in zip(told.indices, values.tolist(), strict=True):
        yield Sample(*where, frame, name, value)


def _points(row: Row) -> dict[str, Point]:
    """A row's point of each clip in which every frame was made and has a quality."""
    quality = _quality(row)
    values: dict[str, list[float]] = {}
    for sample in row.samples:
        if sample.metric == quality and sample.pair_id is not None and sample.value is not None:
            values.setdefault(sample.pair_id, []).append(sample.value)
    found = {}
    for key, told in row.told.items():
        made = values.get(key, [])
        if "sent" in told.values and not told.lost and len(made) == len(told.indices):
            found[key] = (float(told.values["sent"].sum()) / len(made), math.fsum(made) / len(made))
    return found


def _quality(row: Row) -> str:
    return next((row.name_of(metric) for metric in row.metrics if metric.id == QUALITY), QUALITY)


def _at(pair: str, members: Sequence[Row], points: Mapping[str, Mapping[str, Point]]) -> list[Point]:
    every = (points[row.model.spec.name].get(pair) for row in members)
    return [point for point in every if point is not None]


def _compared(
    row: Row, metric: Metric, told: Told, anchor: Sequence[Point], own: Sequence[Point], point: Point | None
) -> Sample:
    """The value of one comparison with the anchor on one clip, or why there is none."""
    pair: Pair = told.pair
    where = (pair.id, pair.driving.clip_id, pair.source.person, None, row.name_of(metric))
    n = max(1, len(told.indices) + len(told.lost))
    if not own and "sent" not in told.values and not told.lost:
        return Sample(*where, None, "missing", NOTHING_SENT, n=n)
    if told.lost:
        return Sample(*where, None, "failed", next(iter(told.lost.values())), n=n)
    if point is None or not anchor:
        return Sample(*where, None, "missing", f"no {_quality(row)} of this clip or of {ANCHOR}'s rows", n=n)
    sides = (own if metric.function is bd_rate else [point]), anchor
    try:
        value = metric.function(*(torch.tensor(side, dtype=torch.float64) for side in sides))
    except NoComparison as error:
        return Sample(*where, None, "missing", str(error), n=n)
    return Sample(*where, float(value), n=n)


def _means(row: Row, lost: Collection[str]) -> dict[str, Any]:
    """Mean of every metric of the row but for the pairs that are `lost`, by name, as the leaderboard computes it; None
    where there is no value."""
    kept = [vars(sample) for sample in row.samples if sample.pair_id not in lost]
    table = pa.Table.from_pylist(kept, schema=SAMPLES_SCHEMA)
    return {score.metric: score.mean for score in aggregate(table)}
