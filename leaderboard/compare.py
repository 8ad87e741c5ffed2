"""Runs and papers against each other: differences where the question was the same, in words why not where it was not.

Runs are compared metric by metric, on the frames that both have a value for, if and only if the metric's signatures are
equal. Papers have no samples: their numbers stand side by side, with what differs or is not known of their protocols.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from curate.errors import UserError, unknown
from leaderboard.aggregate import LEVEL
from leaderboard.common_frames import Common, all_pairs, read_values
from leaderboard.paired import FEW, RESAMPLES, holm, tie_groups
from leaderboard.protocols import differences
from leaderboard.published import Card, cards, doubts, incomparable, rows
from leaderboard.reproduction import Match, matches
from leaderboard.store import Store


@dataclass(frozen=True)
class Difference:
    """One metric of two runs, a - b, on the frames that both have. None: no interval, `reason` says why."""

    metric: str
    signature: str
    unit: str
    higher_is_better: bool
    a: str
    b: str
    mean_a: float | None  # over the shared frames
    mean_b: float | None
    difference: float | None
    ci_low: float | None
    ci_high: float | None
    p: float | None
    p_holm: float | None  # corrected for all tests of this comparison
    effect: float | None  # Cohen's d of the persons' paired differences
    better: float | None  # share of persons with whom a is better
    n_frames: int
    n_persons: int
    only_a: int  # frames that only a has a value for: they take no part
    only_b: int
    reason: str | None

    @property
    def verdict(self) -> str:
        """Which is better, or that the data do not tell."""
        if self.p_holm is None or self.difference is None:
            return "no test"
        if self.p_holm >= 1 - LEVEL:
            return "tie"
        return self.a if (self.difference > 0) == self.higher_is_better else self.b


@dataclass(frozen=True)
class Ties:
    """The runs in one metric, the best first; those of one group cannot be told apart."""

    metric: str
    signature: str
    groups: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Reported:
    """Two numbers of one metric of which no order can be made: of two papers, or of a run under another protocol."""

    metric: str
    a: str
    b: str
    value_a: float
    value_b: float
    scale: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """What `compare` found."""

    names: tuple[str, ...]
    differences: tuple[Difference, ...]
    ties: tuple[Ties, ...]
    side_by_side: tuple[Reported, ...]
    notes: tuple[str, ...]


def compare(
    store: Store,
    *names: str,
    task: str | None = None,
    dataset: str | None = None,
    metric: str | None = None,
    resamples: int = RESAMPLES,
) -> Comparison:
    """Compare two or more runs (by id, or by model: its latest run) or papers (by id).

    Models are taken where all of them were run, on one question; `task` (or protocol) and `dataset` choose among
    several. Raises UserError for an unknown name, and for models that share several questions or none.
    """
    if len(names) < 2 or len(set(names)) < len(names):
        raise UserError("give two or more different runs, models or papers to compare")
    papers = {card.id: card for card in cards(store)}
    standings = store.rows("SELECT * FROM all_standings ORDER BY ordinal, run_id")
    fits = [r for r in standings if dataset in (None, r["dataset"]) and task in (None, r["task"], r["protocol"])]
    of_runs = [name for name in names if name not in papers]
    labels = dict(zip(_choose(of_runs, standings, fits), of_runs, strict=True))
    if len(labels) < len(of_runs):
        raise UserError(f"two of {_names(of_runs)} are the same run")
    by_run = {run: [r for r in standings if r["run_id"] == run and metric in (None, r["metric"])] for run in labels}
    shared, apart = _columns(by_run)
    found = _differences(store, shared, labels, resamples)
    wanted = [papers[name] for name in names if name in papers]
    beside = [_apart(*pair, labels) for pair in apart if None not in (pair[0]["mean"], pair[1]["mean"])]
    beside += _papers(store, wanted, task, dataset, metric)
    beside += [_against(match, labels) for run in by_run.values() for match in matches(store, run, wanted)]
    return Comparison(names, tuple(found), tuple(_ties(found, shared, labels)), tuple(beside), tuple(_notes(found)))


def _choose(names: Sequence[str], standings: Sequence[dict[str, Any]], fits: Sequence[dict[str, Any]]) -> list[str]:
    """The id of one run for each name, all of one question where any name is a model's."""
    ids = {r["run_id"] for r in standings}
    candidates = []
    for name in names:
        if name in ids:
            candidates.append([r for r in standings if r["run_id"] == name])
            continue
        of_model = [r for r in fits if r["latest"] and name in (r["model"], f"{r['model']}:{r['preset']}")]
        if not of_model:
            known = {r["model"][:SHOWN] for r in fits} | {*list(ids)[:20]}
            raise unknown("run, model or paper", name[:SHOWN], known)
        candidates.append(of_model)
    if not candidates:
        return []
    questions = [{_question(r): r["run_id"] for r in found} for found in candidates]
    common = set.intersection(*(set(q) for q in questions))
    if len(common) > 1:
        texts = sorted({f"{q[1][:SHOWN]} on {q[2][:SHOWN]} ({q[5]} pairs, {q[6]} px)" for q in common})
        raise UserError(f"{_names(names)} were all run on {'; '.join(texts)}: choose with --task and --dataset")
    if common:
        question = common.pop()
        return [q[question] for q in questions]
    return [max(found, key=lambda r: (r["created"], r["run_id"]))["run_id"] for found in candidates]


