"""The build: finds videos, hands them to the engine, writes the ledger as results come and the manifest at the end."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from curate import engine, manifest, video
from curate.console import milestone, progress, say
from curate.errors import BadVideo, UserError
from curate.files import remove_partials, sha256_file
from curate.ledger import LEDGER, Item, Ledger, SourceFile
from curate.settings import Settings
from curate.worker import VideoResult, VideoTask, failure, process

SUFFIXES = frozenset(
    (
        ".mp4",
        ".m4v",
        ".mov",
        ".mkv",
        ".webm",
        ".avi",
        ".flv",
        ".ts",
        ".mts",
        ".m2ts",
        ".mpg",
        ".mpeg",
        ".wmv",
        ".ogv",
        ".gif",
    )
)
_DISK_ERRORS = (errno.ENOSPC, errno.EROFS, errno.EDQUOT)


@dataclass(frozen=True)
class Report:
    """What a build did."""

    videos: int
    done_before: int  # videos on which there was nothing to do
    clips: int
    seconds: float  # of kept clips
    failed: tuple[tuple[str, str], ...]  # file, reason
    manifest: Path
    counts: tuple[tuple[str, str, str, int], ...]  # kind, verdict, reason, how many


def find_videos(source: Path, out: Path) -> list[Path]:
    """Video files of a folder (all depths, sorted, without `out`), or the file given; `UserError` if there is none."""
    if not source.exists():
        raise UserError(f"{source}: no such file or folder")
    if source.is_file():
        return [source]
    inside = out.resolve()
    found = sorted(
        path for path in _walk(source) if path.suffix.lower() in SUFFIXES and not path.resolve().is_relative_to(inside)
    )
    if not found:
        raise UserError(f"{source}: no video in it (looked for {' '.join(sorted(SUFFIXES))})")
    return found


def _walk(folder: Path) -> Iterator[Path]:
    for entry in folder.iterdir():  # not rglob: it would pass over folders that may not be read
        if entry.is_dir() and not entry.is_symlink():
            yield from _walk(entry)
        elif entry.is_file():
            yield entry


def video_id(path: Path, sha256: str) -> str:
    """Readable and content-derived: what is harmless of the file's name, and 8 hex digits of its content."""
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "_", path.stem).strip("._-")[:60]
    return f"{stem or 'video'}-{sha256[:8]}"


def build(source: Path, out: Path, settings: Settings | None = None, *, workers: int = 1) -> Report:
    """Curate the videos of `source` (folder or file) into the dataset `out`.

    Run again it does only what is missing; after a kill it goes on where it stopped. The manifest's bytes depend on the
    videos and the settings alone. `UserError` where the input has no video or the output cannot be written; videos that
    cannot be read are named in the report and in the ledger.
    """
    settings = settings or Settings()
    paths = find_videos(source, out)
    out.mkdir(parents=True, exist_ok=True)
    with Ledger(out / LEDGER) as ledger, progress() as bar:
        remove_partials(out)
        listing = bar.add_task("reading files", total=len(paths), note="")
        todo: list[tuple[VideoTask, SourceFile]] = []
        for chosen in _survey(paths, source if source.is_dir() else source.parent, out, settings, ledger):
            bar.advance(listing)
            if chosen is not None:
                todo.append(chosen)
        bar.remove_task(listing)
        files = {task.video_id: file for task, file in todo}
        clips = len(ledger.manifest_rows())
        work = bar.add_task("videos", total=len(todo), note="")
        results = engine.run(process, [task for task, _ in todo], workers)
        for done, (task, result) in enumerate(results, start=1):
            rows = _checked(task, result)
            file = files[task.video_id]
            if rows.items[0].error_class not in (None, BadVideo.error_class):
                file = replace(file, settings="")  # not the video's fault: the next run tries again
            for obsolete in ledger.replace(file, rows.items, rows.clips):
                (out / obsolete).unlink(missing_ok=True)
                clips -= 1
            clips += len(rows.clips)
            bar.update(work, advance=1, note=f"{clips} clips")
            if milestone(done, len(todo)):
                say(f"{done} of {len(todo)} videos, {clips} clips")
        manifest_rows = ledger.manifest_rows()
        return Report(
            videos=len(paths),
            done_before=len(paths) - len(todo),
            clips=len(manifest_rows),
            seconds=sum(row["end_s"] - row["start_s"] for row in manifest_rows),
            failed=tuple(ledger.failures()),
            manifest=manifest.write(out, manifest_rows),
            counts=tuple(ledger.counts()),
        )


def _survey(
    paths: Sequence[Path], root: Path, out: Path, settings: Settings, ledger: Ledger
) -> Iterator[tuple[VideoTask, SourceFile] | None]:
    """For each file the work to do on it; None: it was done before and its clips are there, or it is a copy."""
    known = ledger.sources()
    lost = {str(row["video_id"]) for row in ledger.manifest_rows() if not (out / str(row["path"])).is_file()}
    owners = {file.sha256: file.path for file in reversed(known.values()) if not file.is_copy}
    for path in paths:
        name, stat = path.relative_to(root).as_posix(), path.stat()
        before = known.get(name)
        if before and (before.size, before.changed_ns) != (stat.st_size, stat.st_mtime_ns):
            before = None
        if before and before.settings == settings.fingerprint and before.video_id not in lost:
            yield None
            continue
        sha256 = before.sha256 if before else sha256_file(path)
        identity = video_id(path, sha256)
        file = SourceFile(name, stat.st_size, stat.st_mtime_ns, sha256, identity, settings.fingerprint)
        if owners.setdefault(sha256, name) != name:
            _note_copy(ledger, file, owners[sha256])
            yield None
        else:
            yield VideoTask(path, identity, sha256, out, settings, ledger.attempts(identity) + 1), file


def _note_copy(ledger: Ledger, file: SourceFile, original: str) -> None:
    copy = replace(file, video_id=f"{file.video_id}@{file.path}")
    item = Item(copy.video_id, "video", copy.video_id, None, "probe", "dropped", f"same bytes as {original}")
    ledger.replace(copy, [item], [])


def _checked(task: VideoTask, result: VideoResult | Exception) -> VideoResult:
    if isinstance(result, VideoResult):
        return result
    if isinstance(result, OSError) and result.errno in _DISK_ERRORS:
        raise result
    if isinstance(result, UserError):  # a prerequisite is missing (weights, say): the same for every video
        raise result
    kind = "crash" if isinstance(result, engine.Crashed) else type(result).__name__
    return VideoResult((failure(task, f"{task.path.name}: {result}", kind),), ())


@dataclass(frozen=True)
class Plan:
    """What a dry run says."""

    readable: int
    hours: float
    gigabytes: float
    too_small: int  # videos whose frame is below min_res
    unreadable: tuple[tuple[str, str], ...]


def plan(source: Path, out: Path, settings: Settings) -> Plan:
    """Read the headers of all videos; nothing is decoded beyond a first frame, nothing written."""
    paths = find_videos(source, out)
    hours, size, too_small, unreadable = 0.0, 0, 0, []
    with progress() as bar:
        task = bar.add_task("headers", total=len(paths), note="")
        for path in paths:
            try:
                info = video.info(path)
                hours += info.duration_s / 3600
                size += path.stat().st_size
                too_small += min(info.width, info.height) < settings.selection.min_res
            except BadVideo as error:
                unreadable.append((path.name, str(error)))
            bar.advance(task)
    return Plan(len(paths) - len(unreadable), hours, size / 1e9, too_small, tuple(unreadable))
