"""What a build has to do: each video against what the ledger says of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from stat import S_ISREG

from curate.errors import BadVideo
from curate.files import printable, sha256_file, sha256_text
from curate.ledger import Item, Ledger, SourceFile
from curate.purge import tombstones
from curate.rows import VideoTask
from curate.settings import Settings
from curate.sources import Absent, Present, video_id


@dataclass(frozen=True)
class Note:
    """Something about a video that needs no work: written by the driver, for it alone has the ledger."""

    file: SourceFile | None = None
    items: tuple[Item, ...] = ()


class Survey:
    """Decides for each video what there is to do.

    It is made from the ledger as it is and never looks there again: it can run in another thread than the driver.
    """

    def __init__(self, out: Path, settings: Settings, ledger: Ledger) -> None:
        self._out, self._settings = out, settings
        self._known = ledger.sources()
        self._attempts: Mapping[str, int] = ledger.all_attempts()
        rows = ledger.manifest_rows()
        self._lost = {str(row["video_id"]) for row in rows if not (out / str(row["path"])).is_file()}
        self._owners = {file.sha256: file.path for file in reversed(self._known.values()) if not file.is_copy}
        self._purged = tombstones(out).values()
        self._open: dict[str, tuple[SourceFile, Callable[[], None]]] = {}
        self._notes: SimpleQueue[Note] = SimpleQueue()
        self.done_before = 0

    def fingerprint(self, present: Present) -> str:
        """What a video must have been worked on with for there to be nothing to do."""
        if present.wish is None:
            return self._settings.fingerprint
        return sha256_text(f"{self._settings.selection.fingerprint} {present.wish!r}")[:16]

    def is_settled(self, present: Present) -> bool:
        """Whether nothing is to be done for a video, so that it need not even be had."""
        before = self._known.get(present.name)
        return before is not None and before.settings == self.fingerprint(present) and before.video_id not in self._lost

    def tasks(self, origin: Iterable[Present | Absent]) -> Iterator[VideoTask]:
        """The work to do; what needs none becomes a note."""
        for video in origin:
            if isinstance(video, Absent):
                self._notes.put(self._absent(video))
                continue
            try:
                task = self._task(video)
            except OSError as error:
                task = None
                self._notes.put(self._unreadable(video, error))
            if task is None:
                video.release()
            else:
                yield task

    def finished(self, task: VideoTask) -> SourceFile:
        """What the ledger is to keep of a task's file; the file is no longer needed."""
        file, release = self._open.pop(task.video_id)
        release()
        return file

    def write_notes(self, ledger: Ledger) -> int:
        """Write to the ledger what became known since; gives of how many videos."""
        written = 0
        while True:
            try:
                note = self._notes.get_nowait()
            except Empty:
                return written
            written += 1
            if note.file is None:
                self.done_before += 1
            else:
                ledger.replace(note.file, note.items, [])
                self.done_before += note.file.is_copy

    def _task(self, video: Present) -> VideoTask | None:
        if self.is_settled(video) and not video.path.exists():  # downloaded, used and removed
            self._notes.put(Note())
            return None
        before, stat = self._known.get(video.name), video.path.stat()
        if not S_ISREG(stat.st_mode):  # a pipe would be waited for
            raise OSError(None, "not a regular file")
        if before and (before.size, before.changed_ns) != (stat.st_size, stat.st_mtime_ns):
            before = None
        if before and self.is_settled(video):
            self._notes.put(Note())
            return None
        sha256 = before.sha256 if before else sha256_file(video.path)
        identity = video.video_id or video_id(video.path, sha256)
        file = SourceFile(video.name, stat.st_size, stat.st_mtime_ns, sha256, identity, self.fingerprint(video))
        if any(tomb.is_video and (tomb.video_id == identity or tomb.sha256 == sha256) for tomb in self._purged):
            self._notes.put(Note())
            return None
        if video.wish is None and self._owners.setdefault(sha256, video.name) != video.name:
            self._notes.put(_copy(file, self._owners[sha256]))
            return None
        self._open[identity] = file, video.release
        return VideoTask(
            path=video.path,
            video_id=identity,
            sha256=sha256,
            out=self._out,
            settings=self._settings,
            attempts=self._attempts.get(identity, 0) + 1,
            wish=video.wish,
            known=video.known,
            facts=video.facts,
            purged=tuple(tomb for tomb in self._purged if tomb.video_id == identity),
        )

    def _unreadable(self, video: Present, error: OSError) -> Note:
        name = printable(video.path.name)
        identity = video.video_id or video_id(video.path, sha256_text(video.name))
        item = Item(
            item_id=identity,
            kind="video",
            video_id=identity,
            parent_id=None,
            stage="probe",
            verdict="failed",
            reason=error.strerror or str(error),
            error_class=BadVideo.error_class,
            attempts=self._attempts.get(identity, 0) + 1,
            scores={"file": name},
        )
        return Note(SourceFile(video.name, 0, 0, "", identity, ""), (item,))

    def _absent(self, video: Absent) -> Note:
        item = Item(
            item_id=video.video_id,
            kind="video",
            video_id=video.video_id,
            parent_id=None,
            stage="download",
            verdict="failed" if video.error_class else "dropped",
            reason=video.reason,
            error_class=video.error_class,
            attempts=self._attempts.get(video.video_id, 0) + video.attempts,
            scores={"file": video.name},
        )
        return Note(SourceFile(video.name, 0, 0, "", video.video_id, ""), (item,))


def _copy(file: SourceFile, original: str) -> Note:
    copy = replace(file, video_id=f"{file.video_id}@{file.path}")
    item = Item(copy.video_id, "video", copy.video_id, None, "probe", "dropped", f"same bytes as {original}")
    return Note(copy, (item,))
