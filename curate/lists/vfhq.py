"""VFHQ: one text file a clip, `Clip+{id}+P{person}+C{clip}+F{a}-{b}.txt`, with the lines H, W, FPS and CROP in it.

The authors' cuts leak into the first and the last frame, so that consumers leave out frames a and b; so does the span
that is read here: a + 1 to b - 1, both included.
"""

from __future__ import annotations

import re
from pathlib import Path

from curate.errors import UserError
from curate.lists.text import bad, numbered, path_in, read_text, videos_of, whole, write_text
from curate.lists.tube import RefBox, Span, Tube, VideoList

_NAME = re.compile(r"Clip\+([^+/]+)\+P(\d{1,6})\+C(\d{1,6})\+F(\d{1,9})-(\d{1,9})")
_NUMBER = re.compile(r"\d{1,9}(\.\d+)?")


def is_name(name: str) -> bool:
    """Whether a file is called as VFHQ's are."""
    return name.endswith(".txt") and bool(_NAME.fullmatch(name.removesuffix(".txt")))


def read(path: Path) -> VideoList:
    """The clips of a folder's files in the order of their names, or of one file."""
    files = sorted(file for file in path.iterdir() if is_name(file.name)) if path.is_dir() else [path]
    if not files:
        raise bad(path, None, "has no files such as Clip+ID+P0+C0+F10-250.txt")
    texts = {file.name: read_text(file) for file in files}
    tubes = tuple(_tube(file, texts[file.name]) for file in files)
    return VideoList("vfhq", videos_of(tubes), tubes, texts)


def _tube(path: Path, text: str) -> Tube:
    named = _NAME.fullmatch(path.name.removesuffix(".txt"))
    if named is None:
        raise bad(path, None, "is not named as VFHQ's files: Clip+ID+P0+C0+F10-250.txt")
    first, last = int(named.group(4)), int(named.group(5))
    if last - first < 2:
        raise bad(path, None, "has no frame between its first and its last, which are cut away")
    height, width = (_numbers(path, text, key, 1)[0] for key in ("H", "W"))
    rate = _numbers(path, text, "FPS", 1)[0]
    left, top, right, bottom = _numbers(path, text, "CROP", 4)
    if left >= right or top >= bottom or not height or not width or not rate:
        raise bad(path, None, "H, W or FPS is 0, or the crop is empty")
    return Tube(
        name=path.name.removesuffix(".txt"),
        video_id=named.group(1),
        span=Span(first + 1, last, "frame", fps=rate),
        box=RefBox(left, top, right, bottom, width, height),
        identity_id=f"{named.group(1)}+P{named.group(2)}",
        attributes={"person": named.group(2), "clip": named.group(3)},
    )


def _numbers(path: Path, text: str, key: str, count: int) -> list[float]:
    """The last `count` words of the line that begins with `key`."""
    for number, line in numbered(text):
        words = line.replace(":", " ").split()
        if words[0] == key:
            if len(words) <= count or not all(_NUMBER.fullmatch(word) for word in words[-count:]):
                raise bad(path, number, f"{key} needs {count} numbers")
            return [float(word) for word in words[-count:]]
    raise bad(path, None, f"has no line {key}")


def write(listing: VideoList, path: Path) -> None:
    """Write one file a clip into the folder `path`. A file that was read keeps its other lines if its clip is as read.

    `UserError` for a tube that has no frames at a rate or no box in pixels of a known frame.
    """
    for tube in listing.tubes:
        name, text = _file(tube)
        old = listing.extra.get(f"{name}.txt")
        unchanged = old is not None and _tube(Path(f"{name}.txt"), old) == tube
        write_text(path_in(path, name, ".txt"), old if old is not None and unchanged else text)


def _file(tube: Tube) -> tuple[str, str]:
    span, box = tube.span, tube.box
    if span is None or span.unit != "frame" or span.part is not None or span.fps is None:
        raise UserError(f"{tube.name}: VFHQ's format has spans in frames of the whole video at a known rate")
    if box is None or box.width is None or box.height is None or (box.width, box.height) == (1, 1):
        raise UserError(f"{tube.name}: VFHQ's format has boxes in pixels of a known frame size")
    if "person" not in tube.attributes or "clip" not in tube.attributes or "+" in tube.video_id:
        raise UserError(f"{tube.name}: VFHQ's format numbers the persons and the clips of a video, and this has none")
    first, last = whole(span.start, f"the start of {tube.name}") - 1, whole(span.end, f"the end of {tube.name}")
    if first < 0:
        raise UserError(f"{tube.name} begins at frame 0, and VFHQ's clips have one frame before what is used of them")
    name = f"Clip+{tube.video_id}+P{tube.attributes['person']}+C{tube.attributes['clip']}+F{first}-{last}"
    size = [whole(value, f"the frame of {tube.name}") for value in (box.height, box.width)]
    sides = [whole(value, f"a side of {tube.name}") for value in (box.left, box.top, box.right, box.bottom)]
    return name, f"H {size[0]}\nW {size[1]}\nFPS {span.fps}\nCROP {' '.join(map(str, sides))}\n"
