"""Protocols: all that decides which frames are compared, under a name and a version, as TOML files with lists of pairs.

Those that ship are in `data_manifests/protocols`; a path of a TOML file names any other, whose id then ends in the
first digits of its hash. A task without a file of its own is its own protocol. Another list of pairs, size, number of
shots or frames, other thresholds or another policy for failed frames make another protocol: `definition_sha256`
changes, and the shipped files pin it, so that `verify` finds a change without a new version.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench import metrics, pair_lists, tasks
from curate.console import say
from curate.errors import MissingPrerequisite, UserError, unknown
from curate.files import sha256_file, sha256_text
from leaderboard.records import FailedFrames

if TYPE_CHECKING:
    from bench.tasks.base import Pair, Parameter, Task
    from curate.dataset import Clip, Dataset

SHIPPED = Path(__file__).resolve().parents[1] / "data_manifests" / "protocols"
LISTS = "TALKINGHEAD_LISTS"  # the folder where lists that papers published are looked for
SHOWN = 5
ID = r"[a-z0-9][a-z0-9.-]{0,60}"
_SHA256 = r"[0-9a-f]{64}"
_Number = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PairList(_Strict):
    """A file of pairs, as `bench.pair_lists` reads it."""

    file: str
    sha256: str = Field(pattern=f"^{_SHA256}$")
    form: Literal["clips", "fomm", "frames"] = "clips"
    address: str = ""  # where it is published; "": it lies beside the protocol


class ProtocolFile(_Strict):
    """A protocol as written."""

    protocol: str = Field(pattern=f"^{ID}$")
    version: int = Field(ge=1)
    task: str
    task_version: int = Field(ge=1)
    description: str
    paper: str = ""
    size: int = Field(ge=16, le=4096)
    frames_per_clip: int = Field(ge=1)
    shots: int = Field(ge=1)
    failed_frames: FailedFrames
    parameters: dict[str, _Number | str | tuple[_Number, ...]] = Field(default_factory=dict)  # the task's, its metrics'
    gaps: tuple[str, ...] = ()  # what the paper does not say, and what stands in for it
    pairs: PairList | None = None  # None: the task draws them, except where `lists` has them
    lists: dict[str, PairList] = Field(default_factory=dict)  # by dataset: what the task draws there with seed 0
    definition_sha256: str = ""  # the pin


@dataclass(frozen=True)
class Protocol:
    """A protocol that can be run: its file, the folder of its lists, and its id with the version."""

    file: ProtocolFile
    folder: Path
    id: str

    def task(self) -> Task:
        """The task as this protocol has it; `UserError` where the installed task is of another version, or has no such
        parameter."""
        task = tasks.get(self.file.task)
        if task.version != self.file.task_version:
            raise UserError(
                f"{self.id} is of version {self.file.task_version} of task {task.id}, here is {task.version}"
            )
        stated = ("size", "frames_per_clip", "shots")
        parameters = {**task.parameters, **self.file.parameters}
        known = _known(task) if self.file.parameters else {}
        for name, value in self.file.parameters.items():
            if name not in known:
                raise unknown(f"parameter of {self.id}", name, known)
            if _form(value) != _form(known[name]):
                raise UserError(f"{self.id}: parameters.{name}: expected {_form(known[name])}, got {value!r}")
        return replace(task, **{name: getattr(self.file, name) for name in stated}, parameters=parameters)

    @property
    def definition_sha256(self) -> str:
        """Hash of all that decides which frames are compared, and how."""
        task = self.task()
        references = {
            aspect: [ref.frames, ref.otherwise and ref.otherwise.frames] for aspect, ref in task.references.items()
        }
        decided = {
            "task": [task.id, task.version, task.motion, task.consecutive, task.angles, dict(task.parameters)],
            "frames": [task.size, task.frames_per_clip, task.shots, self.file.failed_frames],
            "references": references,
            "pairs": self.file.pairs.sha256 if self.file.pairs else {k: v.sha256 for k, v in self.file.lists.items()},
        }
        return sha256_text(json.dumps(decided, sort_keys=True))

    def draw(self, task: Task, dataset: Dataset, clips: Sequence[Clip], seed: int) -> list[Pair]:
        """The pairs on a dataset of which `clips` are to be used: of the protocol's list, or as the task draws them.

        Of a published list, pairs whose clips the dataset does not have are named and left out, which changes the pair
        list's hash. `UserError` when none is left, or a list of a dataset by name does not fit it.
        """
        own = self.file.lists.get(dataset.name) if seed == 0 else None
        if self.file.pairs is None and own is None:
            return task.pairs(clips, seed)
        named = self.file.pairs or own
        assert named is not None  # noqa: S101  one of the two, as of the line before last
        listed = pair_lists.read(self.path(named), named.form)
        pairs, lacking = pair_lists.resolve(listed, pair_lists.names_of(dataset.clips, _list_names(dataset)))
        if lacking:
            names = ", ".join(lacking[:SHOWN]) + f" and {len(lacking) - SHOWN} more" * (len(lacking) > SHOWN)
            told = f"{self.id}: {len(pairs)} of {len(listed)} pairs are in {dataset.name}, which lacks {names}"
            if own is not None or not pairs:
                raise UserError(told)
            say(told)
        return pairs

    def path(self, named: PairList) -> Path:
        """The file of a list, its hash checked; `MissingPrerequisite` says where to get it and where to put it."""
        folders = [self.folder, *([Path(os.environ[LISTS])] if os.environ.get(LISTS) else [])]
        found = next((path for folder in folders for path in _found(folder, named.file)), None)
        if found is None:
            raise MissingPrerequisite(
                f"{self.id} needs the list {named.file} (sha256 {named.sha256}), which is published at "
                f"{named.address or 'no address'}: put it into a folder and name that: export {LISTS}=FOLDER"
            )
        if (is_now := sha256_file(found)) != named.sha256:
            raise UserError(f"{found} is not the list of {self.id}: its sha256 is {is_now}, expected {named.sha256}")
        return found


def shipped() -> dict[str, Protocol]:
    """The protocols that ship, by id with version."""
    found = {}
    for path in sorted(SHIPPED.glob("*.toml")):
        file = read(path)
        found[f"{file.protocol}@{file.version}"] = Protocol(file, path.parent, f"{file.protocol}@{file.version}")
    return found


def get(name: str) -> Protocol:
    """A shipped protocol (`cross-id@1`; without a version the newest), or that of a TOML file."""
    if name.endswith(".toml"):
        path = Path(name)
        if not path.is_file():
            raise UserError(f"there is no protocol {path}")
        file = read(path)
        return Protocol(file, path.parent, f"{file.protocol}@{file.version}#{sha256_text(file.model_dump_json())[:8]}")
    every = shipped()
    versions = [one for one in every.values() if one.file.protocol == name]
    if versions:
        return max(versions, key=lambda one: one.file.version)
    if name not in every:
        raise unknown("protocol", name, every)
    return every[name]


def of_task(task: Task) -> Protocol:
    """The newest protocol that ships under a task's own name, for its version, or else what the task itself says."""
    own = [one for one in shipped().values() if (one.file.protocol, one.file.task_version) == (task.id, task.version)]
    if own:
        return max(own, key=lambda one: one.file.version)
    file = ProtocolFile.model_construct(
        protocol=task.id,
        version=task.version,
        task=task.id,
        task_version=task.version,
        description=task.description,
        size=task.size,
        frames_per_clip=task.frames_per_clip,
        shots=task.shots,
        failed_frames="penalise",
    )
    return Protocol(file, Path(), task.protocol)


