"""Which of a site's formats is taken. Pure functions over `facts.Format`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from curate.download.facts import Format

# At equal size: what every reader of videos decodes, and what bit rates are usually meant of, comes first.
_CODECS = ("avc", "h264", "vp9", "vp09", "hvc", "hev", "h265", "av01", "av1")
_MP4 = ("avc", "h264", "hvc", "hev", "h265", "av01", "av1")
_MP4_AUDIO = ("mp4a", "aac")


@dataclass(frozen=True)
class Choice:
    """The format taken; `audio` is a second one to be merged with it. `why` says the choice in words."""

    video: Format
    audio: Format | None
    why: str

    @property
    def format_id(self) -> str:
        """Ids of what is downloaded."""
        return f"{self.video.format_id}+{self.audio.format_id}" if self.audio else self.video.format_id

    @property
    def size(self) -> int | None:
        """Bytes, where the site says them; of video and audio."""
        if self.video.size is None:
            return None
        return self.video.size + (self.audio.size or 0 if self.audio else 0)

    @property
    def fits_mp4(self) -> bool:
        """Whether picture and sound can lie in an MP4 file."""
        sound = self.audio.audio_codec if self.audio else self.video.audio_codec
        picture = self.video.video_codec
        known = picture is not None and picture.startswith(_MP4)
        return (known or (picture is None and self.video.ext == "mp4")) and (
            sound is None or sound.startswith(_MP4_AUDIO)
        )


def choose(
    formats: Sequence[Format],
    *,
    min_res: int = 0,
    min_bitrate: int = 0,
    max_res: int = 2160,
    mp4_only: bool = False,
) -> Choice | str:
    """The best picture that meets the bars, with the best sound; or, in words, why there is none.

    Not the smallest that meets them: a face fills a part of the frame, so that every line more gives clips that a
    smaller frame would not. Sizes or rates that a site does not say meet every bar (they are measured once the file is
    there), but a format that says them goes first. Above `max_res` a format is taken only if there is no other.
    """
    pictures = [format for format in formats if format.has_video and not format.drm]
    if not pictures:
        return "no picture: only sound or protected formats" if formats else "no formats"
    if mp4_only:
        pictures = [format for format in pictures if Choice(format, _sound(format, formats, True), "").fits_mp4]
        if not pictures:
            return "no format that can be cut without loss"
    large = [format for format in pictures if format.lines is None or format.lines >= min_res]
    if not large:
        return f"too small: best is {max(format.lines or 0 for format in pictures)} lines, {min_res} wanted"
    rich = [format for format in large if format.bitrate is None or format.bitrate >= min_bitrate]
    if not rich:
        best = max(large, key=lambda format: format.bitrate or 0)
        return f"bit rate too low: best is {best.bitrate} bit/s at {best.lines or '?'} lines, {min_bitrate} wanted"
    within = [format for format in rich if (format.lines or 0) <= max_res]
    video = max(within, key=_rank) if within else min(rich, key=lambda format: format.lines or 0)
    audio = _sound(video, formats, mp4_only)
    lines, codec = video.lines or "an unknown number of", video.video_codec or video.ext
    sound = "with its own sound" if video.has_audio else f"with sound {audio.format_id}" if audio else "without sound"
    return Choice(video, audio, f"{lines} lines of {codec}, the best of {len(rich)} that meet the bars, {sound}")


def _rank(format: Format) -> tuple[int, bool, int, float, int, bool]:
    codec = format.video_codec or ""
    place = next((i for i, name in enumerate(_CODECS) if codec.startswith(name)), len(_CODECS))
    direct = format.protocol.startswith("http")  # one file or segments, rather than a playlist
    return (format.lines or 0, not format.hdr, -place, format.fps or 0.0, format.bitrate or 0, direct)


def _sound(video: Format, formats: Sequence[Format], mp4_only: bool) -> Format | None:
    """The best sound for a picture that has none: original language, then a codec that needs no other container."""
    if video.has_audio:
        return None
    sounds = [f for f in formats if f.has_audio and not f.has_video and not f.drm]
    in_mp4 = (video.video_codec or "").startswith(_MP4)

    def fits(sound: Format) -> bool:
        return (sound.audio_codec or "").startswith(_MP4_AUDIO) == in_mp4

    if mp4_only:
        sounds = [sound for sound in sounds if (sound.audio_codec or "").startswith(_MP4_AUDIO)]
    return max(sounds, key=lambda f: (f.preference, fits(f), f.bitrate or 0), default=None)