def _names(names: Sequence[str]) -> str:
    return ", ".join(name[:SHOWN] for name in names)


def _question(row: Mapping[str, Any]) -> tuple[Any, ...]:
    fields = ("source", "protocol", "dataset", "dataset_fingerprint", "pair_list_sha256", "n_pairs", "size")
    return tuple(row[name] for name in (*fields, "frames_per_clip", "shots", "suite"))


Row = dict[str, Any]
SHOWN = 80  # characters of a name in an error
NOTHING = Common(None, None, None, 0, 0, 0)  # of a metric that no run has a frame of


def _columns(by_run: Mapping[str, Sequence[Row]]) -> tuple[dict[str, list[Row]], list[tuple[Row, Row]]]:
    """Signature -> rows of the runs that have it, two or more; and pairs of rows of one metric that share none."""
    shared: dict[str, list[Row]] = {}
    for rows_of_run in by_run.values():
        for row in rows_of_run:
            shared.setdefault(row["signature"], []).append(row)
    apart = [
        (one, other)
        for a, b in combinations(by_run.values(), 2)
        for one in a
        for other in b
        if one["metric"] == other["metric"] and one["signature"] != other["signature"]
    ]
    return {signature: found for signature, found in shared.items() if len(found) > 1}, apart


def _differences(
    store: Store, shared: Mapping[str, list[Row]], labels: Mapping[str, str], resamples: int
) -> list[Difference]:
    """All pairs of runs in all shared columns, corrected together."""
    runs = list(dict.fromkeys(row["run_id"] for found in shared.values() for row in found))
    by_metric = read_values(store, runs) if runs else {}
    made: list[tuple[Row, Row, Common]] = []
    for found in shared.values():
        pairs = list(combinations(found, 2))
        values = by_metric.get(found[0]["metric"])
        columns = [runs.index(row["run_id"]) for row in found]
        results = [NOTHING] * len(pairs) if values is None else all_pairs(values, columns, resamples)
        made += [(one, other, common) for (one, other), common in zip(pairs, results, strict=True)]
    adjusted = holm([common.result.p if common.result else None for _, _, common in made])
    return [_difference(*parts, p_holm, labels) for parts, p_holm in zip(made, adjusted, strict=True)]


