"""Names that somebody else chose, in what `published`, `compare` and `reproduction` print: text, on one line."""

import csv
import io
import json
import unicodedata

import pytest
from click.testing import CliRunner

from leaderboard.cli import main
from leaderboard.records import Sample
from tests.leaderboard.factory import METRICS, make_run, make_samples

HTML = "<script>alert(1)</script>"
STEERING = "\x1b]0;owned\x07\x1b[2J\u202eevil\u200b\x9b31m\nsecond line\r\u2028third"
LATEX = "\\input{/etc/passwd}"
FORMULA = "=HYPERLINK(1)"
HOSTILE = f"{FORMULA} {STEERING} {LATEX} {HTML} " + "A" * 10_000
WIDEST = 2500  # characters of any line: several reasons of 300 at most
INVISIBLE = "\u200b"  # of which a name may have some: they move nothing
PAPER = "osfv-2021"


@pytest.fixture(scope="module")
def call(tmp_path_factory):
    """Two runs of hostile name, dataset, preset, suite, networks, unit and reasons, one of a published question, and a
    paper whose card and numbers are hostile too, as if somebody had handed in either."""
    folder = tmp_path_factory.mktemp("hostile")
    metrics = [metric.model_dump(mode="json") for metric in METRICS]
    metrics[0] |= {"unit": STEERING, "description": HOSTILE}
    named = {"dataset.name": HOSTILE, "suite": HOSTILE, "model.preset": HOSTILE, "metrics": metrics}
    network = {"name": HOSTILE, "sha256": "a" * 64, "licence": HOSTILE}
    named["evaluators"] = {"identity": network}
    samples = make_samples(0.7, seed=2, persons=3)
    lost = [Sample("p", "c", HOSTILE, i, "l1", None, "failed", HOSTILE) for i in range(2)]
    make_run(folder / "runs" / "a", model=HOSTILE, samples=[*make_samples(0.5, persons=3), *lost], changes=named)
    make_run(folder / "runs" / "b", model=f"b{HOSTILE}", samples=samples, changes=named)
    other = named | {"protocol.id": HOSTILE, "created": "2031-01-01T00:00:00.000+00:00"}
    make_run(folder / "runs" / "c", model=HOSTILE, samples=samples, changes=other)
    make_run(folder / "runs" / "d", model=f"b{HOSTILE}", samples=samples, changes=other)
    here = {"dataset.name": f"TalkingHead-1KH {STEERING}", "suite": "paper", "model.preset": STEERING}
    here["evaluators"] = {"identity": network}
    make_run(folder / "runs" / "here", model="osfv", samples=samples, changes=here)
    db = folder / "board.duckdb"

    def run(*arguments: str):
        return CliRunner().invoke(main, ["--db", str(db), *arguments])

    assert run("ingest", str(folder / "runs")).exit_code == 0
    return run


def spoil(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every text that a card or a paper's number has goes on with hostile text, as far as names are not looked up."""
    from leaderboard.store import Store

    rows = Store.rows

    def hostile(store, query, *arguments):
        found = rows(store, query, *arguments)
        for row in found:
            if "FROM published ORDER" in query:
                row |= {key: f"{row[key] or ''}{STEERING}" for key in ("note", "scale")}
            elif "FROM papers" in query:
                card = json.loads(row["card"])
                card |= {key: f"{card[key]}{STEERING}" for key in ("title", "venue", "link", "evidence")}
                card["protocol"] = {key: f"{known}{STEERING}" for key, known in card["protocol"].items()}
                row["card"] = json.dumps(card)
        return found

    monkeypatch.setattr(Store, "rows", hostile)


def check(printed: str, but: str = "") -> None:
    steering = {c for c in printed if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")} - {"\n", *but}
    assert not steering
    for line in printed.splitlines():
        assert not line.startswith(("second line", "third"))
        assert len(line) < WIDEST, line[:80]


def test_compare_prints_names_as_text(call):
    shown = call("compare", "a", "b", "--resamples", "200")
    assert shown.exit_code == 0, shown.output
    check(shown.stdout)
    assert "csim" in shown.stdout
    apart = call("compare", "a", "here")
    assert apart.exit_code == 0, apart.output
    check(apart.stdout)
    assert "cannot be ranked" in apart.stdout
    both = call("compare", HOSTILE, f"b{HOSTILE}", "--resamples", "200")
    assert both.exit_code == 2
    assert "were all run on" in both.stderr
    check(both.stderr, INVISIBLE)
    assert both.stderr.count("\n") == 1
    of_model = call(
        "compare", HOSTILE, f"b{HOSTILE}", "--dataset", HOSTILE, "--task", "same-id@1", "--resamples", "200"
    )
    assert of_model.exit_code == 0, of_model.output
    check(of_model.stdout)


def test_names_in_errors_are_text(call):
    for arguments in (("compare", STEERING, "a"), ("compare", "a", "nobody"), ("published", "--paper", STEERING)):
        shown = call(*arguments)
        assert shown.exit_code == 2
        check(shown.stderr, INVISIBLE)
        assert shown.stderr.count("\n") == 1
        assert "third" in shown.stderr or "nobody" in shown.stderr


def test_reproduction_prints_names_as_text(call, monkeypatch):
    for _ in range(2):
        shown = call("reproduction")
        assert shown.exit_code == 0, shown.output
        assert "osfv" in shown.stdout
        assert "\\x1b]0;owned" in shown.stdout
        check(shown.stdout)
        spoil(monkeypatch)


def test_papers_are_printed_as_text(call, monkeypatch):
    spoil(monkeypatch)
    asked = [("published",), ("published", "--paper", PAPER), ("show", "--source", "reported")]
    asked.append(("published", "--model", "OSFV", "--metric", "CSIM"))
    for arguments in asked:
        shown = call(*arguments)
        assert shown.exit_code == 0, (arguments, shown.output)
        assert "\\x1b]0;owned" in shown.stdout, arguments
        check(shown.stdout)


def test_machines_get_the_names_as_they_are(call):
    for arguments in (("compare", "a", "b", "--resamples", "200"), ("reproduction",)):
        text = call(*arguments, "--json").stdout
        json.loads(text)
        assert "\x1b" not in text
    found = json.loads(call("compare", "a", "here", "--json").stdout)
    assert any(STEERING in reason for beside in found["side_by_side"] for reason in beside["reasons"])
    exported = list(csv.DictReader(io.StringIO(call("export", "--format", "csv").stdout, newline="")))
    assert {row["model"] for row in exported} == {f"'{HOSTILE}", f"b{HOSTILE}", "osfv"}
    assert not any(cell.startswith(("=", "+", "@")) for row in exported for cell in row.values())
