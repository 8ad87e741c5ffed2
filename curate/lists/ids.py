"""A list of YouTube ids, one a line, as TalkingHead-1KH's `train_video_ids.txt`: videos whose faces are to be found."""

from __future__ import annotations

from pathlib import Path

from curate.errors import UserError
from curate.lists.text import YOUTUBE_ID, bad, numbered, read_text, write_text, youtube_id, youtube_url
from curate.lists.tube import Video, VideoList

SPLITS = ("train", "val", "small")


def split_of(path: Path) -> str | None:
    """The split in a file's name (`val_video_ids.txt`), or None."""
    prefix, found, _ = path.name.partition("_video_")
    return prefix if found and prefix in SPLITS else None


def read(path: Path) -> VideoList:
    """Videos in the file's order; `UserError` for a line that is no id, and for an id named twice."""
    split = split_of(path)
    videos: dict[str, Video] = {}
    for number, line in numbered(read_text(path)):
        if not YOUTUBE_ID.fullmatch(line):
            raise bad(path, number, f"{line!r} is no YouTube id (11 letters, digits, - or _)")
        if line in videos:
            raise bad(path, number, f"{line} was named before")
        videos[line] = Video(line, youtube_url(line), split=split)
    return VideoList("ids", tuple(videos.values()))


def write(listing: VideoList, path: Path) -> None:
    """Write the ids without a last line end, as the published files are; `UserError` for a video that has none."""
    ids = {youtube_id(video.url) or video.video_id: video for video in listing.videos}
    for name in ids:
        if not YOUTUBE_ID.fullmatch(name):
            raise UserError(f"{name} is no YouTube video, so it cannot be in a list of ids")
    write_text(path, "\n".join(ids))
