import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import leaderboard
from leaderboard.plots import nice_ticks, plots
from leaderboard.records import Sample
from leaderboard.standings import boards
from tests.leaderboard.factory import make_run


def plot_of(tmp_path, **by_model):
    """The l1 plot of models with the given values of two persons."""
    with leaderboard.open(tmp_path / "b.duckdb") as store:
        for model, values in by_model.items():
            people = dict(zip(("ann", "ben"), values, strict=True))
            samples = [
                Sample(p, "c", p, 0, "l1", v, *(() if v is not None else ("failed", "why"))) for p, v in people.items()
            ]
            store.ingest(make_run(tmp_path / model, model=model.replace("_", "-"), samples=samples))
        (board,) = boards(store)
        return next(plot for plot in plots(board) if plot.column.metric == "l1")


def test_marks_stand_in_order_on_one_axis(tmp_path):
    plot = plot_of(tmp_path, fomm=(0.2, 0.4), osfv=(0.1, 0.2), truth=(0.05, 0.05), gone=(None, None))
    marks = {mark.name: mark for mark in plot.marks}
    assert marks["truth"].at < marks["osfv mini"].at < marks["fomm mini"].at
    assert marks["fomm mini"].low < marks["fomm mini"].at < marks["fomm mini"].high
    assert marks["fomm mini"].low == pytest.approx(marks["osfv mini"].high)  # both 0.2
    assert (marks["gone mini"].at, marks["gone mini"].text) == (None, "NULL")
    positions = {float(text): at for at, text in plot.ticks}
    assert positions[0.2] == pytest.approx(marks["osfv mini"].high, abs=0.02)


def test_far_calibration_stands_at_the_edge(tmp_path):
    plot = plot_of(tmp_path, fomm=(0.2, 0.3), osfv=(0.25, 0.35), truth=(0.19, 0.19), source_copy=(90.0, 90.0))
    marks = {mark.name: mark for mark in plot.marks}
    assert (marks["source-copy"].beyond, marks["source-copy"].at) == ("right", 100)
    assert marks["truth"].beyond == ""


def test_a_board_of_calibration_alone_has_an_axis(tmp_path):
    plot = plot_of(tmp_path, truth=(0.0, 0.0))
    assert plot.marks[0].at == pytest.approx(50)


@given(st.floats(-1e6, 1e6), st.floats(1e-9, 1e6))
@settings(max_examples=300)
def test_ticks_are_few_round_inside_and_distinct(low, width):
    high = low + width
    if high - low < 1e-9 * max(abs(low), abs(high)):
        return
    ticks = nice_ticks(low, high)
    assert 2 <= len(ticks) <= 6
    assert all(low - width * 1e-6 <= at <= high + width * 1e-6 for at, _ in ticks)
    labels = [text for _, text in ticks]
    assert len(set(labels)) == len(labels)
    assert all(re.fullmatch(r"-?\d+(\.\d+)?", text) for text in labels)
    assert all(abs(float(text) - at) <= width * 1e-3 for at, text in ticks)
