"""What there is to name on a command line, and what is known of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench import metrics, registry, tasks
from curate.console import say
from curate.errors import UserError, unknown

DEPTH = 3  # how far below the current folder datasets are looked for


def listing(kind: str) -> list[dict[str, Any]]:
    """One dict per model, task, metric, evaluator or dataset (plural), all with the same keys."""
    return {
        "models": _models,
        "tasks": _tasks,
        "metrics": _metrics,
        "evaluators": _evaluators,
        "datasets": _datasets,
    }[kind]()


def facts(name: str) -> dict[str, Any]:
    """All that is known of one model, task, metric or evaluator; `UserError` suggests the nearest name."""
    import baselines

    all_tasks, all_metrics = tasks.available(), metrics.available()
    if task := all_tasks.get(name):
        references = {f"{aspect} compared with": ref.meaning for aspect, ref in task.references.items()}
        about = {"task": task.protocol, "description": task.description, "size": task.size}
        return about | {"frames per clip, at most": task.frames_per_clip} | references
    if metric := all_metrics.get(name):
        about = {"metric": metric.id, "description": metric.description, "unit": metric.unit or "none"}
        direction = "higher is better" if metric.higher_is_better else "lower is better"
        return about | {
            "direction": direction,
            "compares": metric.aspect,
            "needs": metric.feature,
            "paper": metric.paper,
        }
    if name in baselines.names():
        return _model_facts(name)
    evaluators = {row["kind"]: row for row in _evaluators()}
    if name in evaluators:
        return evaluators[name]
    raise unknown("name", name, {*all_tasks, *all_metrics, *baselines.names(), *evaluators})


def _model_facts(name: str) -> dict[str, Any]:
    from dataclasses import asdict

    import baselines
    from bench.baseline_errors import baseline_errors
    from curate.errors import MissingPrerequisite

    described = {"model": name, "description": (baselines.model_class(name).__doc__ or "").strip().split("\n")[0]}
    try:
        with baseline_errors():
            return described | asdict(baselines.load(name).spec)
    except MissingPrerequisite as error:
        return described | {"weights": str(error)}


def _models() -> list[dict[str, Any]]:
    import baselines

    installed = registry.outside(baselines.ENTRY_POINTS)
    return [
        {"model": name, "from": installed[name].value if name in installed else "built in"}
        for name in baselines.names()
    ]


def _tasks() -> list[dict[str, Any]]:
    return [{"task": task.protocol, "description": task.description} for task in tasks.available().values()]


def _metrics() -> list[dict[str, Any]]:
    return [
        {
            "metric": metric.id,
            "better": "higher" if metric.higher_is_better else "lower",
            "unit": metric.unit,
            "compares": metric.aspect,
            "needs": metric.feature,
            "description": metric.description,
        }
        for metric in metrics.available().values()
    ]


def _evaluators() -> list[dict[str, Any]]:
    from bench.evaluators.suite import open_suite

    suite = open_suite(None)
    there = [
        {"kind": kind, "network": info.name, "sha256": info.sha256[:16], "licence": info.licence, "missing because": ""}
        for kind, info in suite.networks.items()
    ]
    absent = [
        {"kind": kind, "network": "NULL", "sha256": "", "licence": "", "missing because": reason}
        for kind, reason in suite.missing.items()
    ]
    return there + absent


def _datasets() -> list[dict[str, Any]]:
    from curate.dataset import MANIFEST, Dataset

    here = Path()
    manifests = sorted(path for depth in range(DEPTH + 1) for path in here.glob("*/" * depth + MANIFEST))
    rows: list[dict[str, Any]] = []
    for path in manifests:
        try:
            dataset = Dataset.open(path.parent)
        except UserError as error:  # one that cannot be read hides no other
            say(str(error))
            continue
        rows.append(
            {"dataset": str(dataset.root), "clips": len(dataset.clips), "fingerprint": dataset.fingerprint[:16]}
        )
    return rows
