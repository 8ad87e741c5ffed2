"""Cards and numbers of papers out of the store, and why two papers' numbers cannot be ranked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from curate.errors import UserError, unknown
from leaderboard.published.cards import ASPECTS, NOT_STATED, UNREAD, Card, parse
from leaderboard.published.metrics import name, psnr_ceiling
from leaderboard.store import Store

SHARED = ("dataset", "crop", "resolution", "pairs", "frames", "shots")  # aspects that every metric hangs on


def cards(store: Store) -> list[Card]:
    """The cards of all papers, the oldest first."""
    found = store.rows("SELECT paper_id, card FROM papers ORDER BY year, paper_id")
    return [parse(row["paper_id"], json.loads(row["card"]), row["paper_id"]) for row in found]


def find(among: Sequence[Card], paper: str) -> Card:
    """The card of this id, or of the only id or model that begins like it; `UserError` suggests others."""
    start = paper.casefold()
    exact = [card for card in among if start == card.id]
    near = exact or [card for card in among if card.id.startswith(start) or card.model.casefold() == start]
    if len(near) > 1:
        raise UserError(f"{paper!r} may be {' or '.join(card.id for card in near)}: name one of them")
    if not near:
        raise unknown("paper", paper, [card.id for card in among])
    return near[0]


def rows(
    store: Store,
    *,
    paper: str | None = None,
    table: str | None = None,
    task: str | None = None,
    dataset: str | None = None,
    model: str | None = None,
    metric: str | None = None,
) -> list[dict[str, Any]]:
    """Papers' numbers as dicts with the columns of the table `published`, in the order of the papers; names match
    in any case. `paper` is a whole id, `table` "" the one whose number is not known."""
    wanted = {"task": task, "dataset": dataset, "model": model, "metric": metric}
    found = store.rows("SELECT * FROM published ORDER BY year, paper_id, ordinal")
    return [
        row
        for row in found
        if paper in (None, row["paper_id"])
        and table in (None, row["paper_table"] or "")
        and all(v is None or v.casefold() == (row[k] or "").casefold() for k, v in wanted.items())
    ]


@dataclass(frozen=True)
class SideBySide:
    """One metric of one model on one dataset as papers report it, and why no order can be made of that."""

    rows: tuple[dict[str, Any], ...]
    reasons: tuple[str, ...]


def side_by_side(
    store: Store, *, model: str, metric: str, dataset: str | None = None, task: str | None = None
) -> SideBySide:
    """What papers report of one model in one metric, and the reasons that hold between any two of them, in words."""
    found = rows(store, model=model, metric=metric, dataset=dataset, task=task)
    by_id = {card.id: card for card in cards(store)}
    reasons: dict[str, None] = {}
    for i, one in enumerate(found):
        for other in found[i + 1 :]:
            if one["paper_id"] != other["paper_id"]:
                reasons |= dict.fromkeys(incomparable(by_id, one, other))
    for row in found:
        reasons |= dict.fromkeys(doubts(store, row))
    return SideBySide(tuple(found), tuple(reasons))


def incomparable(by_id: dict[str, Card], one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Why two rows of `published` of different papers cannot be ranked: what differs, what either does not say."""
    reasons = []
    for key in ("task", "dataset"):
        if one[key] != other[key]:
            a, b = (f"{row[key] or 'none named'} ({row['paper_id']})" for row in (one, other))
            reasons.append(f"{key}: {a}; {b}")
    if one["metric"] != other["metric"]:
        reasons.append(f"{one['metric']} and {other['metric']} are two metrics")
    silent = []
    for aspect in (*SHARED[1:], *name(one["metric"]).about):
        a, b = (by_id[row["paper_id"]].says(aspect, row["paper_table"]) for row in (one, other))
        if a in (NOT_STATED, UNREAD) and b in (NOT_STATED, UNREAD):
            silent.append(ASPECTS[aspect])
        elif a != b:
            reasons.append(f"{ASPECTS[aspect]}: {a} ({one['paper_id']}); {b} ({other['paper_id']})")
    if silent:
        reasons.append(f"of both papers is unknown: {', '.join(silent)}")
    return reasons


def doubts(store: Store, row: dict[str, Any]) -> list[str]:
    """What speaks against taking a number at its name: nobody has read it, or its own row contradicts it."""
    found = []
    if not row["verified"]:
        found.append(f"{row['paper_id']}: nobody has read this number in the paper (unverified)")
    if row["metric"] == "PSNR":
        beside = rows(
            store,
            paper=row["paper_id"],
            table=row["paper_table"] or "",
            dataset=row["dataset"],
            model=row["model"],
            metric="L1",
        )
        for l1 in beside:
            error = l1["converted"] if l1["converted"] is not None else l1["value"]
            if (ceiling := psnr_ceiling(error)) < row["value"]:
                found.append(
                    f"{row['paper_id']}: its {row['value']:g} dB are more than the {ceiling:.1f} dB that its own L1 of "
                    f"{error:.4f} allows for frames of equal error, so PSNR and L1 are of other frames, ranges or means"
                )
    return found
