"""One row of a table in the making: a model, and what was measured of it so far."""

from __future__ import annotations

import time

from baselines.interface import Reenactor
from bench.drive import PairFailed, drive
from bench.evaluators.suite import Suite, metric_id
from bench.features import Features
from bench.metrics.base import Aspect, Metric
from bench.pair_reader import PairView
from bench.run_folder import Preview
from bench.scoring import Look, Outcome, score
from bench.tasks.base import Pair, Reference, Task
from leaderboard.records import MetricInfo, Sample

TRUTH = "truth"


class Row:
    """Drives pairs with one model and keeps every sample.

    The truth row is the driving frames scored against themselves: for it every reference that a task has is the driving
    frame.
    """

    def __init__(self, model: Reenactor, task: Task, metrics: list[Metric], suite: Suite, features: Features) -> None:
        self.model = model
        self.metrics = metrics
        self.references: dict[Aspect, Reference] = dict(task.references)
        if model.spec.name == TRUTH:
            itself = Reference("driving", "the driving frame itself")
            self.references = {aspect: itself if ref.frames else ref for aspect, ref in task.references.items()}
        self.samples: list[Sample] = []
        self.previews: list[Preview] = []
        self.failures: dict[str, str] = {}  # pair id -> why it gave no frames
        self.frames_driven = 0
        self.seconds = {"model": 0.0, "metrics": 0.0}
        self._suite = suite
        self._features = features

    def take(self, pair: Pair, view: PairView, seed: int, device: str) -> Look | None:
        """Drive one pair and score every frame; gives what the model made, None when the pair failed."""
        start = time.perf_counter()
        try:
            frames = drive(self.model, view, seed, device)
        except PairFailed as error:
            self.fail(pair, view.indices, str(error))
            return None
        finally:
            self.seconds["model"] += time.perf_counter() - start
        self.frames_driven += len(frames)
        output = Look(frames, self._features.of(frames))
        start = time.perf_counter()
        for metric in self.metrics:
            if not self._missing(pair, metric):
                from_source = self.references[metric.aspect].frames == "source"
                reference = view.source.repeated(len(frames)) if from_source else view.driving
                self._add(pair, metric, view.indices, score(metric, output, reference))
        self.seconds["metrics"] += time.perf_counter() - start
        return output

    def fail(self, pair: Pair, indices: list[int], reason: str) -> None:
        """Every frame of a pair failed for one reason: they count as attempted."""
        self.failures[pair.id] = reason
        for metric in self.metrics:
            if not self._missing(pair, metric):
                self._add(pair, metric, indices, [(None, "failed", reason)] * len(indices))

    def infos(self) -> tuple[MetricInfo, ...]:
        """What the run record says of the metrics, with what this row was compared with."""
        return tuple(
            MetricInfo(
                id=self._id(metric),
                unit=metric.unit,
                higher_is_better=metric.higher_is_better,
                description=f"{metric.description}; compared with: {self.references[metric.aspect].meaning}",
                evaluators=self._networks(metric),
            )
            for metric in self.metrics
        )

    def _id(self, metric: Metric) -> str:
        return metric.id if metric.feature == "frames" else metric_id(metric.id, self._suite.name)

    def _networks(self, metric: Metric) -> tuple[str, ...]:
        if metric.feature == "frames":
            return ()
        return tuple(kind for kind in ("detector", metric.feature) if kind in self._suite.networks)

    def _missing(self, pair: Pair, metric: Metric) -> bool:
        """Whether this metric cannot be had here; if so, one sample says why for the whole pair."""
        reference = self.references[metric.aspect]
        reason = None if reference.frames else reference.meaning
        if reason is None and metric.feature != "frames":
            reason = self._suite.missing.get(metric.feature)
        if reason is None:
            return False
        sample = Sample(
            pair.id, pair.driving.clip_id, pair.source.person, None, self._id(metric), None, "missing", reason
        )
        self.samples.append(sample)
        return True

    def _add(self, pair: Pair, metric: Metric, indices: list[int], outcomes: list[Outcome]) -> None:
        name, clip, person = self._id(metric), pair.driving.clip_id, pair.source.person
        for frame, outcome in zip(indices, outcomes, strict=True):
            self.samples.append(Sample(pair.id, clip, person, frame, name, *outcome))
