"""Measure reenactment models: tasks x metrics x evaluators -> run records.

`bench.run(task, model, dataset)` is the whole of it; `bench.metrics.<id>(pred, target)` are the metrics alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    """`bench.run` and `bench.metrics`, imported when first asked for: neither torch nor a metric before that."""
    if name == "run":
        from bench.runner import run

        return run
    if name == "metrics":
        return import_module("bench.metrics")
    raise AttributeError(f"module 'bench' has no attribute {name!r}")
