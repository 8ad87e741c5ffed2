"""Failed frames: counted, left out of one mean and penalised in the other; the protocol says which of them ranks."""

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings

from leaderboard.aggregate import NO_PENALTY, aggregate
from leaderboard.ingest import ingest
from leaderboard.records import MetricInfo, Sample
from leaderboard.standings import boards
from leaderboard.store import Store
from leaderboard.text import print_board

from .factory import METRICS, make_run, make_samples
from .test_aggregate import ROWS, table

PENALTIES = {"l1": 1e6, "psnr": None}


@given(ROWS)
@settings(max_examples=100, deadline=None)
def test_both_means_equal_a_plain_reference(rows):
    dropping, penalising = (
        {score.metric: score for score in aggregate(table(rows), (), PENALTIES, policy)}
        for policy in ("drop", "penalise")
    )
    assert set(dropping) == set(penalising)
    for metric, score in dropping.items():
        mine = [outcome for name, _, outcome in rows if name == metric]
        values = [outcome for outcome in mine if not isinstance(outcome, str)]
        lost = mine.count("failed")
        other = penalising[metric]
        assert (score.dropped, score.penalised) == (other.dropped, other.penalised) == (score.mean, other.mean)
        assert (score.dropped is None) == (not values)
        penalty = PENALTIES.get(metric)
        if lost and penalty is None:
            assert score.penalised is None
            assert not values or other.reason.startswith(NO_PENALTY)
        elif values or lost:
            exact = (sum(map(Fraction, values)) + lost * Fraction(penalty or 0)) / (len(values) + lost)
            assert abs(Fraction(score.penalised) - exact) <= Fraction(1, 10**6)
            people = {person for name, person, outcome in rows if name == metric and outcome != "missing"}
            assert other.n_persons == len(people)
            assert (other.ci_low is None) == (len(people) < 2)


def test_a_model_that_fails_on_hard_frames_wins_only_where_they_are_dropped(tmp_path: Path):
    metrics = (*METRICS[:2], METRICS[2].model_copy(update={"penalty": -1.0}))
    samples = make_samples(0.7)
    picky = [
        Sample(s.pair_id, s.clip_id, s.person, s.frame, "csim", None, "failed", "no face found")
        if s.metric == "csim" and s.person != "person-0"
        else s
        for s in samples
    ]
    least = min(s.value for s in samples if s.metric == "csim" and s.person == "person-0")
    assert all(s.value > least - 0.2 for s in samples if s.metric == "csim")
    found = {}
    with Store(tmp_path / "a.duckdb") as store:
        for policy in ("drop", "penalise"):
            changes = {"metrics": [m.model_dump() for m in metrics], "protocol.failed_frames": policy}
            runs = {"picky": picky, "steady": make_samples(0.6, seed=1)}
            for model, of_model in runs.items():
                make_run(tmp_path / f"{policy}-{model}", model=model, samples=of_model, changes=changes)
        assert not ingest(store, [tmp_path / f"{p}-{m}" for p in ("drop", "penalise") for m in runs]).refused
        for board in boards(store):  # two boards: values of different policies stand in no one column
            column = [c.metric for c in board.columns].index("csim")
            found[board.failed_frames] = {row.model: row.cells[column] for row in board.ranked}, board.columns[column]
    drop, penalise = found["drop"][0], found["penalise"][0]
    assert drop["picky"].best
    assert not drop["steady"].best
    assert penalise["steady"].best
    assert not penalise["picky"].best
    assert drop["picky"].penalised == penalise["picky"].mean < 0 < drop["picky"].mean == penalise["picky"].dropped
    assert drop["picky"].n_attempted == 24
    assert drop["picky"].n_failed == 18
    assert drop["steady"].penalised == drop["steady"].dropped == drop["steady"].mean
    assert "failed:" not in found["drop"][1].signature
    assert "|failed:-1|" in found["penalise"][1].signature


def test_both_means_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    changes = {
        "metrics": [m.model_dump() for m in (*METRICS[:2], METRICS[2].model_copy(update={"penalty": -1.0}))],
        "protocol.failed_frames": "penalise",
    }
    make_run(tmp_path / "run", samples=make_samples(lost=(0, 1)), changes=changes)
    with Store(tmp_path / "a.duckdb") as store:
        store.ingest(tmp_path / "run")
        (board,) = boards(store)
    cell = board.rows[0].cells[[c.metric for c in board.columns].index("csim")]
    print_board(board)
    shown = capsys.readouterr().out
    assert "failed frames penalised" in shown.splitlines()[0]
    assert f"{cell.dropped:.4g} without failed frames, {cell.penalised:.4g} with their penalty" in shown
    assert cell.penalised == pytest.approx((cell.dropped * 16 - 8) / 24)


def test_a_record_without_the_policy_is_read_as_before():
    metric = MetricInfo(id="l1", unit="", higher_is_better=False, description="")
    assert metric.penalty is None
    assert aggregate(table([("l1", "ann", "failed"), ("l1", "ann", 1.0)]))[0].mean == 1.0
