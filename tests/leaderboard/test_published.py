import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

import leaderboard
from curate.errors import UserError
from leaderboard import published
from leaderboard.cli import main
from leaderboard.published.cards import ASPECTS, parse, read_card
from leaderboard.published.load import FOLDER, read_rows
from leaderboard.published.metrics import NAMES, psnr_ceiling

FILES = sorted(FOLDER.glob("*.csv"))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with leaderboard.open(tmp_path_factory.mktemp("papers") / "board.duckdb") as opened:
        yield opened


def call(*arguments):
    return CliRunner().invoke(main, ["--db", "/nonexistent/b.duckdb", "published", *arguments], catch_exceptions=False)


OSFV_1 = """\
            VoxCeleb2                                        TalkingHead-1KH
model        L1 ↓  PSNR ↑  SSIM ↑  MS-SSIM ↑   FID ↓  AKD ↓   L1 ↓  PSNR ↑  SSIM ↑  MS-SSIM ↑  FID ↓  AKD ↓
----------  -----  ------  ------  ---------  ------  -----  -----  ------  ------  ---------  -----  -----
fs-vid2vid  17.10   20.36    0.71          -   85.76   3.41  15.18   20.94    0.75          -  63.47  11.07
FOMM        12.66   23.25    0.77       0.83   73.71   2.14  12.30   23.67    0.79       0.83  55.35   3.76
FOMM-L          -       -       -          -       -      -  12.81   23.13    0.78          -  60.58   4.04
Bi-layer    23.95   16.98    0.66       0.66  203.36   5.38      -       -       -          -      -      -
OSFV        10.74   24.37    0.80       0.85   69.13   2.07  10.67   24.20    0.81       0.84  52.08   3.74
"""


