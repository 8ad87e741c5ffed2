"""Raw video in, clips out: `curate.build(source, out, settings)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from curate.dataset import Clip, Dataset
    from curate.pipeline import Report, build
    from curate.settings import AnalysisSettings, SelectionSettings, Settings

__all__ = ["AnalysisSettings", "Clip", "Dataset", "Report", "SelectionSettings", "Settings", "build"]

_HOMES = {
    "AnalysisSettings": "settings",
    "Clip": "dataset",
    "Dataset": "dataset",
    "Report": "pipeline",
    "SelectionSettings": "settings",
    "Settings": "settings",
    "build": "pipeline",
}


def __getattr__(name: str) -> Any:
    """Import on first use, so that `curate --help` loads none of it."""
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module 'curate' has no attribute {name!r}")
    return getattr(importlib.import_module(f"curate.{_HOMES[name]}"), name)
