import csv
import io
import json

import pytest

import leaderboard
from curate.errors import UserError
from leaderboard import export
from leaderboard.records import Sample
from leaderboard.standings import Filters, boards, decimals, published
from leaderboard.text import plain, print_board, remark, value
from tests.leaderboard.factory import METRICS, make_run, make_samples


@pytest.fixture
def store(tmp_path):
    with leaderboard.open(tmp_path / "board.duckdb") as opened:
        yield opened


def constant(**values):
    """Samples of two persons with the given value per metric; None: failed."""
    return [
        Sample(pair, "c", pair, 0, metric, value, *(() if value is not None else ("failed", "no face found")))
        for pair in ("ann", "ben")
        for metric, value in values.items()
    ]


@pytest.fixture
def add(store, tmp_path):
    def add(name, model="fomm", changes=None, **values):
        samples = constant(**({"l1": 0.1, "psnr": 20.0, "csim": 0.5} | values))
        store.ingest(make_run(tmp_path / "runs" / name, model=model, samples=samples, changes=changes))

    return add


def only(items):
    (item,) = items
    return item


def models(rows):
    return [row.model for row in rows]


def test_order_best_and_null(store, add):
    add("a", "fomm", l1=0.3, psnr=21.0, csim=None)
    add("b", "osfv", l1=0.1, psnr=25.0, csim=0.7)
    add("c", "bi-layer", l1=None, psnr=25.0, csim=0.9)
    board = only(boards(store))
    assert models(board.ranked) == ["osfv", "fomm", "bi-layer"]
    assert [column.metric for column in board.columns] == ["l1", "psnr", "csim"]
    best = {row.model: [cell.best for cell in row.cells] for row in board.ranked}
    assert best == {"osfv": [True, True, False], "fomm": [False] * 3, "bi-layer": [False, True, True]}
    null = board.ranked[2].cells[0]
    assert (null.mean, null.n_failed, null.reason) == (None, 2, "no face found (2)")
    assert remark(null) == "no value: 2 failed of 2 samples: no face found (2)"
    assert remark(board.ranked[0].cells[0]) == ""


def test_calibration_frames_the_board_and_is_never_ranked(store, add):
    add("t", "truth", l1=0.0, psnr=99.0, csim=1.0)
    add("s", "source-copy", l1=0.9, psnr=1.0, csim=0.0)
    add("f", "fomm")
    add("o", "osfv", l1=0.2)
    board = only(boards(store))
    assert (models(board.upper), models(board.lower)) == (["truth"], ["source-copy"])
    assert models(board.rows) == ["truth", "fomm", "osfv", "source-copy"]
    assert not any(cell.best for row in board.upper + board.lower for cell in row.cells)
    assert board.ranked[0].cells[0].best


def test_one_ranked_row_is_not_best_of_anything(store, add):
    add("t", "truth")
    add("f", "fomm")
    assert not any(cell.best for row in only(boards(store)).rows for cell in row.cells)


@pytest.mark.parametrize(
    "changes",
    [
        {"dataset.fingerprint": "00" * 32},
        {"dataset.name": "other"},
        {"suite": "paper"},
        {"protocol.id": "same-id@2"},
        {"protocol.pair_list_sha256": "11" * 32},
        {"protocol.n_pairs": 3},
        {"protocol.size": 64},
        {"protocol.frames_per_clip": 5},
    ],
)
def test_another_question_is_another_board(store, add, changes):
    add("a", "fomm")
    add("b", "osfv", changes)
    assert [models(board.rows) for board in boards(store)] in ([["fomm"], ["osfv"]], [["osfv"], ["fomm"]])


def test_another_network_is_another_named_column(store, add):
    add("a", "fomm", csim=0.4)
    add("b", "osfv", {"evaluators": {"identity": {"name": "facenet", "sha256": "99" * 32, "licence": "MIT"}}}, csim=0.9)
    add("c", "bi-layer", csim=0.3)
    board = only(boards(store))
    labels = [column.label for column in board.columns]
    assert labels == ["l1", "psnr", "csim (arcface-r50@1a2b3c4d)", "csim (facenet@99999999)"]
    by_model = {row.model: row.cells for row in board.rows}
    assert by_model["osfv"][2] is None
    assert by_model["fomm"][3] is None
    assert by_model["fomm"][2].best  # 0.4 of 0.4 and 0.3; the 0.9 of another network does not count
    assert not by_model["osfv"][3].best
    for column in board.columns:
        assert column.signature.startswith(column.metric + "|")


