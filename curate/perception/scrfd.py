"""Face detection by SCRFD through insightface (Guo et al. 2021, Sample and Computation Redistribution for Efficient
Face Detection). Its published weights are for non-commercial research only and are not shipped."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from curate.errors import MissingPrerequisite, UserError
from curate.files import sha256_file
from curate.perception import weights
from curate.perception.interface import Faces, Frames, NetworkInfo

VARIABLE = "TALKINGHEAD_SCRFD"  # names another SCRFD file: a path, or a file in the folders of weights
FILE = "det_10g.onnx"  # of buffalo_l, insightface's own default
FETCHED = Path("~/.insightface/models/buffalo_l") / FILE  # where insightface's command puts it
LICENCE = "non-commercial research only"
SOURCE = (
    f"InsightFace's buffalo_l.zip ({LICENCE}; `insightface-cli model.download buffalo_l` fetches it to "
    "~/.insightface, which is searched too; releases are at https://github.com/deepinsight/insightface/releases)"
)
OTHER_LICENCE = f"as the source of the file says; {LICENCE} where that is InsightFace"

SIDE = 640  # pixels of the network's input, unless the file fixes another size
SCORE_THRESHOLD, NMS_THRESHOLD = 0.5, 0.4  # insightface's own
STRIDES = (8, 16, 32)
ANCHORS = 2  # a place
OUTPUTS = {"scores": 1, "boxes": 4, "points": 10}  # in this order, each for all strides: numbers an anchor


class Scrfd:
    """A `Detector` on one CPU thread; frames are looked at one by one.

    A frame is scaled to fit the network's input, black to the right and below. `MissingPrerequisite` where the file is
    absent (nothing is downloaded), `UserError` where it is no SCRFD network with five points.
    """

    def __init__(self) -> None:
        path, licence = _locate()
        session = _open(path)
        self._size = _input_size(path, session)
        _check_outputs(path, session, self._size)
        # insightface takes a second to import, and is needed from here on only
        from insightface.model_zoo.scrfd import SCRFD  # type: ignore[import-untyped,unused-ignore]  # no types

        self._network: Any = SCRFD(session=session)
        self._network.prepare(0, det_thresh=SCORE_THRESHOLD, nms_thresh=NMS_THRESHOLD)  # 0: leave the session as it is
        self.info = NetworkInfo("insightface", sha256_file(path), licence, SOURCE, path.stat().st_size)

    def detect(self, frames: Frames) -> list[Faces]:
        """Faces of each of T frames [T, H, W, 3], best score first."""
        return [self._detect_one(frame) for frame in frames]

    def _detect_one(self, frame: Frames) -> Faces:
        canvas, scale_x, scale_y = _fit(frame, *self._size)
        found, points = self._network.detect(canvas, input_size=self._size)  # rows: left, top, right, bottom, score
        scale = np.array([scale_x, scale_y])
        return Faces(
            (found[:, :4] / np.tile(scale, 2)).astype(np.float32),
            found[:, 4].astype(np.float32),
            ((points + 0.5) / scale - 0.5).astype(np.float32),
        )


def _locate() -> tuple[Path, str]:
    """The network file and its licence."""
    named = os.environ.get(VARIABLE)
    if named:
        path = Path(named).expanduser()
        if path.is_file():
            return path, OTHER_LICENCE
        if path.name != named:
            raise MissingPrerequisite(f"{VARIABLE} names {named}, which is no file: correct it, or unset it")
        return weights.find(named, f"where it was published ({VARIABLE} names it)"), OTHER_LICENCE
    try:
        return weights.find(FILE, SOURCE), LICENCE
    except MissingPrerequisite:
        if FETCHED.expanduser().is_file():
            return FETCHED.expanduser(), LICENCE
        raise


def _open(path: Path) -> Any:
    """ONNX Runtime's session of a file, on one thread, so that results do not depend on the machine's cores."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what is wrong with a file is said by the error
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise _no_scrfd(path, f"it cannot be opened ({_first_line(error)})") from error


def _input_size(path: Path, session: Any) -> tuple[int, int]:
    """Width and height of what the network is given."""
    inputs = session.get_inputs()
    shape = inputs[0].shape if len(inputs) == 1 else []
    if len(shape) != 4 or shape[1] != 3 or inputs[0].type != "tensor(float)":
        described = ", ".join(f"{given.type} {given.shape}" for given in inputs)
        raise _no_scrfd(path, f"its input is {described or 'absent'}, not one float image [1, 3, height, width]")
    height, width = shape[2:]
    if isinstance(height, int) and isinstance(width, int):
        return width, height
    return SIDE, SIDE


def _check_outputs(path: Path, session: Any, size: tuple[int, int]) -> None:
    """Look at one black picture: what comes out must be scores, boxes and points of every stride."""
    outputs = session.get_outputs()
    if len(outputs) != len(OUTPUTS) * len(STRIDES):
        without = ", one without the five points" if len(outputs) == 2 * len(STRIDES) else ""
        raise _no_scrfd(
            path, f"it has {len(outputs)} outputs{without}, not 9 (scores, boxes and points at strides 8, 16 and 32)"
        )
    width, height = size
    try:
        values = session.run(None, {session.get_inputs()[0].name: np.full((1, 3, height, width), -1, np.float32)})
    except Exception as error:
        raise _no_scrfd(path, f"it cannot look at {width} x {height} pixels ({_first_line(error)})") from error
    batch = [1] if len(outputs[0].shape) == 3 else []  # as insightface tells the two forms of export apart
    wanted = [
        (f"{what} at stride {stride}", [*batch, (width // stride) * (height // stride) * ANCHORS, numbers])
        for what, numbers in OUTPUTS.items()
        for stride in STRIDES
    ]
    for output, value, (what, shape) in zip(outputs, values, wanted, strict=True):
        if list(np.shape(value)) != shape:
            raise _no_scrfd(path, f"output {output.name!r} should be {what}, {shape}, but is {list(np.shape(value))}")


def _no_scrfd(path: Path, why: str) -> UserError:
    return UserError(f"{path} is no SCRFD face detector: {why}")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _fit(frame: Frames, width: int, height: int) -> tuple[NDArray[np.uint8], float, float]:
    """The frame as BGR in the upper left of a black width x height canvas, and its exact scale in x and in y."""
    scale = min(width / frame.shape[1], height / frame.shape[0])
    inner = (max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    canvas = np.zeros((height, width, 3), np.uint8)
    canvas[: inner[1], : inner[0]] = cv2.resize(np.ascontiguousarray(frame), inner, interpolation=how)[..., ::-1]
    return canvas, inner[0] / frame.shape[1], inner[1] / frame.shape[0]
