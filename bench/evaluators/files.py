"""Published files of the networks that metrics need: what they are, where they come from, where they lie.

`files.toml` has a table for each network. The hash of a file is pinned whole where it is known, by its first digits
where the file's name holds them (as torch's hub names files), and not at all where nobody publishes it; what was used
is in every run record and signature either way.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from curate.errors import MissingPrerequisite, UserError, unknown
from curate.files import sha256_file
from curate.perception import weights
from curate.perception.interface import NetworkInfo
from curate.perception.spec import read_spec, spec_files

TABLE = Path(__file__).with_name("files.toml")
INSIGHTFACE = Path("~/.insightface/models/buffalo_l")  # where insightface's own command puts its files


class _Table(BaseModel):
    """A network as `files.toml` has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    spec: bool = False  # `curate.perception` has a spec of this name, with file names, hashes, licence
    base: str = ""  # of a spec's files: the address without the name
    sizes: tuple[int, ...] = ()  # of a spec's files, in bytes
    file: str = ""
    urls: tuple[str, ...] = ()  # answer with the file itself
    archives: tuple[str, ...] = ()  # zip files that hold it
    pages: tuple[str, ...] = ()  # a person has to look there
    sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    sha256_start: str = ""
    bytes: int = 0  # exact; 0: not known
    megabytes: float = 0.0  # about, of 1e6 bytes, where the exact size is not known
    licence: str = ""
    restricted: bool = False  # the licence has to be accepted
    torchscript: bool = False  # the file is code: see `bench.evaluators.consent`
    paper: str = ""
    note: str = ""


class PublishedFile(BaseModel):
    """One file of a network; `files.toml` explains the fields."""

    model_config = ConfigDict(frozen=True)

    network: str
    name: str
    urls: tuple[str, ...]
    archives: tuple[str, ...]
    pages: tuple[str, ...]
    sha256: str
    sha256_start: str
    bytes: int
    megabytes: float
    licence: str
    restricted: bool
    torchscript: bool
    note: str

    @property
    def size(self) -> str:
        """For people."""
        if self.bytes:
            return f"{self.bytes / 1e6:.1f} MB"
        return f"about {self.megabytes:.0f} MB" if self.megabytes else "unknown"

    @property
    def pin(self) -> str:
        """What is known of its hash, for people."""
        return self.sha256 or (f"{self.sha256_start}..." if self.sha256_start else "unknown")

    @property
    def source(self) -> str:
        """Every address, the best first."""
        return " or ".join((*self.urls, *self.archives, *self.pages))

    def fault(self, actual: str) -> str:
        """What is wrong with a file of that hash; "" where nothing is."""
        if self.sha256 and actual != self.sha256:
            return f"its sha256 is {actual}, not {self.sha256}"
        if not actual.startswith(self.sha256_start):
            return f"its sha256 is {actual}, which does not begin with {self.sha256_start}"
        return ""

    def check(self, path: Path, actual: str) -> None:
        """`UserError` where the file at `path`, of that hash, is another one."""
        if fault := self.fault(actual):
            raise UserError(f"network file {path} is not the expected one: {fault}; replace it: {self.by_hand()}")

    def here(self) -> Path | None:
        """Where the file lies, None where it is absent."""
        places = [*weights.folders(), *([INSIGHTFACE.expanduser()] if self.archives else [])]
        return next((place / self.name for place in places if (place / self.name).is_file()), None)

    def by_hand(self) -> str:
        """How a person gets it: from where, where to put it, what it must be."""
        note = f"; {self.note}" if self.note else ""
        trust = f", then say that you trust it: {self.trusting}" if self.torchscript and not self.sha256 else ""
        return (
            f"get {self.name} from {self.source} ({self.size}, sha256 {self.pin}, licence {self.licence}{note}) "
            f"and put it into {weights.folders()[0]} under that name{trust}"
        )

    @property
    def trusting(self) -> str:
        """The command with which a person says that they trust the file that lies here."""
        return f"bench weights fetch {self.network} --unverified"


@cache
def _tables() -> dict[str, _Table]:
    data = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return {name: _Table.model_validate(table) for name, table in data.items()}


def names() -> list[str]:
    """The networks whose files are known."""
    return list(_tables())


def files_of(network: str) -> list[PublishedFile]:
    """The files of a network; `UserError` suggests the nearest name."""
    if network not in _tables():
        raise unknown("network", network, _tables())
    return list(_files(network, _tables()[network]))


def _files(network: str, table: _Table) -> Iterator[PublishedFile]:
    shared = {"network": network, **table.model_dump(include={"archives", "pages", "restricted", "torchscript"})}
    if not table.spec:
        fields = {"urls", "sha256", "sha256_start", "bytes", "megabytes", "licence", "note"}
        yield PublishedFile(name=table.file, **shared, **table.model_dump(include=fields))
        return
    spec = read_spec(spec_files()[network])
    pinned_files = [pinned for pinned in (spec.files.model, spec.files.weights) if pinned is not None]
    for pinned, size in zip(pinned_files, table.sizes, strict=True):
        yield PublishedFile(
            name=pinned.name,
            urls=(table.base + pinned.name,) if table.base else (),
            sha256=pinned.sha256,
            sha256_start="",
            bytes=size,
            megabytes=0.0,
            licence=spec.licence,
            note=table.note,
            **shared,
        )


def locate(network: str) -> tuple[Path, NetworkInfo]:
    """The one file of a network, its content verified, and what a record keeps of it.

    Raises `MissingPrerequisite` with what to do where it is absent, `UserError` where it is another file.
    """
    (file,) = files_of(network)
    path = file.here()
    if path is None:
        looked = ", ".join(map(str, weights.folders()))
        accept = " --accept-licence" if file.restricted else ""
        fetch = f"bench weights fetch {network}{accept}, or " if file.urls or file.archives else ""
        raise MissingPrerequisite(f"network file {file.name} is missing (looked in {looked}): {fetch}{file.by_hand()}")
    digest = digest_of(path)
    file.check(path, digest)
    return path, NetworkInfo(network, digest, file.licence, file.source, path.stat().st_size)


def digest_of(path: Path) -> str:
    """SHA-256 of a file that is read once in a process as long as it does not change."""
    stat = path.stat()
    return _digest(path, stat.st_size, stat.st_mtime_ns)


@cache
def _digest(path: Path, size: int, mtime_ns: int) -> str:
    return sha256_file(path)
