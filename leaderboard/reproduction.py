"""Published against measured: the same model, task, dataset and metric, the gap, and what differs of the protocols.

Names are matched without case and punctuation; a measured dataset may be a named part of the published one
(`talkinghead-1kh-val` of TalkingHead-1KH). A metric that a surrogate network computed (`akd-builtin`) is shown beside
the paper's and said to be another. A gap is a hint and no verdict: two protocols are never known to be the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leaderboard.protocols import reference
from leaderboard.published import Card, cards, rows
from leaderboard.published.metrics import name as metric_name
from leaderboard.store import Store

ALIASES = {"rar": "rotateandrender", "rotateandrenderfrontalisation": "rotateandrender"}
LEAST = 4  # characters of a published dataset's name that a measured one may begin with


@dataclass(frozen=True)
class Match:
    """A published number and a measured one of the same name. `gap` is measured - published, both on `scale`."""

    paper: str
    paper_table: str | None
    model: str
    task: str
    dataset: str | None
    metric: str  # as the paper prints it
    published: float
    scale: str | None
    converted: bool  # from the paper's scale, exactly
    verified: bool  # somebody has read the published number in the paper
    run_id: str
    measured_model: str
    measured_dataset: str
    measured_metric: str
    measured: float
    ci_low: float | None
    ci_high: float | None
    gap: float
    relative: float | None  # gap / published
    reasons: tuple[str, ...]  # what differs, or is not known to be the same


def reproduction(
    store: Store, *, model: str | None = None, dataset: str | None = None, paper: str | None = None
) -> list[Match]:
    """All matches of the latest measured runs with published numbers, paper by paper; names match without case."""
    runs = store.rows("SELECT * FROM standings WHERE kind = 'model' ORDER BY run_id, ordinal")
    found = matches(store, runs, [card for card in cards(store) if paper in (None, card.id)])
    return [
        match
        for match in found
        if (model is None or _plain(model) in (_plain(match.model), _plain(match.measured_model)))
        and (dataset is None or _plain(dataset) in (_plain(match.dataset or ""), _plain(match.measured_dataset)))
    ]


def matches(store: Store, measured: Sequence[Mapping[str, Any]], papers: Sequence[Card]) -> list[Match]:
    """The numbers of these papers that rows of the view `standings` speak of too, in the papers' order."""
    of_papers = {card.id: card for card in papers}
    by_model: dict[str, list[Mapping[str, Any]]] = {}
    for row in measured:
        if row["mean"] is not None:
            by_model.setdefault(_model(row["model"]), []).append(row)
    return [
        _match(of_papers[number["paper_id"]], number, row)
        for number in rows(store)
        if number["paper_id"] in of_papers
        for row in by_model.get(_model(number["model"]), [])
        if _same_question(number, row)
    ]


def _plain(name: str) -> str:
    """A name without case and punctuation."""
    return "".join(char for char in name.casefold() if char.isalnum())


def _model(name: str) -> str:
    return ALIASES.get(_plain(name), _plain(name))


def _same_question(number: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    published, measured = _plain(number["dataset"] or ""), _plain(row["dataset"])
    wanted = metric_name(number["metric"]).measured
    return (
        number["task"] == row["task"]
        and (published == measured or (len(published) >= LEAST and measured.startswith(published)))
        and bool(wanted)
        and row["metric"] in (wanted, f"{wanted}-{row['suite']}")
    )


def _match(card: Card, number: Mapping[str, Any], row: Mapping[str, Any]) -> Match:
    converted = number["converted"] is not None
    value = number["converted"] if converted else number["value"]
    gap = row["mean"] - value
    return Match(
        paper=card.id,
        paper_table=number["paper_table"],
        model=number["model"],
        task=number["task"],
        dataset=number["dataset"],
        metric=number["metric"],
        published=value,
        scale=number["converted_scale"] if converted else number["scale"],
        converted=converted,
        verified=number["verified"],
        run_id=row["run_id"],
        measured_model=f"{row['model']} {row['preset']}",
        measured_dataset=row["dataset"],
        measured_metric=row["metric"],
        measured=row["mean"],
        ci_low=row["ci_low"],
        ci_high=row["ci_high"],
        gap=gap,
        relative=gap / abs(value) if value else None,
        reasons=tuple(_reasons(card, number, row)),
    )


def _reasons(card: Card, number: Mapping[str, Any], row: Mapping[str, Any]) -> list[str]:
    """What of the protocols differs or may differ, the gravest first."""
    known = metric_name(number["metric"])
    found = []
    if row["source"] == "predictions":
        found.append("the frames were handed in, not made here")
    if row["metric"] != known.measured:
        found.append(f"another metric: {row['metric']} is of {row['networks']} instead of the paper's networks")
    if row["preset"] != "paper":
        found.append(f"the measured model is of size {row['preset']!r}, not the paper's")
    if _plain(row["dataset"]) != _plain(number["dataset"] or ""):
        found.append(f"datasets: {row['dataset']} here, {number['dataset']} in the paper")
    here = {
        "resolution": f"compared at {row['size']} px",
        "pairs": f"{row['n_pairs']} pairs, list {row['pair_list_sha256'][:8]}",
        "frames": f"up to {row['frames_per_clip']} frames of a clip",
    }
    for aspect in known.about:
        here[aspect] = row["networks"] if aspect == "networks" else row["description"]
    here["what it is compared with"] = reference(row["signature"])
    for aspect, ours in here.items():
        if aspect == "what it is compared with":
            if ours not in ("", "driving"):
                found.append(f"compared with: the {ours} here")
        else:
            found.append(f"{aspect}: {ours} here; {card.says(aspect, number['paper_table'])} ({card.id})")
    if not number["verified"]:
        found.append("nobody has read the published number in the paper (unverified)")
    return found
