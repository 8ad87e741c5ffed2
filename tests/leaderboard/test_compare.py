import json

import numpy as np
import pytest
from click.testing import CliRunner

import leaderboard
from curate.errors import UserError
from leaderboard.cli import main
from leaderboard.compare import compare
from leaderboard.records import MetricInfo, Sample
from leaderboard.reproduction import reproduction
from tests.leaderboard.factory import METRICS, make_run, make_samples


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    runs = {
        "good": {"samples": make_samples(0.8, seed=1, persons=8, lost=(0,))},
        "bad": {"samples": make_samples(0.6, seed=2, persons=8), "model": "osfv"},
        "same": {"samples": make_samples(0.8, seed=1, persons=8), "model": "marionette"},
        "large": {"samples": make_samples(0.8, seed=1), "changes": {"protocol.size": 512, "protocol.id": "same-id@2"}},
        "penalised": {"samples": make_samples(0.8, seed=1, persons=8, lost=(0,)), "model": "bilayer"},
        "here": {
            "samples": make_samples(0.8, seed=1),
            "changes": {"dataset.name": "TalkingHead-1KH val", "suite": "paper", "model.preset": "paper"},
        },
    }
    with leaderboard.open(folder / "board.duckdb") as opened:
        for name, fields in runs.items():
            opened.ingest(make_run(folder / name, **fields))
        opened.connection.execute("UPDATE runs SET failed_frames = 'penalise' WHERE run_id = 'penalised'")
        opened.connection.execute("UPDATE metrics SET penalty = -1 WHERE run_id = 'penalised' AND metric = 'csim'")
        yield opened


def one(found, metric):
    (difference,) = [d for d in found.differences if d.metric == metric]
    return difference


def test_runs_of_one_question_differ_on_the_frames_that_both_have(store):
    found = compare(store, "good", "bad", resamples=1000)
    csim = one(found, "csim")
    good = {(s.pair_id, s.frame): s.value for s in make_samples(0.8, 1, 8, lost=(0,)) if s.metric == "csim"}
    bad = {(s.pair_id, s.frame): s.value for s in make_samples(0.6, 2, 8) if s.metric == "csim"}
    both = [key for key, value in good.items() if value is not None]
    assert csim.n_frames == len(both) == 8 * 5
    assert (csim.only_a, csim.only_b, csim.n_persons) == (0, 8, 8)
    assert csim.difference == pytest.approx(np.mean([good[key] - bad[key] for key in both]))
    assert csim.mean_b == pytest.approx(np.mean([bad[key] for key in both]))
    assert csim.ci_low > 0.1
    assert csim.better == 1
    assert csim.verdict == "good"
    assert one(found, "l1").verdict == "good"  # lower is better there
    assert one(found, "l1").difference < 0
    assert any("frames that only one run has" in note for note in found.notes)


def test_p_values_are_corrected_for_all_tests_together(store):
    found = compare(store, "good", "bad", "same", resamples=1000)
    assert len(found.differences) == 9
    assert found.notes[0] == "9 tests, p-values corrected by Holm"
    least = min(d.p for d in found.differences)
    assert min(d.p_holm for d in found.differences) == pytest.approx(9 * least)
    (psnr,) = [ties for ties in found.ties if ties.metric == "psnr"]
    assert [set(group) for group in psnr.groups] == [{"good", "same"}, {"bad"}]


def test_a_protocol_that_penalises_counts_failed_frames(store):
    values = {d.a: d for d in compare(store, "penalised", "bad", metric="csim").differences}
    assert values["penalised"].n_frames == 8 * 6
    assert values["penalised"].mean_a < 0.8 - 1.5 / 6


def test_models_are_their_latest_runs_where_all_were_run(store):
    found = compare(store, "osfv", "marionette:mini", dataset="portraits", resamples=200)
    assert {(d.a, d.b) for d in found.differences} == {("osfv", "marionette:mini")}
    with pytest.raises(UserError, match="unknown run, model or paper 'osv': did you mean osfv"):
        compare(store, "osv", "fomm")
    with pytest.raises(UserError, match="two or more different"):
        compare(store, "good", "good")
    with pytest.raises(UserError, match="are the same run"):
        compare(store, "bad", "osfv")


def test_what_makes_runs_incomparable_is_told_in_words(store):
    found = compare(store, "good", "large")
    assert not found.differences
    csim = next(r for r in found.side_by_side if r.metric == "csim")
    assert set(csim.reasons) == {
        "versions of the protocol: same-id@1 against same-id@2",
        "compared at 256 px against 512 px",
    }
    (reasons,) = {r.reasons for r in compare(store, "good", "here").side_by_side}
    assert reasons == ("datasets: portraits against TalkingHead-1KH val",)


