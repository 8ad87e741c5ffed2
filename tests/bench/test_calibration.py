"""The rows that frame every table, and what a failed frame counts as."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import bench
from bench import metrics
from bench.entrants import CRF, partners
from bench.tasks.base import Pair
from curate.dataset import Clip
from leaderboard.aggregate import aggregate
from leaderboard.records import read_record

from .conftest import FRAMES, write_dataset


def found(folders: list[Path]):
    records = {read_record(folder).model.name: (folder, read_record(folder)) for folder in folders}
    tables = {name: pd.read_parquet(folder / "samples.parquet") for name, (folder, _) in records.items()}
    return {name: record for name, (_, record) in records.items()}, tables


def scores(table):
    return {score.metric: score for score in aggregate(table)}


def test_every_table_is_framed_by_what_is_known_beforehand(dataset, suite, tmp_path):
    records, tables = found(bench.run("same-id", "source-copy", dataset, out=tmp_path))
    assert list(records) == ["source-copy", "truth", "truth-reencoded", "shuffled"]
    assert {record.model.kind for record in records.values()} == {"calibration"}
    assert records["truth-reencoded"].model.preset == f"x264-crf{CRF}"
    truth, codec, copy, shuffled = (
        scores(tables[name]) for name in ("truth", "truth-reencoded", "source-copy", "shuffled")
    )
    assert truth["l1"].mean == 0 < codec["l1"].mean < 0.02 < shuffled["l1"].mean
    assert truth["csim-open"].mean == pytest.approx(1)
    assert codec["csim-open"].mean > 0.99
    assert shuffled["csim-open"].mean < 0.97  # discs of other colours
    assert codec["akd-open"].mean < 2 < shuffled["akd-open"].mean
    assert {score.n_attempted for of_row in (truth, codec, copy, shuffled) for score in of_row.values()} == {3 * FRAMES}
    signatures = {tuple(record.signature(m) for m in record.metrics) for record in records.values()}
    assert len(signatures) == 1  # one column with the models' values


def test_where_all_show_one_person_nothing_can_be_shuffled(suite, tmp_path):
    data = write_dataset(tmp_path / "data", [0, 0])
    _, tables = found(bench.run("same-id", "truth", data, out=tmp_path / "runs"))
    table = tables["shuffled"]
    assert set(table.status) == {"missing"}
    assert set(table.error) == {"no pair shows another person"}
    assert scores(table)["l1"].n_missing == 2 * FRAMES


def clip(number: int, person: int) -> Clip:
    return Clip(f"c{number:03d}", Path(), "", f"v{number}", f"p{person}", None, 4, 25.0, 64, 64)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=20), st.booleans())
@settings(max_examples=100, deadline=None)
def test_a_partner_shows_somebody_else(people, of_source):
    pairs = [Pair(clip(2 * i, a), clip(2 * i + 1, b)) for i, (a, b) in enumerate(people)]
    shown = {pair.id: (pair.source if of_source else pair.driving).person for pair in pairs}
    for pair in pairs:
        partner = partners(pairs, of_source=of_source)[pair.id]
        others = set(shown.values()) - {pair.source.person, pair.driving.person}
        assert (partner is None) == (not others)
        assert partner is None or shown[partner.id] in others


def test_a_face_that_is_lost_is_failed_and_penalised_in_the_record(dataset, suite, outside, tmp_path):
    records, tables = found(bench.run("same-id", "shifter", dataset, checkpoint="faceless", out=tmp_path))
    penalties = {metric.id: metric.penalty for metric in records["shifter"].metrics}
    assert penalties.items() >= {"l1": 1.0, "csim-open": -1.0, "akd-open": 256.0, "aucon-open": 0.0}.items()
    # no worst value is known of a perceptual distance: it is the worst that copying the source gives on these pairs
    copied = tables["source-copy"].query("metric == 'lp-open'").value
    assert penalties["lp-open"] == copied.max()
    assert penalties["fd-open"] is None
    # its value may differ in the last digits from machine to machine, so signatures say where it is from
    signatures = {metric.id: records["shifter"].signature(metric) for metric in records["shifter"].metrics}
    assert "|failed:source-copy|" in signatures["lp-open"]
    assert "|failed:-1|" in signatures["csim-open"]
    assert "|failed:NULL|" in signatures["fd-open"]
    lost = {score.metric: score for score in aggregate(tables["shifter"], (), penalties)}
    assert lost["csim-open"].mean is lost["csim-open"].dropped is None
    assert (lost["csim-open"].penalised, lost["csim-open"].n_failed) == (-1.0, 3 * FRAMES)


VALUES = {
    "frames": lambda r, n: r.random((n, 3, 16, 16)),
    "frames+mask": lambda r, n: r.random((n, 4, 16, 16)),
    "landmarks": lambda r, n: r.uniform(0, 255, (n, 68, 2)),
    "pose": lambda r, n: r.uniform(-180, 180, (n, 3)),
    "expression": lambda r, n: r.random((n, 18)),
    "identity": lambda r, n: (v := r.normal(size=(n, 8))) / np.linalg.norm(v, axis=1, keepdims=True),
}


@pytest.mark.parametrize(
    "metric",
    [m for m in metrics.available().values() if m.worst is not None and m.feature in VALUES and not m.of_mean],
    ids=lambda m: m.id,
)
def test_no_value_is_worse_than_the_worst(metric):
    random = np.random.default_rng(5)
    make = VALUES[metric.feature] if metric.id != "ms-ssim" else lambda r, n: r.random((n, 3, 176, 176))
    pred, target = (torch.from_numpy(make(random, 40)).float() for _ in range(2))
    if metric.feature == "frames":  # the farthest that pictures can be apart
        pred[0], target[0] = 1, 0
        pred[1] = 1 - target[1]
    if metric.feature == "identity":
        pred[0] = -target[0]
    values = metric.function(pred, target)
    assert values.isfinite().any()
    sign = 1 if metric.higher_is_better else -1
    assert (sign * values >= sign * metric.worst - 1e-4).all()
