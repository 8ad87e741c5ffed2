"""Motion as a bitstream, for video conferencing (OSFV, Wang, Mallya, Liu; CVPR 2021, section 4.2).

Of each frame 3K + 6 numbers are sent: three angles, t, and delta of K keypoints. They are quantised; each is predicted
by its value in the frame before; what is left goes through a range coder (`constriction`) whose probabilities adapt.
All state is integers, so that coder and decoder agree on any machine. Each frame is a packet of its own (length,
CRC-16, payload), complete as soon as the frame is known; it needs the packets before it.

The paper's number of keypoints adapts, and it does not say how. Here a keypoint is sent when a coordinate of its delta
has moved by more than `hold` steps since it was last sent; otherwise one flag says that it stays.
"""

from __future__ import annotations

import binascii
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.errors import UserError

Integers = NDArray[np.int64]
Ops = list[tuple[NDArray[np.int32], NDArray[np.float32]]]

MAGIC = b"THM1"
HEADER = struct.Struct("<4sBBHfff")  # magic, K, hold, fps in hundredths, steps of angle, t and delta
POSE = 6
LARGEST = 2**30  # of a quantised number
REACH = 15  # residuals up to this are symbols, larger ones an escape and their bits
ESCAPE = 2 * REACH + 1
SYMBOLS = ESCAPE + 1
CONTEXTS = 16  # by how large a number's residuals have been
SCALE = 1 << 16  # probabilities are integers out of this: exact as floats
GAIN, LIMIT = 24, 1 << 13  # what a seen symbol adds to its count; a context's sum at which counts are halved


class BadStream(UserError):
    """A stream that is cut, altered or none; the message names the frame."""


@dataclass(frozen=True)
class Format:
    """What a stream's header says."""

    keypoints: int
    fps: float = 25.0
    hold: int = 0  # 0: every keypoint in every frame
    angle_step: float = 0.25  # degrees
    t_step: float = 1 / 512  # of half the image's side
    delta_step: float = 1 / 512

    @property
    def steps(self) -> NDArray[np.float64]:
        """The step of every number of a frame [3K + 6], as the header's float32 has it."""
        kinds = np.array([self.angle_step, self.t_step, self.delta_step], np.float32).astype(np.float64)
        return np.repeat(kinds, (3, 3, 3 * self.keypoints))

    def header(self) -> bytes:
        """22 bytes: the fields and a CRC-16."""
        head = HEADER.pack(
            MAGIC, self.keypoints, self.hold, round(self.fps * 100), self.angle_step, self.t_step, self.delta_step
        )
        return head + struct.pack("<H", binascii.crc_hqx(head, 0))


def read_format(stream: bytes) -> Format:
    """The header of a stream; `BadStream` where there is none."""
    size = HEADER.size + 2
    head = stream[: HEADER.size]
    if len(stream) < size or head[:4] != MAGIC:
        raise BadStream("this is no motion stream (version 1): its header is missing or cut")
    if binascii.crc_hqx(head, 0) != struct.unpack("<H", stream[HEADER.size : size])[0]:
        raise BadStream("the header of the motion stream was altered: its checksum differs")
    _, keypoints, hold, fps, *steps = HEADER.unpack(head)
    return Format(keypoints, fps / 100, hold, *steps)


def quantised(motion: Mapping[str, Any], form: Format) -> Integers:
    """Integers [T, 3K + 6] of `motion` (yaw, pitch, roll [T]; t [T, 3]; delta [T, K, 3]); `UserError` for NaN."""
    parts = [np.asarray(motion[name], np.float64)[:, None] for name in ("yaw", "pitch", "roll")]
    parts += [np.asarray(motion[name], np.float64).reshape(len(parts[0]), -1) for name in ("t", "delta")]
    numbers = np.concatenate(parts, axis=1) / form.steps
    if not np.isfinite(numbers).all() or (np.abs(numbers) > LARGEST).any():
        raise UserError("motion: expected finite numbers, got NaN, infinity or numbers too large to be coded")
    return np.rint(numbers).astype(np.int64)


def dequantised(numbers: Integers, form: Format) -> dict[str, NDArray[np.float32]]:
    """The motion that integers [T, 3K + 6] stand for."""
    values = (numbers * form.steps).astype(np.float32)
    angles = {name: values[:, i] for i, name in enumerate(("yaw", "pitch", "roll"))}
    return {**angles, "t": values[:, 3:6], "delta": values[:, POSE:].reshape(len(values), form.keypoints, 3)}


