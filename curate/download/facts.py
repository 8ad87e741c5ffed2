"""What a site says of a video before a byte of it is downloaded: size, length, licence, who made it, its formats."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True)
class Format:
    """One way in which a site offers a video. None: the site does not say."""

    format_id: str
    ext: str
    protocol: str
    has_video: bool
    has_audio: bool
    video_codec: str | None = None
    audio_codec: str | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    bitrate: int | None = None  # bits per second: of the picture, or of the sound where there is no picture
    size: int | None = None  # bytes, if need be estimated
    hdr: bool = False
    preference: int = 0  # the site's: original language above dubbed, say
    drm: bool = False

    @property
    def lines(self) -> int | None:
        """The shorter side of the picture."""
        known = [side for side in (self.width, self.height) if side]
        return min(known) if known else None


@dataclass(frozen=True)
class Facts:
    """What is known of a video. None: the site does not say."""

    video_id: str
    url: str
    site: str  # yt-dlp's name of it
    title: str | None
    uploader: str | None
    uploader_url: str | None
    license: str | None
    upload_date: str | None  # YYYY-MM-DD
    availability: str | None  # public, unlisted, ...
    duration_s: float | None
    width: int | None  # of the largest format, as are the next three
    height: int | None
    fps: float | None
    bitrate: int | None
    formats: tuple[Format, ...]
    retrieved: str  # when, UTC

    def as_json(self) -> dict[str, Any]:
        """For a file; `from_json` reads it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Facts:
        """Facts as `as_json` gave them; fields that are not there are taken as not said."""
        known: dict[str, Any] = {field.name: value.get(field.name) for field in fields(cls)}
        known["formats"] = tuple(Format(**entry) for entry in value.get("formats") or ())
        return cls(**known)


def from_info(info: Mapping[str, Any], video_id: str, url: str) -> Facts:
    """Facts out of yt-dlp's info dict."""
    formats = tuple(_format(entry, info) for entry in info.get("formats") or [info] if entry.get("format_id"))
    largest = max(
        (format for format in formats if format.has_video), key=lambda f: (f.lines or 0, f.bitrate or 0), default=None
    )
    date = str(info.get("upload_date") or "")
    return Facts(
        video_id=video_id,
        url=url,
        site=str(info.get("extractor") or "unknown"),
        title=_text(info.get("title")),
        uploader=_text(info.get("uploader") or info.get("channel")),
        uploader_url=_text(info.get("uploader_url") or info.get("channel_url")),
        license=_text(info.get("license")),
        upload_date=f"{date[:4]}-{date[4:6]}-{date[6:]}" if re.fullmatch(r"\d{8}", date) else None,
        availability=_text(info.get("availability")),
        duration_s=float(info["duration"]) if info.get("duration") else None,
        width=largest.width if largest else None,
        height=largest.height if largest else None,
        fps=largest.fps if largest else None,
        bitrate=largest.bitrate if largest else None,
        formats=formats,
        retrieved=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _format(entry: Mapping[str, Any], info: Mapping[str, Any]) -> Format:
    has_video, has_audio = entry.get("vcodec") != "none", entry.get("acodec") != "none"
    rate = (entry.get("vbr") or entry.get("tbr")) if has_video else (entry.get("abr") or entry.get("tbr"))
    size = entry.get("filesize") or entry.get("filesize_approx")
    seconds = info.get("duration")
    if not rate and size and seconds:
        rate = 8 * size / seconds / 1000
    if not size and entry.get("tbr") and seconds:
        size = entry["tbr"] * 1000 / 8 * seconds
    return Format(
        format_id=str(entry["format_id"]),
        ext=str(entry.get("ext") or ""),
        protocol=str(entry.get("protocol") or ""),
        has_video=has_video,
        has_audio=has_audio,
        video_codec=_text(entry.get("vcodec")) if has_video else None,
        audio_codec=_text(entry.get("acodec")) if has_audio else None,
        width=_count(entry.get("width")),
        height=_count(entry.get("height")),
        fps=float(entry["fps"]) if entry.get("fps") else None,
        bitrate=round(rate * 1000) if rate else None,
        size=round(size) if size else None,
        hdr=str(entry.get("dynamic_range") or "SDR") != "SDR",
        preference=int(entry.get("language_preference") or 0),
        drm=bool(entry.get("has_drm")),
    )


def _text(value: object) -> str | None:
    return str(value)[:2000] if value not in (None, "") else None


def _count(value: Any) -> int | None:
    return int(value) if value and int(value) > 0 else None


def is_license(given: str | None, wanted: str) -> bool:
    """Whether a site's name of a licence is the one wanted by its short name ("cc-by"); what is not said is not.

    >>> is_license("Creative Commons Attribution license (reuse allowed)", "cc-by")
    True
    """
    return given is not None and _short_license(given) == _short_license(wanted)


def _short_license(name: str) -> str:
    text = name.lower()
    if "creative commons" in text or text.startswith("cc") or "creativecommons.org" in text:
        if re.search(r"cc.?0|/zero/|public domain", text):
            return "cc0"
        words = {"by": r"attribution|\bby\b", "nc": r"non.?commercial|\bnc\b", "nd": r"no.?deriv|\bnd\b", "sa": r"share.?alike|\bsa\b"}  # fmt: skip  # noqa: E501
        parts = re.sub(r"[-_/]", " ", text)
        return "-".join(["cc", *(short for short, words_of in words.items() if re.search(words_of, parts))])
    return re.sub(r"[^a-z0-9]+", "-", text).strip("-")
