"""What became of a video of a list, and the small file in which that is kept beside the dataset."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from curate.download.facts import Facts
from curate.download.failures import POLICIES
from curate.download.sections import Section
from curate.download.session import Piece, safe_name
from curate.files import write_json

State = Literal["present", "downloaded", "unavailable", "waiting"]


def _nothing() -> None: ...


@dataclass(frozen=True)
class Outcome:
    """present: found in the user's folder. downloaded: in the raw folder. unavailable: failed for good. waiting: failed
    for now, or not tried; the next run tries."""

    video_id: str
    state: State
    pieces: tuple[Piece, ...] = ()
    error_class: str | None = None  # a key of `failures.POLICIES`
    reason: str = ""
    attempts: int = 0  # tries of this run
    facts: Facts | None = None
    bytes: int = 0
    seconds: float = 0.0
    format_id: str | None = None
    why: str = ""  # this format
    signed_in: bool = False  # whether it was asked for with cookies
    sections: tuple[Section, ...] = ()  # what of the video was downloaded, seconds; none: all of it
    _release: Callable[[], None] = field(default=_nothing, repr=False, compare=False)

    def release(self) -> None:
        """The files are not needed any more: downloaded ones are removed (unless they are to be kept) and their room
        on the disk is free for others. A user's own files are never touched. May be called twice, from any thread."""
        self._release()

    @property
    def is_permanent(self) -> bool:
        """Whether another run need not try."""
        return self.state == "unavailable" and self.error_class in POLICIES and POLICIES[self.error_class].permanent

    def as_json(self) -> dict[str, Any]:
        """All but the files, which come and go."""
        return {
            "video_id": self.video_id,
            "state": self.state,
            "error_class": self.error_class,
            "reason": self.reason,
            "attempts": self.attempts,
            "facts": self.facts.as_json() if self.facts else None,
            "bytes": self.bytes,
            "seconds": self.seconds,
            "format_id": self.format_id,
            "why": self.why,
            "signed_in": self.signed_in,
            "sections": [list(section) for section in self.sections],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Outcome:
        """As `as_json` gave it; without files."""
        facts, sections = value.get("facts"), value.get("sections", ())
        parsed = {"facts": Facts.from_json(facts) if facts else None, "sections": tuple(map(tuple, sections))}
        return cls(**{**value, **parsed})


def keep(folder: Path, outcome: Outcome) -> None:
    """Write the outcome as `folder`/<id>.json, atomically."""
    write_json(folder / f"{safe_name(outcome.video_id)}.json", outcome.as_json())


def known(folder: Path) -> dict[str, Outcome]:
    """What earlier runs kept, by video id; files that cannot be read are passed over, and so found out again."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        try:
            outcome = Outcome.from_json(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, KeyError):
            continue
        found[outcome.video_id] = outcome
    return found