def test_a_run_beside_a_paper_and_two_papers(store):
    found = compare(store, "here", "osfv-2021")
    psnr = next(r for r in found.side_by_side if r.metric == "psnr")
    assert (psnr.a, psnr.b, psnr.value_b) == ("here", "FOMM in osfv-2021", 23.67)
    papers = compare(store, "osfv-2021", "liveportrait-2024", metric="PSNR", dataset="TalkingHead-1KH")
    assert (papers.side_by_side[0].value_a, papers.side_by_side[0].value_b) == (23.67, 31.0681)
    assert any("its own L1" in reason for reason in papers.side_by_side[0].reasons)
    l1 = compare(store, "osfv-2021", "liveportrait-2024", metric="L1").side_by_side[0]
    assert (l1.scale, l1.value_a) == ("0-1", 12.3 / 255)


def test_a_value_of_the_whole_set_has_a_difference_and_no_test(tmp_path):
    fid = MetricInfo(id="fd", unit="", higher_is_better=False, description="Distance of sets.")
    with leaderboard.open(tmp_path / "board.duckdb") as store:
        for name, value in (("a", 10.0), ("b", 12.5)):
            sample = Sample(pair_id=None, clip_id=None, person=None, frame=None, metric="fd", value=value, n=6)
            store.ingest(
                make_run(tmp_path / name, samples=[sample], changes={"metrics": [fid.model_dump()]}, model=name)
            )
        found = compare(store, "a", "b")
    (difference,) = found.differences
    assert (difference.difference, difference.verdict) == (-2.5, "no test")
    assert difference.reason == "one value of all frames together: no interval"
    assert found.ties == ()


def test_the_result_does_not_hang_on_the_order_of_rows(store, tmp_path):
    with leaderboard.open(tmp_path / "board.duckdb") as other:
        for name, samples in (("bad", make_samples(0.6, 2, 8)), ("good", make_samples(0.8, 1, 8, lost=(0,)))):
            folder = make_run(tmp_path / name, samples=samples, model={"bad": "osfv", "good": "fomm"}[name])
            other.ingest(folder)
        other.connection.execute("CREATE TABLE t AS FROM samples ORDER BY hash(value); DELETE FROM samples")
        other.connection.execute("INSERT INTO samples FROM t; DROP TABLE t")
        assert compare(other, "good", "bad").differences == compare(store, "good", "bad").differences


def test_reproduction_puts_published_beside_measured(store):
    found = reproduction(store, dataset="TalkingHead-1KH")
    assert {match.run_id for match in found} == {"here"}
    psnr = next(match for match in found if match.metric == "PSNR" and match.paper == "osfv-2021")
    (row,) = store.rows("SELECT mean FROM scores WHERE run_id = 'here' AND metric = 'psnr'")
    assert (psnr.published, psnr.measured, psnr.gap) == (23.67, row["mean"], row["mean"] - 23.67)
    assert psnr.relative == pytest.approx(psnr.gap / 23.67)
    assert "datasets: TalkingHead-1KH val here, TalkingHead-1KH in the paper" in psnr.reasons
    l1 = next(match for match in found if match.metric == "L1" and match.paper == "osfv-2021")
    assert (l1.converted, l1.published, l1.scale) == (True, 12.3 / 255, "0-1")
    assert reproduction(store, model="nobody") == []


def test_a_surrogate_network_is_another_metric(tmp_path):
    surrogate = METRICS[2].model_copy(update={"id": "csim-builtin"})
    samples = [Sample("p", "c", who, 0, "csim-builtin", 0.7) for who in ("ann", "bob")]
    samples = [Sample(**vars(s) | {"pair_id": s.person}) for s in samples]
    changes = {"dataset.name": "VoxCeleb2", "metrics": [surrogate.model_dump()]}
    changes |= {"protocol.task": "cross-id", "protocol.id": "cross-id@1"}
    with leaderboard.open(tmp_path / "board.duckdb") as store:
        store.ingest(make_run(tmp_path / "a", samples=samples, changes=changes))
        (match,) = reproduction(store)
    assert (match.metric, match.measured_metric) == ("CSIM", "csim-builtin")
    assert match.reasons[0].startswith("another metric: csim-builtin is of arcface-r50@1a2b3c4d")


def test_the_commands(store, tmp_path):
    store.connection.execute("CHECKPOINT")
    for name in ("good", "bad"):
        make_run(tmp_path / name, model=name, samples=make_samples(0.8 if name == "good" else 0.5, persons=8))
    db = ["--db", str(tmp_path / "b.duckdb")]
    call = CliRunner().invoke
    assert call(main, [*db, "ingest", str(tmp_path / "good"), str(tmp_path / "bad")]).exit_code == 0
    out = call(main, [*db, "compare", "good", "bad", "--metric", "csim", "--resamples", "500"]).stdout
    assert "best first, = where the data do not tell them apart: good > bad" in out
    found = json.loads(call(main, [*db, "compare", "good", "bad", "--json"]).stdout)
    assert [d["metric"] for d in found["differences"]] == ["l1", "psnr", "csim"]
    result = call(main, [*db, "reproduction"])
    assert (result.stdout, result.stderr.startswith("nothing to show")) == ("", True)
    papers = call(
        main, ["--db", str(tmp_path / "none"), "compare", "osfv-2021", "liveportrait-2024", "--metric", "PSNR"]
    )
    assert "23.67 FOMM in osfv-2021, TalkingHead-1KH | 31.0681 FOMM in liveportrait-2024" in papers.stdout
