"""One decode pass over a video: shots, faces and tracks come out, as a file of scores that later stages decide on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from curate import video
from curate.errors import BadVideo
from curate.faces import FaceSampler
from curate.perception.interface import Detector
from curate.settings import AnalysisSettings
from curate.shots import SHORT_SIDE, Shot, ShotDetector
from curate.tracks import Track, link
from curate.video import VideoInfo

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
            tracks=tuple(
                Track(
                    **{
                        **track,
                        "frames": tuple(track["frames"]),
                        "boxes": tuple(tuple(box) for box in track["boxes"]),
                        "scores": tuple(track["scores"]),
                    }
                )
                for track in value["tracks"]
            ),
        )


def analyse(path: Path, video_id: str, detector: Detector, settings: AnalysisSettings) -> Analysis:
    """Decode `path` once; memory does not grow with its length. `BadVideo` where it cannot be decoded."""
    info = video.info(path)
    if info.fps <= 0:
        raise BadVideo(f"{path.name}: the container states no frame rate")
    shots = ShotDetector(info.fps)
    faces = FaceSampler(detector, round(info.fps * settings.detect_every_s), settings.short_side)
    times: list[float] = []
    for frame in video.frames(path):
        if (frame.width, frame.height) != (info.width, info.height):
            raise BadVideo(f"{path.name}: the frame size changes at frame {frame.index}")
        if times and frame.time_s - times[-1] > MAX_STEP_S:
            raise BadVideo(f"{path.name}: frame {frame.index} comes {frame.time_s - times[-1]:.0f} s after the last")
        faces.feed(frame, shots.feed(frame.rgb(SHORT_SIDE)))
        times.append(round(frame.time_s, 6))
    faces.finish()
    found = shots.shots()
    tracks = link(
        faces.detections,
        found,
        faces.looked_at,
        min_iou=settings.track_iou,
        max_gap=max(1, round(settings.track_gap_s * info.fps)),
    )
    regular = all(abs(time - index / info.fps) < 1e-3 for index, time in enumerate(times))
    return Analysis(
        video_id=video_id,
        settings=settings.fingerprint,
        info=info,
        n_frames=len(times),
        times=None if regular else tuple(times),
        shots=tuple(found),
        tracks=tuple(tracks),
    )