def test_another_direction_or_unit_is_another_column(store, add):
    add("a", "fomm")
    metrics = [metric.model_dump(mode="json") for metric in METRICS]
    add("b", "osfv", {"metrics": [metrics[0] | {"higher_is_better": True}, metrics[1] | {"unit": "px"}, metrics[2]]})
    assert [c.metric for c in only(boards(store)).columns] == ["l1", "l1", "psnr", "psnr", "csim"]


def test_the_latest_run_of_a_model_counts(store, add):
    add("new", "fomm", {"created": "2026-03-01T00:00:00Z"}, l1=0.2)
    add("old", "fomm", {"created": "2026-02-28T23:59:59Z"}, l1=0.1)
    add("else", "fomm", {"model.weights_sha256": "00" * 32, "created": "2025-01-01T00:00:00Z"}, l1=0.3)
    add("paper", "fomm", {"model.preset": "paper"}, l1=0.4)
    assert [row.run_id for row in only(boards(store)).ranked] == ["new", "else", "paper"]


def test_predictions_stand_apart(store, add):
    add("a", "fomm")
    add("b", "theirs", {"source": "predictions"})
    assert models(only(boards(store)).rows) == ["fomm"]
    assert models(only(boards(store, "predictions")).rows) == ["theirs"]


def test_filters(store, add):
    add("a", "fomm")
    add("b", "fomm", {"protocol.task": "cross-id", "protocol.id": "cross-id@1", "dataset.name": "other"})
    assert [b.task for b in boards(store)] == ["cross-id", "same-id"]
    assert only(boards(store, filters=Filters(task="cross-id@1"))).task == "cross-id"
    assert only(boards(store, filters=Filters(task="same-id"))).dataset == "portraits"
    assert only(only(boards(store, filters=Filters(dataset="other", metric="csim"))).columns).metric == "csim"
    assert boards(store, filters=Filters(task="same-id", dataset="other")) == []
    with pytest.raises(UserError, match="unknown task 'crossid': did you mean cross-id"):
        boards(store, filters=Filters(task="crossid"))
    with pytest.raises(UserError, match="unknown metric 'cism': did you mean csim"):
        boards(store, filters=Filters(metric="cism"))
    with pytest.raises(UserError, match="unknown dataset 'portrait'"):
        boards(store, filters=Filters(dataset="portrait"))
    with pytest.raises(UserError, match="has no such rows yet"):
        boards(store, "predictions", Filters(dataset="portraits"))


def test_reported_numbers_keep_their_evidence(store):
    rows = published(store, Filters(task="same-id", dataset="VoxCeleb2"))
    assert {(row["paper"], row["value"]) for row in rows if row["model"] == "fs-vid2vid" and row["metric"] == "L1"} == {
        ("OSFV (arXiv 2011.15126v3)", 17.1)
    }
    everything = published(store)
    assert all(row["unverified"] == (row["evidence"] == "memory") for row in everything)
    assert {row["unverified"] for row in everything} == {True, False}


def test_exports_say_the_same(store, add):
    add("t", "truth", l1=0.0)
    add("a", "fomm", csim=None)
    add("b", "os|fv <b>*x*</b>", l1=0.05)
    found = boards(store)
    nested = only(json.loads(export.to_json(found)))
    lines = list(csv.DictReader(io.StringIO(export.to_csv(found))))
    assert len(lines) == 9
    for row in nested["rows"]:
        mine = [line for line in lines if line["run_id"] == row["run_id"]]
        for column, cell, line in zip(nested["columns"], row["cells"], mine, strict=True):
            assert line["signature"] == column["signature"]
            assert line["mean"] == ("" if cell["mean"] is None else str(cell["mean"]))
            assert line["reason"] == (cell["reason"] or "")
        assert "folder" not in row
        assert row["ranked"] == (row["kind"] == "model")
    markdown = export.to_markdown(found)
    assert "| os\\|fv &lt;b>\\*x\\*&lt;/b> mini | **0.050** [0.050, 0.050] |" in markdown
    assert "NULL (1)" in markdown
    assert "(1) no value: 2 failed of 2 samples: no face found (2)" in markdown
    assert export.to_csv([]).strip() == ""


