"""Tasks: which pairs, which frames, what is compared. One file each, found by being here.

A file that defines `TASK` is a task. An installed package adds more through the entry point group `talkinghead.tasks`.
"""

from __future__ import annotations

from bench import registry
from bench.tasks.base import Task as Task

GROUP = "talkinghead.tasks"


def available() -> dict[str, Task]:
    """Every task by id, ours and installed ones."""
    return registry.load(__name__, "TASK", GROUP, Task)


def get(name: str) -> Task:
    """The task of this id, or an error that suggests the nearest one."""
    return registry.pick("task", name, available())