def _difference(one: Row, other: Row, common: Common, p_holm: float | None, labels: Mapping[str, str]) -> Difference:
    result, mean_a, mean_b = common.result, common.mean_a, common.mean_b
    reason = None
    if result is None:  # one value of the whole set, or not a frame in common
        mean_a, mean_b = one["mean"], other["mean"]
        of_sets = one["n_persons"] == 0 and mean_a is not None
        reason = "one value of all frames together: no interval" if of_sets else "no frame in common"
    elif result.n_persons == 1:
        reason = "one person only: no interval"
    elif result.n_persons < FEW:
        reason = f"{result.n_persons} persons only: the interval is too narrow"
    difference = result.difference if result else None
    if difference is None and mean_a is not None and mean_b is not None:
        difference = mean_a - mean_b
    return Difference(
        metric=one["metric"],
        signature=one["signature"],
        unit=one["unit"],
        higher_is_better=one["higher_is_better"],
        a=labels[one["run_id"]],
        b=labels[other["run_id"]],
        mean_a=mean_a,
        mean_b=mean_b,
        difference=difference,
        ci_low=result.ci_low if result else None,
        ci_high=result.ci_high if result else None,
        p=result.p if result else None,
        p_holm=p_holm,
        effect=result.effect if result else None,
        better=(result.above if one["higher_is_better"] else 1 - result.above) if result else None,
        n_frames=common.n_frames,
        n_persons=result.n_persons if result else 0,
        only_a=common.only_a,
        only_b=common.only_b,
        reason=reason,
    )


def _ties(found: Sequence[Difference], shared: Mapping[str, list[Row]], labels: Mapping[str, str]) -> list[Ties]:
    """Groups per column, the runs ordered by their scores; none where there is no test."""
    made = []
    for signature, rows_of_column in shared.items():
        tests = {frozenset((d.a, d.b)): d for d in found if d.signature == signature}
        if any(d.p_holm is None for d in tests.values()):
            continue
        sign = -1 if rows_of_column[0]["higher_is_better"] else 1
        best_first = [labels[row["run_id"]] for row in sorted(rows_of_column, key=lambda row: sign * row["mean"])]

        def differ(one: str, other: str, tests: Mapping[frozenset[str], Difference] = tests) -> bool:
            return tests[frozenset((one, other))].verdict != "tie"

        made.append(Ties(rows_of_column[0]["metric"], signature, tie_groups(best_first, differ)))
    return made


def _apart(one: Row, other: Row, labels: Mapping[str, str]) -> Reported:
    """Two runs' values of one metric under two protocols."""
    a, b = labels[one["run_id"]], labels[other["run_id"]]
    return Reported(one["metric"], a, b, one["mean"], other["mean"], one["unit"], tuple(differences(one, other)))


def _papers(
    store: Store, wanted: Sequence[Card], task: str | None, dataset: str | None, metric: str | None
) -> list[Reported]:
    """What two of the papers report of one model, task, dataset and metric."""
    by_id = {card.id: card for card in wanted}
    numbers = [r for r in rows(store, task=task, dataset=dataset, metric=metric) if r["paper_id"] in by_id]
    made = []
    for one, other in combinations(numbers, 2):
        same = all(one[key] == other[key] for key in ("task", "dataset", "model", "metric"))
        if same and one["paper_id"] != other["paper_id"]:
            value_a, value_b = (r["value"] if r["converted"] is None else r["converted"] for r in (one, other))
            scale = one["converted_scale"] or one["scale"] or ""
            a, b = (f"{r['model']} in {r['paper_id']}, {r['dataset'] or 'no dataset named'}" for r in (one, other))
            why = (*incomparable(by_id, one, other), *doubts(store, one), *doubts(store, other))
            made.append(Reported(one["metric"], a, b, value_a, value_b, scale, why))
    return made


def _against(match: Match, labels: Mapping[str, str]) -> Reported:
    """A run's value beside the one that a paper reports of the same model."""
    a, b = labels[match.run_id], f"{match.model} in {match.paper}"
    return Reported(match.measured_metric, a, b, match.measured, match.published, match.scale or "", match.reasons)


def _notes(found: Sequence[Difference]) -> list[str]:
    """What a reader must know of the tests as a whole."""
    tests = sum(d.p is not None for d in found)
    notes = [f"{tests} tests, p-values corrected by Holm"] if tests else []
    if any(d.only_a or d.only_b for d in found):
        notes.append("frames that only one run has a value for take no part: a model that fails at hard frames gains")
    return notes
