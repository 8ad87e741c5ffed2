"""Splits: who is in train, val and test. An identity's name alone decides, so nobody moves when others come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256

from curate.errors import UserError


def assign(
    identities: Mapping[str, str],
    shares: Mapping[str, float],
    seed: int,
    *,
    together: Iterable[tuple[str, str]] = (),
) -> dict[str, str]:
    """Split of every clip; nobody is in two splits.

    `identities` gives the person of every clip (where it is unknown, the video stands for the person). `shares` are
    weights by split, in their order; they need not sum to one. Each person is drawn by a hash of `seed` and name, so
    shares hold on average over persons: of 1,000 persons with a share of 0.1, about 81 to 119 are drawn.

    `together` are pairs of clips that must not be apart, as near-duplicates are: the persons of such clips go where the
    one goes whose name is the first in the alphabet. A person moves only when a pair joins them to such a one. Clips
    that `identities` does not know are passed over. `UserError` for shares that say nothing.
    """
    _check(shares)
    group = Groups(identities.values())
    for a, b in together:
        if a in identities and b in identities:
            group.join(identities[a], identities[b])
    return {clip: _draw(group.first(person), shares, seed) for clip, person in identities.items()}


class Groups:
    """Names that belong together; a group is known by the name that is the first in the alphabet."""

    def __init__(self, names: Iterable[str]) -> None:
        self._above = {name: name for name in names}

    def first(self, name: str) -> str:
        """The first name of its group."""
        while self._above[name] != name:
            self._above[name] = self._above[self._above[name]]
            name = self._above[name]
        return name

    def join(self, a: str, b: str) -> None:
        """Make two groups one."""
        first, second = sorted((self.first(a), self.first(b)))
        self._above[second] = first


def _check(shares: Mapping[str, float]) -> None:
    if not shares:
        raise UserError("splits: no shares given, such as train=0.8 val=0.1 test=0.1")
    for split, share in shares.items():
        if not 0 <= share < float("inf"):
            raise UserError(f"splits: the share of {split} must be a number from 0 on, not {share}")
    if not sum(shares.values()) > 0:
        raise UserError("splits: all shares are 0; give at least one split a positive share")


def _draw(person: str, shares: Mapping[str, float], seed: int) -> str:
    digest = sha256(f"{seed}:{person}".encode("utf-8", "surrogatepass")).digest()
    drawn = int.from_bytes(digest[:8], "big") / 2**64 * sum(shares.values())
    last = ""
    for split, share in shares.items():
        if share > 0:
            if drawn < share:
                return split
            drawn, last = drawn - share, split
    return last  # rounding may leave a rest
