"""Which score is held against which threshold. The settings' names say it: `min_face_score` bounds `face_score`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.ledger_queries import Entry

_ALIASES = {
    "min_res": ("native_side", "short_side"),
    "max_frames": (),  # longer spans are cut in parts, not dropped
    "max_yaw": ("yaw_mean",),
}
_OF_SIZE = frozenset(("max_yaw",))  # bounds the value without its sign


@dataclass(frozen=True)
class Threshold:
    """A bound of a score: kept values are at least it (`is_least`) or at most it."""

    setting: str
    value: float
    is_least: bool

    @property
    def bounds(self) -> tuple[float, ...]:
        """Where it stands on the axis of the score: on both sides of 0 where it bounds the value without its sign."""
        return (-self.value, self.value) if self.setting in _OF_SIZE else (self.value,)

    def goodness(self, value: float) -> float:
        """The value such that more is better."""
        value = abs(value) if self.setting in _OF_SIZE else value
        return value if self.is_least else -value

    def passes(self, value: float) -> bool:
        """Whether a value is on the kept side."""
        return self.goodness(value) >= self.goodness(self.value)

    def distance(self, value: float) -> float:
        """How far a value is from it, on either side."""
        return abs(self.goodness(value) - self.goodness(self.value))

    @property
    def text(self) -> str:
        """`≥ 0.9`, for people."""
        return f"{'≥' if self.is_least else '≤'} {self.value:g}"


def thresholds(selection: Mapping[str, Any]) -> dict[str, Threshold]:
    """Threshold by score, of all settings `min_*` and `max_*` that are numbers; 0 and NULL bound nothing."""
    found = {}
    for setting, value in selection.items():
        side, _, score = setting.partition("_")
        if side in ("min", "max") and isinstance(value, int | float) and not isinstance(value, bool) and value:
            for name in _ALIASES.get(setting, (score,)):
                found[name] = Threshold(setting, float(value), side == "min")
    return found


def limit(limits: Mapping[str, Threshold], kind: str, score: str) -> Threshold | None:
    """The threshold of a score of one kind of item: no length bounds videos and shots."""
    return None if score == "seconds" and kind in ("video", "shot") else limits.get(score)


def plausible(limits: Mapping[str, Threshold], items: Sequence[Entry]) -> dict[str, Threshold]:
    """Without the thresholds that kept items contradict: the dataset was not decided with those."""
    wrong = {
        score
        for entry in items
        if entry.kept
        for score, value in values(entry).items()
        if (threshold := limit(limits, entry.kind, score)) and not threshold.passes(value)
    }
    return {score: threshold for score, threshold in limits.items() if score not in wrong}


def selection_settings(out: Path) -> tuple[dict[str, Any], bool]:
    """The thresholds that the dataset was decided with, and whether it says so itself (else they are the defaults)."""
    from curate.settings import SETTINGS, SelectionSettings

    path = out / SETTINGS
    if path.is_file():
        stored = json.loads(path.read_text(encoding="utf-8")).get("selection")
        if isinstance(stored, dict):
            return stored, True
    return SelectionSettings().model_dump(), False


def values(entry: Entry) -> dict[str, float]:
    """All numbers that are known of an item, by name: its scores, its length, a video's shorter side."""
    found = {
        name: float(value)
        for name, value in entry.scores.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    if entry.seconds is not None:
        found["seconds"] = entry.seconds
    if entry.kind == "video" and "width" in found and "height" in found:
        found["short_side"] = min(found.pop("width"), found.pop("height"))
    return found
