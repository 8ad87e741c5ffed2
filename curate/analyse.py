"""One decode pass over a video: shots, faces and tracks come out, as a file of scores that later stages decide on."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate import video
from curate.errors import BadVideo
from curate.faces import FaceSampler
from curate.frame import Frame
from curate.held import Held
from curate.perception.interface import Detector, Identifier
from curate.quality import Envelope, FaceScores, Overlay, Screen, ScreenScores, SyncHint, sync_hint
from curate.settings import AnalysisSettings
from curate.shots import SHORT_SIDE, Shot, ShotDetector
from curate.tracks import Track, link
from curate.video import AUDIO_RATE, VideoInfo

SCREEN_SIDE = 144  # pixels; frames are shrunk to this to look for bars and overlays
MAX_STEP_S = 10.0  # between two frames of a video; where it is more, time stamps are damaged


@dataclass(frozen=True)
class Analysis:
    """All that is known of a video without an opinion about it."""

    video_id: str
    settings: str  # fingerprint of the AnalysisSettings
    info: VideoInfo
    n_frames: int
    times: tuple[float, ...] | None  # seconds of every frame; None: frame / fps to within a millisecond
    shots: tuple[Shot, ...]
    tracks: tuple[Track, ...]
    screen: ScreenScores | None = None  # of the whole picture; None: nobody looked

    def time_of(self, frame: int) -> float:
        """Seconds at which a frame is shown; `n_frames` gives the video's end."""
        step = 1 / self.info.fps
        if self.times is None:
            return frame * step
        return self.times[frame] if frame < self.n_frames else self.times[-1] + step

    def has_audio(self, start: int, end: int) -> bool:
        """Whether there is sound over at least half of the frames start .. end - 1."""
        first, last = self.time_of(start), self.time_of(end)
        covered = min(last, self.info.audio_end_s) - max(first, self.info.audio_start_s)
        return self.info.has_audio and covered >= (last - first) / 2

    def to_json(self) -> dict[str, Any]:
        """As plain values; `from_json` is its inverse."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Analysis:
        """Build from `to_json`'s value."""
        return cls(
            video_id=value["video_id"],
            settings=value["settings"],
            info=VideoInfo(**value["info"]),
            n_frames=value["n_frames"],
            times=None if value["times"] is None else tuple(value["times"]),
            shots=tuple(Shot(**shot) for shot in value["shots"]),
            tracks=tuple(_track(track) for track in value["tracks"]),
            screen=value["screen"] and _screen(value["screen"]),
        )


def _track(value: dict[str, Any]) -> Track:
    columns = {
        "frames": tuple(value["frames"]),
        "boxes": tuple(tuple(box) for box in value["boxes"]),
        "scores": tuple(value["scores"]),
        "looks": tuple(FaceScores(**looks) for looks in value["looks"]),
        "hashes": tuple(value["hashes"]),
        "embedding": value["embedding"] and tuple(value["embedding"]),
        "sync": value["sync"] and SyncHint(**value["sync"]),
    }
    return Track(**{**value, **columns})


def _screen(value: dict[str, Any]) -> ScreenScores:
    overlays = tuple(Overlay(tuple(one["box"]), one["share"]) for one in value["overlays"])
    return ScreenScores(**{**value, "letterbox": tuple(value["letterbox"]), "overlays": overlays})


def analyse(
    path: Path,
    video_id: str,
    detector: Detector,
    settings: AnalysisSettings,
    identifier: Identifier | None = None,
    held: Held | None = None,
) -> Analysis:
    """Decode `path` once; memory does not grow with its length. `BadVideo` where it cannot be decoded.

    A short video is also kept as it was decoded, in `held`, if that is given.
    """
    info = video.info(path)
    if info.fps <= 0:
        raise BadVideo(f"{path.name}: the container states no frame rate")
    stride = round(info.fps * settings.detect_every_s)
    shots, screen = ShotDetector(), Screen()
    faces = FaceSampler(detector, stride, settings.short_side, identifier)
    envelope, sound_start = Envelope(AUDIO_RATE), None
    times: list[float] = []
    for item in video.frames_and_sound(path):
        if held is not None:
            held.add(item)
        if not isinstance(item, Frame):
            sound_start = (item.time or 0.0) if sound_start is None else sound_start
            envelope.feed(item.to_ndarray().mean(axis=0, dtype=np.float32))
            continue
        if (item.width, item.height) != (info.width, info.height):
            raise BadVideo(f"{path.name}: the frame size changes at frame {item.index}")
        if times and item.time_s - times[-1] > MAX_STEP_S:
            raise BadVideo(f"{path.name}: frame {item.index} comes {item.time_s - times[-1]:.0f} s after the last")
        small = item.rgb(SHORT_SIDE)
        screen.feed(small)
        if item.index % max(1, stride) == 0:
            screen.look(item.rgb(SCREEN_SIDE))
        faces.feed(item, shots.feed(small))
        times.append(round(item.time_s, 6))
    if held is not None:
        held.close()
    faces.finish()
    found = shots.shots()
    tracks = link(
        faces.detections,
        found,
        faces.looked_at,
        min_iou=settings.track_iou,
        max_gap=max(1, round(settings.track_gap_s * info.fps)),
    )
    if sound_start is not None:
        tracks = [_with_sync(track, times, envelope.values(), sound_start) for track in tracks]
    regular = all(abs(time - index / info.fps) < 1e-3 for index, time in enumerate(times))
    return Analysis(
        video_id=video_id,
        settings=settings.fingerprint,
        info=info,
        n_frames=len(times),
        times=None if regular else tuple(times),
        shots=tuple(found),
        tracks=tuple(tracks),
        screen=screen.scores(),
    )


def _with_sync(track: Track, times: list[float], envelope: NDArray[np.float32], sound_start: float) -> Track:
    at = np.array([times[frame] for frame in track.frames]) - sound_start
    return replace(track, sync=sync_hint(at, np.array([looks.mouth for looks in track.looks]), envelope))
