"""One row of a table in the making: a model, and what was measured of it so far."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.drive import PairFailed
from bench.entrants import REENCODED, TRUTH, Entrant
from bench.evaluators.suite import WHOLE_FRAME, Suite
from bench.features import Features
from bench.metrics.base import HEARD, Aspect, Metric
from bench.pair_reader import PairView, seen_with
from bench.run_folder import Preview
from bench.scoring import Look, MeanScore, Outcome, SetScore, score, score_clip, score_pixels, without_face
from bench.sound import NO_SOUND
from bench.stills import WorstFrames
from bench.tasks.base import Pair, Reference
from leaderboard.records import MetricInfo, Sample

SELF = (TRUTH, REENCODED)  # rows that show what models are compared with


@dataclass
class Told:
    """What a model told of its work on a pair: the arrays, by name, of its attribute `told` after the call."""

    pair: Pair
    indices: list[int] = field(default_factory=list)  # of the driving frames that it made
    values: dict[str, NDArray[Any]] = field(default_factory=dict)
    lost: dict[int, str] = field(default_factory=dict)  # driving frames that it did not make, and why


class Row:
    """Takes one entrant's frames of every pair and keeps every sample.

    The truth row is what a perfect model would give. Where the task's truth is rendered, it is that, and is compared
    with what models are compared with; elsewhere it is the driving frames, each compared with itself. The re-encoded
    truth is compared as the truth is.
    """

    def __init__(
        self,
        entrant: Entrant,
        references: Mapping[Aspect, Reference],
        metrics: Sequence[Metric],
        suite: Suite,
        features: Features,
        kinds: Collection[str],
    ) -> None:
        """`kinds`: what the networks look for in output frames."""
        self.entrant = entrant
        self.model: Any = getattr(entrant, "model", entrant)
        self.metrics = metrics
        self.references = dict(references)
        self.samples: list[Sample] = []
        self.previews: list[Preview] = []
        self.worst = WorstFrames()
        self.failures: dict[str, str] = {}  # pair id -> why it gave no frames
        self.told: dict[str, Told] = {}  # by pair id
        self.stated: dict[str, Any] = {}  # what the record says beyond the samples, under its arguments
        self.frames_driven = 0
        self.seconds = {"model": 0.0, "metrics": 0.0}
        self._asked = references  # what a model's row is compared with, of which the truth's stands in one column
        self._suite = suite
        self._features = features
        self._kinds = kinds
        self._of_frames = [metric for metric in metrics if not metric.told]
        self._sets: dict[str, SetScore | MeanScore] = {
            **{metric.id: SetScore(metric) for metric in metrics if metric.of_sets is not None},
            **{metric.id: MeanScore(metric) for metric in metrics if metric.of_mean is not None},
        }
        if entrant.spec.name in SELF and not any(ref.frames == "truth" for ref in references.values()):
            itself = Reference("driving", "the driving frame itself")
            if any(reference.frames == "angles" for reference in references.values()):
                itself = Reference(None, "not known: nobody filmed this head at these angles")
            self.references = {aspect: itself if ref.frames else ref for aspect, ref in references.items()}

    def take(self, pair: Pair, view: PairView, seed: int) -> tuple[PairView, Look] | None:
        """Have one pair made and score every frame; gives the pair as far as it could be made and what was made, None
        when there is nothing."""
        if reason := self.entrant.missing(pair):
            for metric in self._of_frames:
                self._none(pair, metric, len(view.indices), reason)
            return None
        if lost := self.entrant.lost(pair, view):
            if len(lost) == len(view.indices):
                self.failures[pair.id] = next(iter(lost.values()))
            for reason in dict.fromkeys(lost.values()):
                self._lose(pair, [view.indices[i] for i, why in lost.items() if why == reason], reason)
            if len(lost) == len(view.indices):
                return None
            view = view.without(np.isin(np.arange(len(view.indices)), list(lost)))
        start = time.perf_counter()
        try:
            frames = self.entrant.frames(pair, view, seed)
        except PairFailed as error:
            self.fail(pair, view.indices, str(error))
            return None
        finally:
            self.seconds["model"] += time.perf_counter() - start
        self.frames_driven += len(frames)
        told = self.told.setdefault(pair.id, Told(pair))
        told.indices, told.values = view.indices, dict(getattr(self.model, "told", {}))
        heard = {kind: seen for kind, seen in view.driving.features.items() if kind in HEARD}
        output = Look(frames, self._features.of(frames, seen_with(self._kinds, view.unheard), view.beat) | heard)
        start = time.perf_counter()
        pixels = self._score_pixels(view, output)
        for metric in self._of_frames:
            if self._missing(pair, metric, len(view.indices)) or self._unheard(pair, metric, view):
                continue
            reference = view.reference(self._reference(metric).frames)
            if metric.of_clip:
                outcome = score_clip(metric, output, reference)
                # a clip that has a value speaks of the frames that both sides show; the others are counted one by one
                faceless = without_face(metric, output, reference) if outcome[1] == "ok" else {}
                clip, person, name = pair.driving.clip_id, pair.source.person, self.name_of(metric)
                rest = len(view.indices) - len(faceless)
                self.samples.append(Sample(pair.id, clip, person, None, name, *outcome, n=rest))
                self._add(pair, metric, {view.indices[i]: why for i, why in faceless.items()})
                continue
            if metric.id in self._sets:
                of_places = self._sets[metric.id].add(output, reference)
                outcomes = {view.indices[i]: outcome for i, outcome in of_places.items()}
            else:
                scored = pixels.get(metric.id) or score(metric, output, reference, self._features)
                outcomes = dict(zip(view.indices, scored, strict=True))
            self._add(pair, metric, outcomes)
            self.worst.offer(metric, pair, view, output, outcomes)
        self.seconds["metrics"] += time.perf_counter() - start
        return view, output

    def _score_pixels(self, view: PairView, output: Look) -> dict[str, list[Outcome]]:
        """What metrics of pixels alone say of each frame, all that compare with the same frames together."""
        groups: dict[Any, list[Metric]] = {}
        for metric in self._of_frames:
            frames = self._reference(metric).frames
            if metric.feature == "frames" and frames and metric.id not in self._sets and not metric.of_clip:
                groups.setdefault(frames, []).append(metric)
        found: dict[str, list[Outcome]] = {}
        for frames, group in groups.items():
            found |= score_pixels(group, output, view.reference(frames))
        return found

    def fail(self, pair: Pair, indices: list[int], reason: str) -> None:
        """Every frame of a pair failed for one reason: they count as attempted."""
        self.failures[pair.id] = reason
        self._lose(pair, indices, reason)

    def _lose(self, pair: Pair, indices: list[int], reason: str) -> None:
        self.told.setdefault(pair.id, Told(pair)).lost.update(dict.fromkeys(indices, reason))
        for metric in self._of_frames:
            if not self._missing(pair, metric, len(indices)):
                self._add(pair, metric, dict.fromkeys(indices, (None, "failed", reason)))

    def finish(self) -> None:
        """Add the values of all pairs together, once all are taken."""
        start = time.perf_counter()
        for metric in self.metrics:
            if metric.id in self._sets:
                outcome, count = self._sets[metric.id].outcome()
                if count:
                    self.samples.append(Sample(None, None, None, None, self.name_of(metric), *outcome, n=count))
        self.seconds["metrics"] += time.perf_counter() - start

    def worst_values(self) -> dict[str, float]:
        """The worst value of any frame, by the id of the metric as in samples."""
        found: dict[str, list[float]] = {}
        for sample in self.samples:
            if sample.value is not None and sample.pair_id is not None:
                found.setdefault(sample.metric, []).append(sample.value)
        better = {self.name_of(metric): metric.higher_is_better for metric in self.metrics}
        return {name: min(values) if better[name] else max(values) for name, values in found.items()}

    def infos(self, worst: Mapping[str, float]) -> tuple[MetricInfo, ...]:
        """What the run record says of the metrics, with what this row was compared with; `worst`: what a failed frame
        counts as by a metric that states no worst value."""
        return tuple(
            MetricInfo(
                id=self.name_of(metric),
                unit=metric.unit,
                higher_is_better=metric.higher_is_better,
                description=f"{metric.description}; compared with: {self._reference(metric).meaning}",
                evaluators=self._networks(metric),
                reference=(metric.against or self._asked[metric.aspect].frames) or "",
                penalty=worst.get(self.name_of(metric)) if metric.worst is None else metric.worst,
                penalty_from="source-copy" if metric.worst is None and self.name_of(metric) in worst else "",
            )
            for metric in self.metrics
        )

    def name_of(self, metric: Metric) -> str:
        """The metric's id in samples: with the suite where it needs networks."""
        return metric.id_in(self._suite.name)

    def _reference(self, metric: Metric) -> Reference:
        """What a metric is compared with here: what it insists on, where there are such frames."""
        asked = self.references[metric.aspect]
        if not metric.against or asked.frames is None:
            return asked
        if metric.against == "driving" and self._asked.get("redirection") is not None:
            return Reference(None, "nothing drives")
        return Reference(metric.against, f"the {metric.against} frame")

    def _networks(self, metric: Metric) -> tuple[str, ...]:
        if not metric.kinds:
            return ()
        kinds = metric.kinds if set(metric.kinds) <= WHOLE_FRAME else ("detector", *metric.kinds)
        return tuple(kind for kind in kinds if kind in self._suite.networks)

    def _missing(self, pair: Pair, metric: Metric, frames: int) -> bool:
        """Whether this metric cannot be had here; if so, one sample says why for the whole pair of so many frames."""
        reference = self._reference(metric)
        reason = None if reference.frames else reference.meaning
        if reason is None:
            reason = next((self._suite.missing[kind] for kind in metric.kinds if kind in self._suite.missing), None)
        if reason is None:
            return False
        self._none(pair, metric, frames, reason)
        return True

    def _none(self, pair: Pair, metric: Metric, frames: int, reason: str) -> None:
        clip, person = pair.driving.clip_id, pair.source.person
        self.samples.append(
            Sample(pair.id, clip, person, None, self.name_of(metric), None, "missing", reason, n=frames)
        )

    def _unheard(self, pair: Pair, metric: Metric, view: PairView) -> bool:
        """Whether a metric needs to hear what the driving clip does not let it; if so, one sample says why."""
        why = view.unheard.get(metric.hears, "" if metric.hears in view.driving.features else NO_SOUND)
        if not metric.hears or not why:
            return False
        clip, person, name = pair.driving.clip_id, pair.source.person, self.name_of(metric)
        self.samples.append(Sample(pair.id, clip, person, None, name, None, "missing", why, n=len(view.indices)))
        return True

    def _add(self, pair: Pair, metric: Metric, outcomes: Mapping[int, Outcome]) -> None:
        name, clip, person = self.name_of(metric), pair.driving.clip_id, pair.source.person
        for frame, outcome in outcomes.items():
            self.samples.append(Sample(pair.id, clip, person, frame, name, *outcome))