class _Model:
    """What coder and decoder know at a frame: the numbers before, how large residuals were, and counts."""

    def __init__(self, form: Format) -> None:
        self.form = form
        size = POSE + 3 * form.keypoints
        self.last: Integers = np.zeros(size, np.int64)
        self.spread: Integers = np.full(size, 4 << 8, np.int64)  # running mean of |residual|, in 1/256
        distance = np.abs(np.arange(SYMBOLS) - REACH)
        self.counts: Integers = np.stack([_prior(distance, context) for context in range(CONTEXTS)])
        self.flags: Integers = np.full((2, 2), 16, np.int64)  # by whether the keypoint was sent last time
        self.sent: NDArray[np.bool_] = np.ones(form.keypoints, np.bool_)

    def contexts(self, which: Integers) -> Integers:
        """Of the numbers `which`: about two for each doubling of their running mean."""
        spread = self.spread[which]
        bits = np.array([int(value).bit_length() for value in spread], np.int64)
        half = (spread >> np.maximum(bits - 2, 0)) & 1
        found: Integers = np.clip(2 * bits + half - 9, 0, CONTEXTS - 1)
        return found

    def learn(self, which: Integers, contexts: Integers, symbols: Integers, residuals: Integers) -> None:
        """Take in what was coded of a frame."""
        np.add.at(self.counts, (contexts, symbols), GAIN)
        full = self.counts.sum(1) > LIMIT
        self.counts[full] = (self.counts[full] + 1) >> 1
        self.last[which] += residuals
        moved = np.minimum(np.abs(residuals), 1 << 20) << 8
        self.spread[which] += (moved - self.spread[which]) >> 2

    def learn_flags(self, flags: NDArray[np.bool_]) -> None:
        """Take in which keypoints were sent."""
        np.add.at(self.flags, (self.sent.astype(int), flags.astype(int)), 8)
        full = self.flags.sum(1) > LIMIT
        self.flags[full] = (self.flags[full] + 1) >> 1
        self.sent = flags

    def numbers_of(self, flags: NDArray[np.bool_]) -> Integers:
        """Indices of the numbers that are coded when these keypoints are."""
        return np.flatnonzero(np.concatenate([np.ones(POSE, np.bool_), np.repeat(flags, 3)]))


