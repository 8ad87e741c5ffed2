"""What there is to name on a command line, and what is known of it."""

from __future__ import annotations

from typing import Any

from bench import datasets, metrics, registry, tasks
from bench.protocols import of_task
from curate.errors import unknown


def listing(kind: str) -> list[dict[str, Any]]:
    """One dict per model, task, metric, evaluator or dataset (plural), all with the same keys."""
    return {
        "models": _models,
        "tasks": _tasks,
        "metrics": _metrics,
        "evaluators": _evaluators,
        "datasets": datasets.listing,
    }[kind]()


def facts(name: str) -> dict[str, Any]:
    """All that is known of one model, task, metric, evaluator or suite; `UserError` suggests the nearest name."""
    import baselines

    all_tasks, all_metrics = tasks.available(), metrics.available()
    if task := all_tasks.get(name):
        references = {}
        for aspect, reference in task.references.items():
            references[f"{aspect} compared with"] = reference.meaning
            if reference.otherwise:
                references[f"{aspect}, where no truth is known"] = reference.otherwise.meaning
        about = {"task": of_task(task).id, "description": task.description, "size": task.size}
        return about | {"frames per clip, at most": task.frames_per_clip} | references
    if metric := all_metrics.get(name):
        about = {"metric": metric.id, "description": metric.description, "unit": metric.unit or "none"}
        direction = "higher is better" if metric.higher_is_better else "lower is better"
        return about | {
            "direction": direction,
            "compares": metric.aspect,
            "needs": metric.feature,
            "value": "one for each frame" if metric.of_sets is None else "one for all frames together",
            "paper": metric.paper or "none",
        }
    if name in baselines.names():
        return _model_facts(name)
    networks = _evaluators()
    if of_kind := [row for row in networks if row["kind"] == name]:
        return {"kind": name} | {f"suite {row['suite']}": _network(row) for row in of_kind}
    if of_suite := [row for row in networks if row["suite"] == name]:
        return {"suite": name} | {row["kind"]: _network(row) for row in of_suite}
    known = {row[field] for row in networks for field in ("kind", "suite")}
    raise unknown("name", name, {*all_tasks, *all_metrics, *baselines.names(), *known})


def _network(row: dict[str, Any]) -> str:
    """What a suite has for a kind, in one line."""
    if row["missing because"]:
        return f"NULL: {row['missing because']}"
    return f"{row['network']}, sha256 {row['sha256']}..., licence {row['licence']}"


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
    return [{"task": of_task(task).id, "description": task.description} for task in tasks.available().values()]


def _metrics() -> list[dict[str, Any]]:
    return [
        {
            "metric": metric.id,
            "better": "higher" if metric.higher_is_better else "lower",
            "unit": metric.unit,
            "compares": metric.aspect,
            "needs": metric.feature,
            "variant of": metric.variant_of,
            "description": metric.description,
        }
        for metric in metrics.available().values()
    ]


def _evaluators() -> list[dict[str, Any]]:
    from bench.evaluators.suite import every_network

    return every_network()