def read(path: Path) -> ProtocolFile:
    """A protocol's file; `UserError` names the key that is wrong."""
    try:
        return ProtocolFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no TOML file: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"{path}: {'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from error


def verify(protocol: Protocol) -> str:
    """What is wrong with a protocol: its pin, its lists; "": nothing. A published list that is not here is no fault."""
    try:
        if why := changed(protocol):
            return why
        for named in ([protocol.file.pairs] if protocol.file.pairs else []) + [*protocol.file.lists.values()]:
            pair_lists.read(protocol.path(named), named.form)
    except MissingPrerequisite as error:
        say(str(error))
    except UserError as error:
        return str(error)
    return ""


def changed(protocol: Protocol) -> str:
    """How a protocol is not what its file has pinned; "": it is, or nothing was pinned."""
    if protocol.file.definition_sha256 in ("", now := protocol.definition_sha256):
        return ""
    return f"it is not what was pinned: now {now}, pinned {protocol.file.definition_sha256}; raise its version"


def facts(protocol: Protocol) -> dict[str, Any]:
    """What `bench protocols show` says."""
    file = protocol.file
    pairs: Any = "drawn by the task" if file.pairs is None else file.pairs.model_dump()
    return {
        "protocol": protocol.id,
        "description": file.description,
        "task": f"{file.task}@{file.task_version}",
        "paper": file.paper or "none",
        "compared at": f"{file.size} px, at most {file.frames_per_clip} frames a clip, {file.shots} source images",
        "failed frames": file.failed_frames,
        "parameters": file.parameters or "none",
        "pairs": pairs,
        "lists": {name: one.file for name, one in file.lists.items()} or "none",
        "gaps": list(file.gaps) or "none",
        "definition sha256": protocol.definition_sha256,
    }


def _form(value: Parameter) -> str:
    return "a text" if isinstance(value, str) else "a list of numbers" if isinstance(value, tuple) else "a number"


def _known(task: Task) -> dict[str, Parameter]:
    """Names of the parameters of a task and of the metrics that it has, with a value of the right form."""
    used = [metric for metric in metrics.available().values() if metric.aspect in task.references]
    return {**{name: 0.0 for metric in used for name in metric.takes}, **task.parameters}


def _found(folder: Path, name: str) -> list[Path]:
    """The file of this name in a folder or one below; a name with a way out of the folder finds nothing."""
    inside = [*folder.glob(name), *folder.glob(f"*/{Path(name).name}")] if ".." not in Path(name).parts else []
    return [path for path in inside if path.is_file() and path.resolve().is_relative_to(folder.resolve())]


def _list_names(dataset: Dataset) -> dict[str, str]:
    """Clip id -> the clip's name in the list that it was cut from, where it has one."""
    import pyarrow.parquet as pq

    from curate.dataset import MANIFEST

    path = dataset.root / MANIFEST
    if "list_name" not in pq.read_schema(path).names:
        return {}
    rows = pq.read_table(path, columns=["clip_id", "list_name"]).to_pylist()
    return {row["clip_id"]: row["list_name"] for row in rows if row["list_name"]}
