"""Cuts, blanks and drawings in made pictures; cuts of real clips against their list."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from curate import video
from curate.perception import load_detector
from curate.quality import flat_share
from curate.shots import SHORT_SIDE, ShotDetector


def scene(seed: int, frame: int) -> np.ndarray:
    """A textured picture that drifts; another seed is another place."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 255, (20, 20, 3), dtype=np.uint8)
    big = cv2.resize(noise, (400, 400), interpolation=cv2.INTER_CUBIC)
    drift = 20 + abs(frame % 40 - 20)  # up and down again
    return big[drift : drift + 200, 30:330]


def cuts(pictures: list[np.ndarray]) -> list[tuple[int, int, bool]]:
    detector = ShotDetector()
    for picture in pictures:
        detector.feed(picture)
    return [(shot.start, shot.end, shot.blank) for shot in detector.shots()]


def test_cuts_and_blanks() -> None:
    black = np.zeros((200, 300, 3), np.uint8)
    pictures = [scene(1, i) for i in range(30)] + [scene(2, i) for i in range(8)]
    pictures += [black] * 5 + [scene(3, i) for i in range(30)]
    assert cuts(pictures) == [(0, 30, False), (30, 38, False), (38, 43, True), (43, 73, False)]


def test_one_black_frame_is_a_shot_of_its_own() -> None:
    pictures = [scene(1, i) for i in range(20)] + [np.zeros((200, 300, 3), np.uint8)] + [scene(1, i) for i in range(20)]
    assert cuts(pictures) == [(0, 20, False), (20, 21, True), (21, 41, False)]


def test_smooth_motion_is_no_cut() -> None:
    assert cuts([scene(1, i) for i in range(18)]) == [(0, 18, False)]


def test_the_rule_is_that_of_pyscenedetect() -> None:
    from scenedetect import AdaptiveDetector, FrameTimecode

    rng = np.random.default_rng(0)
    pictures = []
    for part in range(40):  # noise of another strength over another place: changes of all sizes
        strength, place = int(rng.integers(1, 60)), int(rng.integers(5))
        for index in range(int(rng.integers(1, 9))):
            noise = rng.integers(-strength, strength + 1, (200, 300, 3))
            pictures.append(np.clip(scene(place, index + part) + noise, 0, 255).astype(np.uint8))
    reference = AdaptiveDetector(adaptive_threshold=3.0, min_scene_len=1, window_width=2, min_content_val=15.0)
    wanted = set()
    for index, picture in enumerate(pictures):
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        wanted |= {cut.frame_num for cut in reference.process_frame(FrameTimecode(index, 25.0), picture)}
    assert len(wanted) > 3
    assert {start for start, _, _ in cuts(pictures)} - {0} == wanted


def test_shots_cover_every_frame_of_short_videos() -> None:
    assert cuts([]) == []
    assert cuts([scene(1, 0)]) == [(0, 1, False)]


def test_every_listed_cut_of_the_real_clips_is_found(clips: Path) -> None:
    with (clips / "clips.csv").open() as lines:
        listed = {row["file"]: row["cuts"] for row in csv.DictReader(lines) if row["cuts"]}
    assert len(listed) >= 3
    for name, text in listed.items():
        want = {int(part.split("(")[0]) for part in text.split(";")}
        detector = ShotDetector()
        for frame in video.frames(clips / name):
            detector.feed(frame.rgb(SHORT_SIDE))
        assert want <= {shot.start for shot in detector.shots()}, name


def drawn_face() -> np.ndarray:
    """A face as vector art draws it."""
    picture = np.full((360, 360, 3), (180, 215, 240), np.uint8)
    skin, ink, hair = (240, 200, 170), (60, 40, 40), (90, 60, 40)
    cv2.ellipse(picture, (180, 170), (95, 110), 0, 180, 360, hair, -1, cv2.LINE_AA)
    cv2.ellipse(picture, (180, 190), (80, 105), 0, 0, 360, skin, -1, cv2.LINE_AA)
    for x in (150, 210):
        cv2.ellipse(picture, (x, 175), (16, 9), 0, 0, 360, (255, 255, 255), -1, cv2.LINE_AA)
        cv2.circle(picture, (x, 175), 7, ink, -1, cv2.LINE_AA)
        cv2.ellipse(picture, (x, 158), (20, 8), 0, 200, 340, hair, 5, cv2.LINE_AA)
    cv2.line(picture, (180, 180), (172, 215), (210, 160, 130), 4, cv2.LINE_AA)
    cv2.ellipse(picture, (180, 248), (30, 12), 0, 0, 180, (190, 80, 80), -1, cv2.LINE_AA)
    return picture


@pytest.mark.parametrize("picture", ["photo", "drawing"])
def test_a_drawn_face_is_flat_and_a_photograph_is_not(picture: str) -> None:
    frame = drawn_face() if picture == "drawing" else np.ascontiguousarray(data.astronaut()[:300, 80:380])
    found = load_detector("mtcnn").detect(frame[None])[0]
    assert len(found) >= 1  # the detector takes both for a face
    flat = flat_share(frame, tuple(found.boxes[0].tolist()))
    assert flat > 0.5 if picture == "drawing" else flat < 0.3


def test_a_box_beside_the_picture_has_no_share() -> None:
    assert flat_share(np.zeros((50, 50, 3), np.uint8), (60, 60, 90, 90)) == 0