def test_a_board_prints_with_notes_and_signatures(store, add, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")  # test runners set it to the width of their own terminal
    add("t", "truth", l1=0.0)
    add("a", "fomm", csim=None)
    add("b", "osfv", l1=0.05)
    print_board(only(boards(store)))
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0].startswith("same-id@1 on portraits@fefefefe · 4 pairs")
    assert lines[1].split()[:3] == ["model", "l1", "↓"]
    assert lines[3].startswith("(truth)")
    assert lines[4] == ""
    assert lines[5].split()[:4] == ["osfv", "mini", "0.050*", "[0.050,"]
    assert "NULL" in lines[6]
    assert "(1) no value: 2 failed of 2 samples: no face found (2)" in out
    assert "csim|arcface-r50@1a2b3c4d|256px|pairs:4@cdcdcdcd|frames:6|same-id@1|portraits@fefefefe" in out


def test_plain_shows_what_would_steer_a_terminal():
    assert plain("a\x1b[2J\u202eb\r\n\u2066c\u200b") == "a\\x1b[2J\\u202eb\\r\\n\\u2066c\\u200b"
    assert plain("é中🙂") == "é中🙂"
    assert len(plain("x" * 10_000)) == 48


@pytest.mark.parametrize(
    ("largest", "printed"),
    [
        (0.00412345, "0.00412"),
        (0.0412345, "0.0412"),
        (0.71345, "0.713"),
        (5.3234, "5.32"),
        (24.3666, "24.37"),
        (1234.5, "1234"),
    ],
)
def test_values_are_printed_as_papers_do(store, add, largest, printed):
    add("t", "truth", l1=123456.0)  # decides nothing
    add("a", "fomm", l1=largest)
    board = only(boards(store))
    assert value(board.ranked[0].cells[0], decimals(board, 0)) == printed


def test_means_on_a_board_are_those_of_the_samples(store, tmp_path):
    samples = make_samples(persons=3, frames=4, lost=(2,))
    store.ingest(make_run(tmp_path / "a", samples=samples))
    board = only(boards(store))
    for column, cell in zip(board.columns, board.rows[0].cells, strict=True):
        values = [s.value for s in samples if s.metric == column.metric and s.value is not None]
        assert cell.mean == pytest.approx(sum(values) / len(values), rel=1e-14)
        assert cell.n_ok == len(values)


def test_a_wide_board_is_printed_in_tables_that_fit(store, add, capsys, monkeypatch):
    add("a", "fomm")
    add("b", "osfv", l1=0.2)
    board = only(boards(store))
    sizes = {}
    for width in (60, 200):
        monkeypatch.setenv("COLUMNS", str(width))
        print_board(board)
        lines = capsys.readouterr().out.splitlines()
        table = lines[1 : lines.index("rows in parentheses are calibration, not ranked; * best of the ranked rows")]
        sizes[width] = len([line for line in table if line.startswith("model")])
        assert max(map(len, table)) <= width
        assert [line.split()[0] for line in table if line.startswith(("fomm", "osfv"))] == ["fomm", "osfv"] * sizes[
            width
        ]
        assert {name for line in table if line.startswith("model") for name in line.split()} >= {"l1", "psnr", "csim"}
    assert sizes[200] == 1 < sizes[60]


def test_the_split_that_was_run_is_said(store, add, capsys):
    add("a", changes={"protocol.split": "test"})
    board = only(boards(store))
    print_board(board)
    assert "4 pairs of the test split" in capsys.readouterr().out
    assert export.flat([board])[0]["split"] == "test"


def test_a_model_that_fails_hides_no_digit_of_the_others(store, add):
    for run, model, l1 in (("a", "fomm", 0.0201), ("b", "osfv", 0.0214), ("c", "psp", 1.0)):
        add(run, model, l1=l1)
    board = only(boards(store))
    assert [value(row.cells[0], decimals(board, 0)) for row in board.ranked] == ["0.0201", "0.0214", "1.0000"]