def _prior(distance: Integers, context: int) -> Integers:
    """Counts that fall geometrically with the distance from zero, the slower the higher the context."""
    mean = (1 << (context // 2)) * (2 + context % 2)  # about the mean in 1/8
    counts, value = np.ones(SYMBOLS, np.int64), 1 << 12
    for step in range(REACH + 1):
        counts[distance == step] += value >> 5
        value = value * mean // (mean + 8)
    counts[ESCAPE] = 1 + (value >> 4)
    return counts


def _shares(counts: Integers) -> NDArray[np.float32]:
    """Probabilities [N, S] in whole parts of `SCALE`, none of them zero."""
    total = counts.sum(1, keepdims=True)
    shares = 1 + counts * (SCALE - counts.shape[1]) // total
    shares[np.arange(len(shares)), shares.argmax(1)] += SCALE - shares.sum(1)
    found: NDArray[np.float32] = (shares / SCALE).astype(np.float32)
    return found


def _uniform(count: int, symbols: int) -> NDArray[np.float32]:
    return np.full((count, symbols), 1 / symbols, np.float32)


class Encoder:
    """`frame` gives one packet at a time; the header goes before them and `end` after."""

    def __init__(self, form: Format) -> None:
        self.model = _Model(form)

    def frame(self, numbers: Integers) -> bytes:
        """The packet of a frame's integers [3K + 6]."""
        model, hold = self.model, self.model.form.hold
        change = numbers - model.last
        flags = np.ones(model.form.keypoints, np.bool_)
        ops: Ops = []
        if hold:
            flags = (np.abs(change[POSE:]).reshape(-1, 3) > hold).any(1)
            ops.append((flags.astype(np.int32), _shares(model.flags)[model.sent.astype(int)]))
        which = model.numbers_of(flags)
        residuals = change[which]
        symbols = np.where(np.abs(residuals) <= REACH, residuals + REACH, ESCAPE)
        contexts = model.contexts(which)
        ops.append((symbols.astype(np.int32), _shares(model.counts)[contexts]))
        for residual in residuals[symbols == ESCAPE].tolist():
            value = 2 * (abs(residual) - REACH - 1) + (residual < 0)
            size = (value.bit_length() + 7) // 8
            ops.append((np.array([size], np.int32), _uniform(1, 8)))
            if size:
                ops.append((np.frombuffer(value.to_bytes(size, "big"), np.uint8).astype(np.int32), _uniform(size, 256)))
        if hold:
            model.learn_flags(flags)
        model.learn(which, contexts, symbols, residuals)
        return _packet(_coded(ops))

    def end(self) -> bytes:
        """What tells a whole stream from a cut one."""
        return b"\0"


class Decoder:
    """The inverse of `Encoder`."""

    def __init__(self, form: Format) -> None:
        self.model = _Model(form)

    def frame(self, payload: bytes) -> Integers:
        """The integers [3K + 6] of a packet's payload."""
        import constriction

        family, coder = constriction.stream.model.Categorical(perfect=False), _range_decoder(payload)
        model = self.model
        flags = np.ones(model.form.keypoints, np.bool_)
        if model.form.hold:
            flags = np.asarray(coder.decode(family, _shares(model.flags)[model.sent.astype(int)]), np.bool_)
        which = model.numbers_of(flags)
        contexts = model.contexts(which)
        symbols = np.asarray(coder.decode(family, _shares(model.counts)[contexts]), np.int64)
        residuals = symbols - REACH
        for i in np.flatnonzero(symbols == ESCAPE):
            size = int(coder.decode(family, _uniform(1, 8))[0])
            digits = coder.decode(family, _uniform(size, 256)).tolist() if size else []
            value = int.from_bytes(bytes(digits), "big")
            residuals[i] = (REACH + 1 + (value >> 1)) * (-1 if value & 1 else 1)
        if model.form.hold:
            model.learn_flags(flags)
        model.learn(which, contexts, symbols, residuals)
        return model.last.copy()


def _range_decoder(payload: bytes) -> Any:
    import constriction

    padded = payload + bytes(-len(payload) % 4 + 8)
    return constriction.stream.queue.RangeDecoder(np.frombuffer(padded, ">u4").astype(np.uint32))


def _coded(ops: Ops) -> bytes:
    """The shortest bytes that decode to these symbols when zeros follow: the coder itself ends on whole words."""
    import constriction

    family, coder = constriction.stream.model.Categorical(perfect=False), constriction.stream.queue.RangeEncoder()
    for symbols, shares in ops:
        coder.encode(symbols, family, shares)
    best: bytes = coder.get_compressed().astype(">u4").tobytes()

    def decodes(payload: bytes) -> bool:
        decoder = _range_decoder(payload)
        try:
            return all(np.array_equal(decoder.decode(family, shares), symbols) for symbols, shares in ops)
        except AssertionError:  # the coder's word for bytes that no symbols give
            return False

    for size in range(len(best) - 1, max(len(best) - 9, 0), -1):
        above = int.from_bytes(best[:size], "big") + 1
        candidates = [best[:size]] + ([above.to_bytes(size, "big")] if above < 1 << (8 * size) else [])
        shorter = next((payload for payload in candidates if decodes(payload)), None)
        if shorter is None:
            break
        best = shorter
    return best or b"\0"


def _packet(payload: bytes) -> bytes:
    size = len(payload)
    length = bytes([size]) if size < 128 else bytes([128 | size >> 8, size & 255])
    return length + struct.pack("<H", binascii.crc_hqx(payload, 0)) + payload


def payloads(stream: bytes) -> Iterator[bytes]:
    """The packets after the header; `BadStream` names the frame that is cut or altered."""
    at, frame = HEADER.size + 2, 0
    while True:
        head = stream[at : at + 2]
        if head[:1] == b"\0":
            if at + 1 != len(stream):
                raise BadStream(f"motion stream: something follows its end, after frame {frame - 1}")
            return
        wide = bool(head) and head[0] >= 128
        if len(head) < 1 + wide:
            raise BadStream(f"motion stream: cut before frame {frame} ends")
        size, at = (((head[0] & 127) << 8 | head[1]), at + 2) if wide else (head[0], at + 1)
        payload = stream[at + 2 : at + 2 + size]
        if len(payload) < size:
            raise BadStream(f"motion stream: cut before frame {frame} ends")
        if struct.unpack("<H", stream[at : at + 2])[0] != binascii.crc_hqx(payload, 0):
            raise BadStream(f"motion stream: frame {frame} was altered: its checksum differs")
        yield payload
        at, frame = at + 2 + size, frame + 1


def packet_sizes(stream: bytes) -> list[int]:
    """The bytes of each frame's packet, length and checksum included."""
    sizes = [len(payload) for payload in payloads(stream)]
    return [size + (3 if size < 128 else 4) for size in sizes]


def encode(numbers: Iterable[Integers], form: Format) -> bytes:
    """A whole stream of integers, a row [3K + 6] a frame."""
    encoder = Encoder(form)
    return form.header() + b"".join(encoder.frame(row) for row in numbers) + encoder.end()


def decode(stream: bytes) -> tuple[Integers, Format]:
    """The integers [T, 3K + 6] of a stream; with `hold`, as the receiver has them."""
    form = read_format(stream)
    decoder = Decoder(form)
    rows: list[Integers] = []
    for payload in payloads(stream):
        try:
            rows.append(decoder.frame(payload))
        except AssertionError as error:  # the coder's word for bytes that no symbols give
            raise BadStream(f"motion stream: frame {len(rows)} is none that an encoder makes") from error
    return np.array(rows, np.int64).reshape(len(rows), POSE + 3 * form.keypoints), form
