"""What a measurement compares, settled before any frame is made: pairs, references, metrics, networks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from bench import metrics, protocols, tasks
from bench.datasets import open_dataset
from bench.evaluators.suite import Suite
from bench.metrics.base import Aspect, Metric
from bench.protocols import Protocol
from bench.tasks.base import Pair, Reference, Task
from bench.truth import TruthRenderer, truth_of
from curate.console import say
from curate.dataset import Clip, Dataset
from curate.errors import UserError

TEST = "test"  # the split to measure on, where a dataset has it; training leaves it out


@dataclass(frozen=True)
class Plan:
    """One task on one dataset, as far as neither depends on whose frames are measured."""

    protocol: Protocol
    task: Task
    dataset: Dataset
    split: str | None  # the only split that pairs are made of; None: all clips
    pairs: tuple[Pair, ...]
    truth: TruthRenderer | None
    references: Mapping[Aspect, Reference]
    metrics: tuple[Metric, ...]

    def kinds(self, suite: Suite) -> set[str]:
        """What the networks must look for to judge frames, by metrics that have a reference and a network."""
        asked = {kind for metric in self.metrics if self.references[metric.aspect].frames for kind in metric.kinds}
        return asked - set(suite.missing) - suite.wide

    def looks(self, suite: Suite, driven: Collection[str]) -> dict[str, set[str]]:
        """What the networks look for in each side of a pair; `driven`: what models are given of it. Each row's frames
        are judged, and the calibration rows' are the source and the truth, or else the driving frames."""
        judged = self.kinds(suite)
        always = {kind for metric in self.metrics if metric.against == "driving" for kind in metric.kinds} & judged
        driving = set(driven) | (judged if self.truth is None else always)
        return {"source": judged | set(driven), "driving": driving, "truth": judged}


def settle_task(name: str, protocol: str | None, shots: int | None, limit: int | None) -> tuple[Protocol, Task]:
    """The protocol and its task, with other shots if asked; `UserError` for what cannot be.

    `protocol`: a shipped one, or a TOML file; None: that of the task's own name.
    """
    task = tasks.get(name)
    chosen = protocols.of_task(task) if protocol is None else protocols.get(protocol)
    if chosen.file.task != name:
        raise UserError(f"protocol {chosen.id} is of the task {chosen.file.task}, and {name} is asked for")
    task = chosen.task()
    if why := protocols.changed(chosen):
        raise UserError(f"protocol {chosen.id}: {why}")
    for option, value in (("limit", limit), ("shots", shots)):
        if value is not None and value < 1:
            raise UserError(f"{option} must be at least 1, but is {value}")
    return chosen, task if shots is None else replace(task, shots=shots)


def make_plan(
    protocol: Protocol, task: Task, dataset_name: str, *, seed: int, limit: int | None, variants: bool
) -> Plan:
    """Open the dataset (made now if it is one that is rendered) and draw the pairs. Where it has a test split, pairs
    are made of that alone, unless the protocol has a list."""
    dataset = open_dataset(dataset_name)
    clips, split = to_measure_on(dataset) if protocol.file.pairs is None else (dataset.clips, None)
    pairs = protocol.draw(task, dataset, clips, seed)[:limit]
    truth = truth_of(dataset) if task.wants_truth else None
    references = task.references_on(truth is not None)
    wanted = [m for m in metrics.available().values() if variants or not m.variant_of]
    used = [m.under(task.thresholds) for aspect in references for m in wanted if m.aspect == aspect]
    return Plan(protocol, task, dataset, split, tuple(pairs), truth, references, tuple(used))


def to_measure_on(dataset: Dataset) -> tuple[Sequence[Clip], str | None]:
    """The clips to make pairs of, and the split that they are when not all are taken."""
    test = [clip for clip in dataset.clips if clip.split == TEST]
    if not test:
        return dataset.clips, None
    say(f"{dataset.name}: the {TEST} split, {len(test)} of {len(dataset.clips)} clips")
    return test, TEST
