"""Training examples: crops of rendered frames with what the network shall say of them. One generator, one example."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.evaluators import crops, mirror
from bench.evaluators.training import augment
from bench.evaluators.training.detector import imitate, imitate_head_network
from bench.evaluators.training.frames import SIDE, FrameSet, eye_distance
from curate.perception import align
from curate.synth.parameters import IDENTITY, SHAPE
from models.evaluators import FACE_SIDE, FRAME_SIDE, HEAD_SIDE, IDENTITY_SIDE, MASK_SIDE

Example = dict[str, NDArray[Any]]

_UNSEEN = ("clothes", "shoulder", "neck", "asymmetry", "hair_parting")
SEEN = tuple(i for i, name in enumerate(IDENTITY) if not name.startswith(_UNSEEN))
"""Identity coefficients that a face crop can show, mirrored or not."""

MIDDLE = np.array([0.0 if name in SHAPE else 0.5 for name in IDENTITY], np.float32)
SPREAD = np.array([0.85 if name in SHAPE else 0.29 for name in IDENTITY], np.float32)
"""About the mean and the spread of each identity coefficient."""

LEVELS = ("blur", "noise", "blocks", "coarse")
"""Disturbances whose strength the feature network learns to tell."""


def _pixels(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(picture.transpose(2, 0, 1))


def head_example(data: FrameSet, index: int, rng: np.random.Generator) -> Example:
    """Image uint8 [3, 128, 128] and what `HeadNet` shall give for it."""
    matrix = crops.head_matrix(*imitate(rng, data.box[index], data.points_of(index)))
    picture = align.warp(data.frames[index], matrix, HEAD_SIDE, HEAD_SIDE)
    mask = _mask(data.mask[index], matrix)
    places = align.transform(matrix, data.landmarks[index])
    if rng.random() < 0.5:
        picture, mask = np.ascontiguousarray(picture[:, ::-1]), mask[:, ::-1]
        places = _mirrored(places, HEAD_SIDE)
    return {
        "image": _pixels(augment.disturb(rng, picture)),
        **_places(places, HEAD_SIDE),
        "mask": np.ascontiguousarray(mask),
    }


def face_example(data: FrameSet, index: int, rng: np.random.Generator) -> Example:
    """Image uint8 [3, 112, 112] and what `FaceNet` shall give for it."""
    matrix = imitate_head_network(rng, crops.face_matrix(data.landmarks[index]), FACE_SIDE)
    picture = align.warp(data.frames[index], matrix, FACE_SIDE, FACE_SIDE)
    places = align.transform(matrix, data.landmarks[index])
    rotation = crops.to_crop(data.rotation[index], matrix, FACE_SIDE, data.camera[index])
    expression = data.expression[index]
    if rng.random() < 0.5:
        picture = np.ascontiguousarray(picture[:, ::-1])
        places = _mirrored(places, FACE_SIDE)
        rotation, expression = rotation * mirror.ROTATION, expression[mirror.EXPRESSION]
    return {
        "image": _pixels(augment.disturb(rng, picture, augment.MILD)),
        **_places(places, FACE_SIDE),
        "rotation": rotation.astype(np.float32),
        "expression": expression.astype(np.float32),
    }


def _mirrored(places: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    return np.asarray(places[mirror.LANDMARKS] * (-1, 1) + (side - 1, 0), np.float64)


def _places(places: NDArray[np.float64], side: int) -> Example:
    """Landmarks in fractions of the crop, and the distance of the outer eye corners."""
    landmarks = ((places + 0.5) / side).astype(np.float32)
    return {"landmarks": landmarks, "eyes": eye_distance(landmarks)[None]}


def _mask(mask: NDArray[np.uint8], matrix: align.Matrix) -> NDArray[np.uint8]:
    """The head's mask as the head network gives it, cut from the mask of the frame [M, M]."""
    ratio = mask.shape[0] / SIDE  # mask pixels per frame pixel
    to_frame = np.array([[1 / ratio, 0, 0.5 / ratio - 0.5], [0, 1 / ratio, 0.5 / ratio - 0.5]])
    scale = MASK_SIDE / HEAD_SIDE
    to_small = np.array([[scale, 0, scale / 2 - 0.5], [0, scale, scale / 2 - 0.5]])
    whole = align.compose(to_small, align.compose(matrix, to_frame))
    return align.warp(mask, whole, MASK_SIDE, MASK_SIDE)


def identity_example(data: FrameSet, index: int, rng: np.random.Generator) -> Example:
    """Image uint8 [3, 112, 112], who it is, and the coefficients that the face shows."""
    matrix = imitate_head_network(rng, crops.identity_matrix(data.landmarks[index]), IDENTITY_SIDE)
    picture = align.warp(data.frames[index], matrix, IDENTITY_SIDE, IDENTITY_SIDE)
    if rng.random() < 0.5:
        picture = np.ascontiguousarray(picture[:, ::-1])
    return {
        "image": _pixels(augment.disturb(rng, picture)),
        "identity": data.identity[index].astype(np.int64),
        "coefficients": ((data.coefficients[index] - MIDDLE) / SPREAD)[list(SEEN)],
    }


def frame_example(data: FrameSet, index: int, rng: np.random.Generator) -> Example:
    """A disturbed frame uint8 [3, 256, 256], the undisturbed one at a quarter of the size, and what both show."""
    zoom, shift = np.exp(rng.uniform(-0.25, 0.25)), rng.uniform(-0.08, 0.08, 2) * SIDE
    middle = (SIDE - 1) / 2
    matrix = np.array([[zoom, 0, middle * (1 - zoom) + shift[0]], [0, zoom, middle * (1 - zoom) + shift[1]]])
    frame = align.warp(data.frames[index], matrix, FRAME_SIDE, FRAME_SIDE)
    mirrored = rng.random() < 0.5
    if mirrored:
        frame = np.ascontiguousarray(frame[:, ::-1])
    clean = augment.disturb(rng, frame, augment.Strength(blur=0, coarse=0, noise=0, blocks=0, patch=0.2))
    disturbed, levels = _disturbed(rng, clean)
    rotation = data.rotation[index]
    return {
        "image": _pixels(disturbed),
        "clean": _pixels(cv2.resize(clean, (FRAME_SIDE // 4, FRAME_SIDE // 4), interpolation=cv2.INTER_AREA)),
        "levels": levels,
        "identity": data.identity[index].astype(np.int64),
        "coefficients": (data.coefficients[index] - MIDDLE) / SPREAD,
        "expression": data.expression[index][mirror.EXPRESSION] if mirrored else data.expression[index],
        "rotation": rotation * mirror.ROTATION if mirrored else rotation,
    }


def _disturbed(rng: np.random.Generator, frame: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A frame with some of `LEVELS`, and the strength of each in [0, 1]."""
    levels = np.where(rng.random(len(LEVELS)) < 0.45, rng.random(len(LEVELS)), 0.0)
    blur, noise, blocks, coarse = levels
    if blur:
        frame = augment.blur(frame, 0.3 + 3.2 * blur)
    if coarse:
        small = round(FRAME_SIDE * (1 - 0.8 * coarse))
        frame = cv2.resize(frame, (small, small), interpolation=cv2.INTER_AREA)
        frame = cv2.resize(frame, (FRAME_SIDE, FRAME_SIDE), interpolation=cv2.INTER_LINEAR)
    if noise:
        frame = augment.noise(rng, frame, 25 * noise)
    if blocks:
        frame = augment.blocks(frame, round(90 - 80 * blocks))
    return np.asarray(frame, np.uint8), levels.astype(np.float32)
