"""What fills a row of a table: a model that is driven, or one of the calibration rows that frame every table."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from baselines.interface import ModelSpec, Reenactor
from bench.drive import PairFailed, drive, undrivable
from bench.pair_reader import PairReader, PairView
from bench.tasks.base import Pair
from curate import video
from curate.errors import BadVideo, UserError

if TYPE_CHECKING:
    from curate.perception.interface import Frames

TRUTH = "truth"
REENCODED = "truth-reencoded"
SHUFFLED = "shuffled"
CRF = 23  # of the re-encoded truth: x264's own default, and about what video sites send


class Entrant(Protocol):
    """Gives the frames of a row, pair by pair."""

    @property
    def spec(self) -> ModelSpec:
        """What a table needs to know of it."""
        ...

    def missing(self, pair: Pair) -> str:
        """Why there can be no frames of this pair, and so nothing to count; "": they can be had."""
        ...

    def lost(self, pair: Pair, view: PairView) -> dict[int, str]:
        """Places of driving frames for which there will be no frame, and why; they count as failed."""
        ...

    def frames(self, pair: Pair, view: PairView, seed: int) -> Frames:
        """Uint8 [T, S, S, 3] for the T driving frames of a view, at its size; `PairFailed` says why there are none."""
        ...


class Driven:
    """A model, driven frame by frame."""

    def __init__(self, model: Reenactor, device: str) -> None:
        self.spec = model.spec
        self.model = model
        self._device = device

    def missing(self, pair: Pair) -> str:
        """Never."""
        return ""

    def lost(self, pair: Pair, view: PairView) -> dict[int, str]:
        """Driving frames that lack what the model needs."""
        needs = ", ".join(self.spec.needs)
        reason = f"no face found in the driving frame, of which the model needs {needs}"
        return dict.fromkeys(undrivable(self.model, view).nonzero()[0].tolist(), reason)

    def frames(self, pair: Pair, view: PairView, seed: int) -> Frames:
        """What the model makes of the pair."""
        return drive(self.model, view, seed, self._device)


class _Calibration:
    def __init__(self, name: str, preset: str = "none") -> None:
        self.spec = ModelSpec(name, preset, resolution=None, kind="calibration", capabilities=("relative", "redirect"))

    def missing(self, pair: Pair) -> str:
        """Never, unless a row says otherwise."""
        return ""

    def lost(self, pair: Pair, view: PairView) -> dict[int, str]:
        """None."""
        return {}


class TruthItself(_Calibration):
    """What a perfect model would give: the rendered truth, or else the driving frames."""

    def __init__(self) -> None:
        super().__init__(TRUTH)

    def frames(self, pair: Pair, view: PairView, seed: int) -> Frames:
        """The truth of the pair."""
        return (view.truth or view.driving).frames


class Reencoded(_Calibration):
    """The truth after H.264: what a codec alone costs by each metric, and so how fine a difference can mean anything.

    x264, constant rate factor `CRF`, preset medium, yuv420p, at the size at which frames are compared.
    """

    def __init__(self) -> None:
        super().__init__(REENCODED, f"x264-crf{CRF}")

    def frames(self, pair: Pair, view: PairView, seed: int) -> Frames:
        """The truth of the pair, encoded and decoded."""
        truth = (view.truth or view.driving).frames
        try:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "truth.mp4"
                video.write_video(path, truth, pair.driving.fps, crf=CRF)
                return video.read_frames(path, range(len(truth)))
        except UserError as error:
            raise PairFailed(f"the truth cannot be encoded: {error}") from error


class Shuffled(_Calibration):
    """The truth of another pair, which shows another person: what a metric gives to frames that have nothing to do with
    what was asked for."""

    def __init__(self, pairs: Sequence[Pair], reader: PairReader) -> None:
        """`reader` must be the one that the pass reads the pairs with: then nothing is read twice."""
        super().__init__(SHUFFLED)
        self._partners = partners(pairs, of_source=reader.truth_is_rendered)
        self._reader = reader

    def missing(self, pair: Pair) -> str:
        """Where all pairs show the same person, or the truth is not known."""
        if not self._reader.truth_is_known:
            return "not known: nobody filmed these heads at these angles"
        return "" if self._partners[pair.id] else "no pair shows another person"

    def frames(self, pair: Pair, view: PairView, seed: int) -> Frames:
        """The frames of the pair's partner, from the start again where it has too few."""
        try:
            other = self._reader.read(cast(Pair, self._partners[pair.id]))
        except (BadVideo, IndexError) as error:
            raise PairFailed(f"a clip of the pair that stands in cannot be read: {error}") from error
        frames = (other.truth or other.driving).frames
        return frames[np.arange(len(view.indices)) % len(frames)]


def partners(pairs: Sequence[Pair], *, of_source: bool) -> Mapping[str, Pair | None]:
    """For each pair's id the last pair before it that shows a person who is neither its source nor its driving, or else
    the first after it; so a pass holds two pairs in memory and reads each once."""
    found: dict[str, Pair | None] = {}
    for i, pair in enumerate(pairs):
        own = {pair.source.person, pair.driving.person}
        others = chain(reversed(pairs[:i]), pairs[i + 1 :])
        found[pair.id] = next((p for p in others if (p.source if of_source else p.driving).person not in own), None)
    return found
