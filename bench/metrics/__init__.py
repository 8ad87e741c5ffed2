"""Metrics: pure functions, as `bench.metrics.l1(pred, target)`; one file each, found by being here.

A file that defines `METRIC` is a metric; `VARIANTS` are those that papers print under the same name, each with an id of
its own. An installed package adds more through the entry point group `talkinghead.metrics`. Nothing here imports torch
before a value is computed.
"""

from __future__ import annotations

from bench import registry
from bench.metrics.base import Metric as Metric

GROUP = "talkinghead.metrics"


def available() -> dict[str, Metric]:
    """Every metric by id, ours and installed ones, variants last."""
    own = registry.own(__name__, "METRIC", Metric)
    variants = registry.own(__name__, "VARIANTS", Metric)
    return own | registry.installed(GROUP, Metric, own | variants) | variants


def get(name: str) -> Metric:
    """The metric of this id, or an error that suggests the nearest one."""
    return registry.pick("metric", name, available())


# After this, `metrics.l1` is the function and not the module of that name that defines it.
globals().update(
    {
        metric.function.__name__: metric.function
        for kind in ("METRIC", "VARIANTS")
        for metric in registry.own(__name__, kind, Metric).values()
    }
)
