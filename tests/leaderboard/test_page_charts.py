import pytest

import leaderboard
from leaderboard.page_charts import _log_ticks, angle_charts, rate_charts, speed_charts
from leaderboard.page_players import read_records
from leaderboard.records import Sample
from leaderboard.standings import boards
from tests.leaderboard.factory import METRICS, make_run

RATE = {"id": "bytes-per-frame", "unit": "B", "higher_is_better": False, "description": "", "evaluators": []}


def run(folder, model, l1, rate=None, changes=None):
    """A run of two persons with these means."""
    values = {"l1": l1} | ({"bytes-per-frame": rate} if rate else {})
    samples = [
        Sample(person, "c", person, 0, metric, value + off, "ok")
        for person, off in (("ann", -0.01), ("ben", 0.01))
        for metric, value in values.items()
    ]
    metrics = [METRICS[0].model_dump(mode="json"), RATE]
    return make_run(folder, model=model, samples=samples, changes={"metrics": metrics} | (changes or {}))


def board_of(tmp_path, *folders):
    with leaderboard.open(tmp_path / "b.duckdb") as store:
        for folder in folders:
            store.ingest(folder)
        (board,) = boards(store)
        return board, read_records(store, [board])


def test_quality_against_rate_joins_the_rows_of_a_family(tmp_path):
    curves = {"coder": [{"row": "coder-a"}, {"row": "coder-b"}], "ours": [{"row": "ours"}]}
    stated = {"arguments": {"rate_distortion": {"curves": curves}}}
    board, records = board_of(
        tmp_path,
        run(tmp_path / "1", "coder-a", 0.1, 1000, stated),
        run(tmp_path / "2", "coder-b", 0.3, 10, stated),
        run(tmp_path / "3", "ours", 0.2, 100, stated),
        run(tmp_path / "4", "stranger", 0.2, 100),
    )
    (chart,) = rate_charts(board, records)  # of l1; rates are no quality
    assert chart.title == "l1"
    by_name = {series.name: series for series in chart.series}
    assert set(by_name) == {"coder", "ours"}
    few, many = by_name["coder"].points
    (ours,) = by_name["ours"].points
    assert few.x < ours.x < many.x
    assert ours.x == pytest.approx((few.x + many.x) / 2)  # logarithmic
    assert few.y > ours.y > many.y
    assert len(by_name["coder"].line.split()) == 2


@pytest.mark.parametrize("stated", [None, 3, {"curves": 3}, {"curves": {"a": 3}}, {"curves": {"a": [3, {"row": 4}]}}])
def test_a_record_that_states_nonsense_has_no_curve(tmp_path, stated):
    board, records = board_of(tmp_path, run(tmp_path / "1", "m", 0.1, 9, {"arguments": {"rate_distortion": stated}}))
    assert rate_charts(board, records) == []


def test_quality_against_speed_needs_two_timed_models(tmp_path):
    slow, fast = (
        run(tmp_path / n, n, v, changes={"seconds": {"model": s}}) for n, v, s in (("a", 0.1, 24), ("b", 0.2, 2))
    )
    board, _ = board_of(tmp_path, slow, fast, run(tmp_path / "truth", "truth", 0.0))
    (chart,) = speed_charts(board)
    places = {series.name: series.points[0] for series in chart.series}
    assert set(places) == {"a mini", "b mini"}
    assert places["a mini"].x < places["b mini"].x
    assert places["a mini"].low < places["a mini"].y < places["a mini"].high
    (tmp_path / "one").mkdir()
    alone, _ = board_of(tmp_path / "one", run(tmp_path / "one" / "a", "a", 0.1))
    assert speed_charts(alone) == []


@pytest.mark.parametrize("angles", [None, "x", [[1, 2]], [[1, 2, "x"]], [[1e9, 0, 0]]])
def test_angles_that_are_none_draw_nothing(tmp_path, angles):
    changes = {"arguments": {"angles": angles}, "protocol.task": "redirection"}
    with leaderboard.open(tmp_path / "b.duckdb") as store:
        store.ingest(run(tmp_path / "1", "m", 0.1, changes=changes))
        (board,) = boards(store)
        assert angle_charts(store, board, read_records(store, [board])) == []


@pytest.mark.parametrize(("low", "high"), [(0.0, 3.0), (-2.0, 5.5), (1.1, 1.3), (1.01, 1.05), (2.0, 2.9)])
def test_logarithmic_ticks_are_few_and_inside(low, high):
    ticks = _log_ticks(low, high)
    assert 2 <= len(ticks) <= 7
    assert all(10**low * 0.999 <= tick <= 10**high * 1.001 for tick, _ in ticks)
    assert len({text for _, text in ticks}) == len(ticks)