def test_a_table_is_printed_as_it_stands_in_the_paper():
    out = call("--paper", "osfv", "--table", "1").stdout
    assert out.split("\n", 1)[1].startswith(OSFV_1)
    assert "CVPR 2021" in out
    (line,) = [line for line in call("--paper", "osfv", "--table", "6").stdout.splitlines() if "adaptive" in line]
    assert line.split() == ["OSFV-adaptive", "81.16", "53.03", "25", "102", "45"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_number_of_a_paper_stands_in_one_cell_of_its_tables(store, path):
    with path.open(newline="") as handle:
        lines = list(csv.DictReader(handle))
    tables = published.tables(store, path.stem)
    cells = [cell for table in tables for row in table.cells for cell in row if cell != "-"]
    assert sorted(map(float, cells)) == sorted(float(line["value"]) for line in lines)
    for table in tables:
        memory = [line for line in lines if line["table"] == table.layout.number and line["evidence"] == "memory"]
        assert table.verified == (not memory)
        known = {(line["model"], line["dataset"], line["metric"], float(line["value"])) for line in lines}
        model = table.labels.index("model")
        for names, row in zip(table.names, table.cells, strict=True):
            for (dataset, metric), cell in zip(table.columns, row, strict=True):
                assert cell == "-" or (names[model], dataset, metric.rstrip(" ↑↓"), float(cell)) in known


def test_the_numbers_are_those_of_the_facts(store):
    facts = Path(__file__).parents[3] / "shared" / "facts" / "published_results.csv"
    if not facts.is_file():
        pytest.skip("no ../shared/facts here")
    with facts.open(newline="") as handle:
        wanted = [tuple(line.values()) for line in csv.DictReader(handle)]
    found = []
    for path in FILES:
        with path.open(newline="") as handle:
            found += [tuple(line.values()) for line in csv.DictReader(handle)]
    assert sorted(found) == sorted(wanted)


def test_two_papers_on_one_question_stand_side_by_side_with_the_reasons(store):
    found = published.side_by_side(store, model="fomm", metric="psnr", dataset="talkinghead-1kh")
    assert [(row["paper_id"], row["value"]) for row in found.rows] == [
        ("osfv-2021", 23.67),
        ("liveportrait-2024", 31.0681),
    ]
    text = "\n".join(found.reasons)
    assert "compared at 256 x 256 pixels (liveportrait-2024)" in text
    assert "of both papers is unknown: crop, frames, how PSNR is averaged" in text
    assert "more than the 27.6 dB that its own L1 of 0.0419 allows" in text
    out = call("--model", "FOMM", "--metric", "PSNR", "--dataset", "TalkingHead-1KH").stdout
    assert "23.67" in out
    assert "31.0681" in out
    assert "not ranked" in out


def test_only_exact_conversions_are_made_and_shown_as_such(store):
    rows = published.rows(store)
    converted = {(row["metric"], row["scale"], row["converted_scale"]) for row in rows if row["converted"] is not None}
    assert converted == {("L1", "0-255", "0-1"), ("SSIM", "percent", "0-1")}
    (fomm,) = published.rows(store, paper="osfv-2021", table="1", model="FOMM", metric="L1", dataset="TalkingHead-1KH")
    assert (fomm["value"], fomm["converted"]) == (12.3, 12.3 / 255)
    assert "0.04824 (0-1, converted)" in call("--model", "FOMM", "--metric", "L1").stdout


def test_numbers_from_memory_are_marked(store):
    assert {row["evidence"] for row in published.rows(store) if not row["verified"]} == {"memory"}
    found = published.side_by_side(store, model="FOMM", metric="AKD", dataset="VoxCeleb1")
    assert sum("unverified" in reason for reason in found.reasons) == 3
    assert "UNVERIFIED, never ranked" in call("--paper", "fomm-2019").stdout


def test_what_a_paper_says_of_its_table_comes_before_what_it_says_of_all(store):
    card = published.find(published.cards(store), "osfv")
    assert card.says("resolution", "6") == "512 x 512 pixels"
    assert card.says("resolution", "1") == "not looked up in the paper"
    assert card.says("dataset", "3") == "not stated in the paper"
    assert card.known["scale of L1"].endswith("[0, 255]")


def test_cards_say_where_to_read_and_name_known_metrics(store):
    for card in published.cards(store):
        assert card.link.startswith("https://arxiv.org/abs/")
        assert {metric for table in card.tables for metric in table.metrics} <= set(NAMES)
        metrics = {metric for table in card.tables for metric in table.metrics}
        needed = {"crop", "size", "pairs", "frames"} | {"scale of L1" for m in metrics if m == "L1"}
        assert needed <= {*card.known, *(ASPECTS[key] for table in card.tables for key in table.protocol)}
        assert card.title in call().stdout


def test_names_that_do_not_exist_get_suggestions(store):
    with pytest.raises(UserError, match="unknown paper 'osvf-2021': did you mean osfv-2021"):
        published.tables(store, "osvf-2021")
    with pytest.raises(UserError, match="osfv-2021 has no table '9': it has 1, 2"):
        published.tables(store, "osfv", "9")
    assert published.find(published.cards(store), "LivePortrait").id == "liveportrait-2024"
    with pytest.raises(UserError, match="may be marionette-2020 or mcnet-2023"):
        published.find(published.cards(store), "m")
    for wrong in (["--model", "FOMM"], ["--table", "1"], ["--dataset", "x"]):
        assert call(*wrong).exit_code == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("venue"), "does not say 'venue'"),
        (lambda c: c.update(colour="red"), "says 'colour', which no card has"),
        (lambda c: c["protocol"].update(weather="fine"), "'weather' is no aspect of a protocol"),
        (lambda c: c["not_stated"].append("crop"), "'crop' is said to be both known and not"),
        (lambda c: c["tables"][0].pop("metrics"), "does not say 'metrics'"),
        (lambda c: c["tables"][0].update(bold=True), "says 'bold', which no card has"),
    ],
)
def test_cards_are_checked(store, change, message):
    card = json.loads(store.rows("SELECT card FROM papers WHERE paper_id = 'fomm-2019'")[0]["card"])
    change(card)
    with pytest.raises(UserError, match=message):
        parse("fomm-2019", card, "fomm-2019.toml")


def test_a_number_without_a_place_in_the_card_is_refused():
    path = FOLDER / "fomm-2019.csv"
    card = read_card(path.with_suffix(".toml"))
    table = replace(card.tables[0], models=("X2Face", "FOMM"))
    with pytest.raises(UserError, match="the card's table '3' has no model 'Monkey-Net'"):
        read_rows(path, replace(card, tables=(table,)))


def test_the_highest_psnr_of_an_error_is_that_of_equal_frames():
    assert psnr_ceiling(0.1) == pytest.approx(20)


def test_machines_get_tables_and_cards_as_json():
    (table,) = json.loads(call("--paper", "osfv", "--table", "2", "--json").stdout)
    assert table["columns"][0] == ["VoxCeleb2", "FID ↓"]
    assert table["cells"][2] == ["55.64", "0.753", "46.99", "0.777"]
    assert len(json.loads(call("--json").stdout)) == len(FILES)
