"""150 files that a curation must survive, made the same every time: broken, lying, misnamed and good ones."""

from __future__ import annotations

import io
import os
import pickle
import random
import socket
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from tests.curate.quick import textured

COUNT = 150
SIDE, FRAMES = 96, 30
KEPT, FAILED, ANY = "kept", "failed", "any"


@dataclass(frozen=True)
class Hostile:
    """One file of the folder."""

    name: str  # relative to the folder
    expected: str  # verdict of its row: kept, failed, or any (with a reason, where it is not kept)


def make_hostile(folder: Path, outside: Path) -> list[Hostile]:
    """Fill `folder` with `COUNT` files; its links lead to `outside`."""
    folder.mkdir(parents=True)
    outside.mkdir(parents=True)
    base = _base(folder.parent / "base")
    made: list[Hostile] = []
    for family in (_truncated, _lying, _oddities, _stamps, _renamed, _names, _places):
        for name, content, expected in family(base):
            _write(folder / name, content)
            made.append(Hostile(name, expected))
    made += _special(folder, outside, base)
    for number in range(COUNT - len(made)):
        kind = ("mp4", "mkv", "avi", "ts", "webm", "gif", "flv")[number % 7]
        name = f"flipped-{number:02d}.{kind}"
        (folder / name).write_bytes(_flipped(base[kind], number, flips=(1, 8, 64)[number % 3]))
        made.append(Hostile(name, ANY))
    return made


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _base(folder: Path) -> dict[str, bytes]:
    """Good videos by container, all of one content."""
    folder.mkdir()
    codecs = {"mp4": "libx264", "mkv": "libx264", "ts": "libx264", "flv": "libx264", "mov": "mpeg4", "avi": "mpeg4"}
    for kind, codec in codecs.items():
        encode(folder / f"good.{kind}", textured(FRAMES, 1, SIDE), codec)
    encode(folder / "good.webm", textured(FRAMES, 1, SIDE), "libvpx")
    encode(folder / "good.gif", textured(FRAMES, 1, SIDE), "gif", "rgb8")
    front = {"movflags": "+faststart"}
    encode(folder / "front.mp4", textured(FRAMES, 1, SIDE), "libx264", container_options=front)
    fragments = {"movflags": "frag_keyframe+empty_moov"}
    encode(folder / "fragments.mp4", textured(FRAMES, 1, SIDE), "libx264", container_options=fragments)
    found = {path.suffix[1:]: path.read_bytes() for path in folder.glob("good.*")}
    return found | {name: (folder / f"{name}.mp4").read_bytes() for name in ("front", "fragments")}


def encode(
    path: Path,
    pictures: list[NDArray[np.uint8]],
    codec: str,
    pixel_format: str = "yuv420p",
    *,
    ticks: list[int] | None = None,
    format_name: str | None = None,
    container_options: dict[str, str] | None = None,
) -> bytes:
    """Write pictures of any size at 25 a second, or at `ticks` of 1/25 s; gives the bytes."""
    with av.open(str(path), "w", format=format_name, options=container_options or {}) as container:
        stream: Any = container.add_stream(codec, rate=25)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixel_format
        stream.codec_context.time_base = Fraction(1, 25)
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixel_format)
            frame.pts, frame.time_base = ticks[index] if ticks else index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path.read_bytes()


Made = Iterator[tuple[str, bytes, str]]  # name, content, expected verdict


def _truncated(base: dict[str, bytes]) -> Made:
    yield "empty.mp4", b"", FAILED
    yield "empty.webm", b"", ANY  # a copy of the other
    yield "one-byte.mkv", b"\0", FAILED
    for kind, pieces, expected in (
        ("mp4", 5, FAILED),  # its index is at the end
        ("front", 6, ANY),
        ("fragments", 3, ANY),
        ("ts", 3, ANY),
        ("mkv", 3, ANY),
        ("avi", 2, ANY),
        ("webm", 2, ANY),
        ("gif", 2, ANY),
    ):
        suffix = "mp4" if kind in ("front", "fragments") else kind
        for piece in range(1, pieces + 1):
            content = base[kind][: len(base[kind]) * piece // (pieces + 1)]
            yield f"truncated-{kind}-{piece:02d}.{suffix}", content, expected


def _flipped(content: bytes, seed: int, flips: int) -> bytes:
    rng, damaged = random.Random(seed), bytearray(content)
    for _ in range(flips):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def _at(content: bytes, mark: bytes, offset: int, value: bytes) -> bytes:
    """`content` with `value` written `offset` bytes after the first `mark`."""
    place = content.index(mark) + offset
    return content[:place] + value + content[place + len(value) :]


def _lying(base: dict[str, bytes]) -> Made:
    mp4, avi, gif = base["mp4"], base["avi"], base["gif"]
    for side in (0, 65_000):
        sides = struct.pack(">HH", side, side)
        yield f"entry-{side}.mp4", _at(mp4, b"avc1", 28, sides), ANY  # the stream itself knows better
        yield f"track-{side}.mp4", _at(mp4, b"tkhd", 80, struct.pack(">II", side << 16, side << 16)), ANY
        yield f"bitmap-{side}.avi", _at(avi, b"strf", 12, struct.pack("<ii", side, side)), ANY
        yield f"screen-{side}.gif", _at(gif, b"GIF8", 6, struct.pack("<HH", side, side)), ANY
    yield "negative-height.avi", _at(avi, b"strf", 12, struct.pack("<ii", SIDE, -(2**31))), ANY
    yield "years.mp4", _at(mp4, b"mvhd", 20, b"\xff" * 4), ANY
    yield "years-of-media.mp4", _at(mp4, b"mdhd", 20, b"\xff\xff\xff\xf0"), ANY
    yield "no-timescale.mp4", _at(mp4, b"mdhd", 16, bytes(4)), ANY
    yield "many-samples.mp4", _at(mp4, b"stsz", 12, b"\x7f\xff\xff\xff"), ANY
    yield "many-equal-samples.mp4", _at(mp4, b"stsz", 8, b"\0\0\0\1\xff\xff\xff\xff"), ANY
    yield "long-steps.mp4", _at(mp4, b"stts", 12, b"\xff" * 4), ANY
    yield "many-steps.mp4", _at(mp4, b"stts", 12, b"\x7f\xff\xff\xff\0\0\0\0"), ANY
    yield "far-chunks.mp4", _at(mp4, b"stco", 12, b"\xff" * 4), ANY
    for name, size in (("none", 0), ("small", 7), ("large", 0x7FFFFFFF)):
        yield f"moov-{name}.mp4", _at(mp4, b"moov", -4, struct.pack(">I", size)), ANY
    yield "no-codec.mp4", _at(mp4, b"avc1", 0, b"zzzz"), ANY
    nested = b"".join(struct.pack(">I", 8 * (3000 - depth)) + b"moov" for depth in range(3000))
    yield "moov-in-moov.mp4", mp4[:32] + nested, FAILED
    yield "outside-reference.mp4", _at(mp4, b"url ", 4, bytes(4)), ANY  # its data would be in another file


def _oddities(base: dict[str, bytes]) -> Made:
    with TemporaryDirectory() as scratch:
        made = Path(scratch)
        rows = textured(FRAMES, 2, 160)
        yield "odd-sides.mkv", encode(made / "a.mkv", [p[:97, :161] for p in rows], "ffv1"), ANY
        yield "one-pixel.mkv", encode(made / "b.mkv", [p[:1, :1] for p in rows], "ffv1", "yuv444p"), ANY
        yield "strip.avi", encode(made / "c.avi", [p[:3, :160] for p in rows], "rawvideo"), ANY
        yield "two-pixels.avi", encode(made / "d.avi", [p[:2, :2] for p in rows], "rawvideo"), ANY
        yield "grey.mkv", encode(made / "e.mkv", rows, "ffv1", "gray"), ANY
        yield "ten-bits.mkv", encode(made / "f.mkv", rows, "ffv1", "yuv420p10le"), ANY
        yield "see-through.mkv", encode(made / "g.mkv", rows, "ffv1", "bgra"), ANY
        yield "one-frame.mp4", encode(made / "h.mp4", rows[:1], "libx264"), ANY
        yield "one-frame.gif", encode(made / "i.gif", rows[:1], "gif", "rgb8"), ANY
        small = encode(made / "j.ts", [p[:64, :64] for p in rows], "libx264")
        yield "size-changes.ts", base["ts"] + small, ANY
        yield "twice.ts", base["ts"] * 2, ANY
        yield "twice.mp4", base["front"] * 2, ANY
        yield "elementary.mpg", encode(made / "k.h264", rows, "libx264", format_name="h264"), ANY
        yield "sound-only.mp4", _sound(made / "l.mp4"), FAILED
        yield "sound-only.mkv", _sound(made / "m.mkv"), FAILED
    avi = base["avi"]
    yield "no-index.avi", avi[: avi.rindex(b"idx1")], ANY
    yield "no-cues.mkv", base["mkv"].replace(b"\x1c\x53\xbb\x6b", b"\xec\x53\xbb\x6b"), ANY


def _sound(path: Path) -> bytes:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("aac", rate=16_000, layout="mono")
        block = av.AudioFrame.from_ndarray(np.zeros((1, 16_000), np.float32), format="fltp", layout="mono")
        block.sample_rate = 16_000
        container.mux(stream.encode(block))
        container.mux(stream.encode(None))
    return path.read_bytes()


def _stamps(base: dict[str, bytes]) -> Made:
    del base
    rows, count = textured(FRAMES, 3, SIDE), range(FRAMES)
    with TemporaryDirectory() as scratch:
        made = Path(scratch)
        for name, kind, ticks in (
            ("negative", "mkv", [n - 20 for n in count]),
            ("negative", "mp4", [n - 20 for n in count]),
            ("huge", "mkv", [n + 10**9 for n in count]),
            ("huge", "mp4", [n + 10**6 for n in count]),
            ("gap", "mp4", [n + 10**6 * (n > 15) for n in count]),
            ("slow", "mkv", [n * 10_000 for n in count]),
        ):
            path = made / f"{name}.{kind}"
            yield f"stamps-{path.name}", encode(path, rows, "libx264", ticks=ticks), ANY
        same = encode(made / "same.ts", rows, "mpeg1video")
        yield "garbage-before.ts", random.Random(5).randbytes(5000) + same, ANY


def _renamed(base: dict[str, bytes]) -> Made:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("../../escaped.mp4", base["mp4"])
    yield "text.mp4", b"not a video at all\n" * 40, FAILED
    yield "archive.mp4", archive.getvalue(), FAILED
    yield "pickle.mp4", pickle.dumps({"a": [1, 2, 3]}), FAILED
    yield "page.webm", b"<!doctype html><video src=x></video>", FAILED
    yield "script.mkv", b"#!/bin/sh\ntouch escaped\n", FAILED
    yield "program.avi", b"\x7fELF" + bytes(200), FAILED
    yield "noise.mp4", random.Random(1).randbytes(20_000), FAILED
    yield "zeros.mp4", bytes(20_000), FAILED
    with TemporaryDirectory() as scratch:
        made = Path(scratch)
        yield "still.mp4", encode(made / "a.png", textured(1, 4), "png", "rgb24", format_name="image2"), ANY
    yield "playlist.mp4", b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n../outside/good.mp4\n#EXT-X-ENDLIST\n", FAILED
    yield "list.mp4", b"ffconcat version 1.0\nfile ../outside/good.mp4\n", FAILED
    yield (
        "session.mp4",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nt=0 0\nm=video 9 RTP/AVP 96\n",
        FAILED,
    )
    yield "really-mkv.mp4", base["mkv"], KEPT
    yield "really-mp4.avi", _distinct(base["mp4"], 1), KEPT


def _distinct(mp4: bytes, number: int) -> bytes:
    """The same video in other bytes: copies are not worked on."""
    return mp4 + struct.pack(">I", 12) + b"free" + struct.pack(">I", number)


NAMES = (
    "quote's.mp4",
    'double"quote.mp4',
    "line\nbreak.mp4",
    "tab\tand\rreturn.mp4",
    "-rf.mp4",
    "--out.mp4",
    "..mp4.mp4",
    "....mp4",
    "a..b/..c.mp4",
    "dots/.../..hidden.mp4",
    "сказка 物語 قصة.mp4",
    "emoji 😀🎬.mp4",
    "\u202eright-to-left.mp4",
    "$(touch escaped).mp4",
    "; touch escaped;.mp4",
    "%s%n{0}{}.mp4",
    "back\\slash.mp4",
    "\x1b[31mred.mp4",
    "<img src=x onerror=alert(1)>.mp4",
    "x" * 246 + ".mp4",
    "CAPITALS.MP4",
    os.fsdecode(b"not-utf8-\xff\xfe.mp4"),
)


def _names(base: dict[str, bytes]) -> Made:
    yield from ((name, _distinct(base["mp4"], 100 + number), KEPT) for number, name in enumerate(NAMES))


def _places(base: dict[str, bytes]) -> Made:
    yield "folder.mp4/inside.mp4", _distinct(base["mp4"], 200), KEPT
    yield "/".join(["deep"] * 40) + "/video.mp4", _distinct(base["mp4"], 201), KEPT


def _special(folder: Path, outside: Path, base: dict[str, bytes]) -> list[Hostile]:
    (outside / "good.mp4").write_bytes(_distinct(base["mp4"], 300))
    (outside / "folder").mkdir()
    (outside / "folder" / "unseen.mp4").write_bytes(_distinct(base["mp4"], 301))
    links = {
        "link.mp4": (outside / "good.mp4", KEPT),
        "link-to-nowhere.mp4": (outside / "nothing.mp4", FAILED),
        "link-to-itself.mp4": (folder / "link-to-itself.mp4", FAILED),
        "link-to-folder.mp4": (outside / "folder", FAILED),
        "link-to-zeros.mp4": (Path("/dev/zero"), FAILED),
    }
    for name, (target, _) in links.items():
        (folder / name).symlink_to(target)
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe.mp4")
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(folder)  # names of sockets are short
        try:
            listener.bind("socket.mp4")
        finally:
            os.chdir(here)
    (folder / "forbidden.mp4").write_bytes(_distinct(base["mp4"], 302))
    (folder / "forbidden.mp4").chmod(0)
    readable = os.access(folder / "forbidden.mp4", os.R_OK)  # the superuser may read anything
    found = [Hostile(name, expected) for name, (_, expected) in links.items()]
    return [
        *found,
        Hostile("pipe.mp4", FAILED),
        Hostile("socket.mp4", FAILED),
        Hostile("forbidden.mp4", KEPT if readable else FAILED),
    ]
