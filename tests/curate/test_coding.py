"""Frames as H.264 and H.265 and back: what is counted, what comes back, what is refused."""

import gc

import av
import av.logging
import numpy as np
import pytest

from curate.coding import Coding, CodingFailed, Packet, decode, encode, to_rgb, to_yuv, without_user_data


def moving(frames: int = 12, side: int = 64) -> np.ndarray:
    """A disc that moves over a shaded ground, with a little noise."""
    y, x = np.mgrid[0:side, 0:side]
    noise = np.random.default_rng(0).normal(0, 4, (frames, side, side, 3))
    made = np.empty((frames, side, side, 3), np.float64)
    for t in range(frames):
        made[t] = np.stack([60 + 2 * x, 60 + 2 * y, np.full_like(x, 90)], axis=2)
        made[t][(x - 20 - 2 * t) ** 2 + (y - 30) ** 2 < 150] = [230, 180, 140]
    return (made + noise).clip(0, 255).round().astype(np.uint8)


FRAMES = moving()


def psnr(frames: np.ndarray) -> float:
    return float(-10 * np.log10(np.square(frames / 255.0 - FRAMES / 255.0).mean()))


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_lower_crf_costs_more_and_is_closer(codec):
    sizes, qualities = [], []
    for crf in (20, 35, 50):
        packets = encode(FRAMES, Coding(codec, crf))
        assert sorted(packet.number for packet in packets) == list(range(len(FRAMES)))
        assert [packet.number for packet in packets] != list(range(len(FRAMES)))  # frames lean on later ones
        sizes.append(sum(len(packet.data) for packet in packets))
        qualities.append(psnr(decode(packets, codec)))
    assert sizes == sorted(sizes, reverse=True)
    assert qualities == sorted(qualities, reverse=True)
    assert qualities[0] > 34  # half the chroma is lost before anything is coded
    again = encode(FRAMES, Coding(codec, 50))
    assert again == packets


def test_only_the_first_frame_is_a_key_frame_unless_asked():
    def keys(gop: int) -> int:
        packets = encode(FRAMES, Coding("h264", 30, gop=gop))
        return sum(b"\x00\x00\x01\x65" in packet.data for packet in packets)  # slice of a key frame

    assert keys(100_000) == 1
    assert keys(4) == 3


@pytest.mark.parametrize(("crf", "fps"), [(18, 25.0), (45, 12.5)])
def test_bytes_are_those_that_x264_reports(crf, fps):
    av.logging.set_level(av.logging.INFO)
    try:
        with av.logging.Capture(local=False) as lines:
            packets = encode(FRAMES, Coding("h264", crf), fps)
            gc.collect()  # x264 reports when it is closed
    finally:
        av.logging.set_level(None)
    (reported,) = [float(text.split("kb/s:")[1]) for _, name, text in lines if name == "libx264" and "kb/s:" in text]
    counted = sum(len(packet.data) for packet in packets)
    overhead = sum(packet.overhead for packet in packets)
    assert 8 * (counted + overhead) * fps / len(FRAMES) / 1000 == pytest.approx(reported, rel=0.01)
    assert 400 < overhead < 1000  # x264's text about its own settings, which no decoder needs
    assert packets[0].overhead == overhead


def test_user_data_alone_is_taken_out():
    sets, text, picture = b"\0\0\0\1\x67abc", b"\0\0\1\x06\x05secret", b"\0\0\1\x65picture"
    assert without_user_data(sets + text + picture, "h264") == sets + picture
    assert without_user_data(sets + picture, "h264") == sets + picture
    assert without_user_data(b"\0\0\0\1\x06\x01timing", "h264") == b"\0\0\0\1\x06\x01timing"
    assert without_user_data(b"\0\0\1\x4e\x01\x05text\0\0\1\x26pic", "h265") == b"\0\0\1\x26pic"
    assert without_user_data(b"", "h264") == b""


def test_colours_come_back_without_a_shift():
    plain = np.random.default_rng(1).integers(0, 256, (40, 3))
    flat = np.broadcast_to(plain[:, None, None].astype(np.uint8), (40, 4, 6, 3))
    back = np.stack([to_rgb(planes) for planes in to_yuv(flat)]).astype(float) - flat
    assert np.abs(back).max() <= 3  # chroma has 225 steps
    assert np.abs(back.mean((0, 1, 2))).max() < 0.4
    grey = to_yuv(np.array([0, 255], np.uint8)[:, None, None, None].repeat(2, 1).repeat(2, 2).repeat(3, 3))
    assert grey.tolist() == [[[16, 16], [16, 16], [128, 128]], [[235, 235], [235, 235], [128, 128]]]


def test_what_cannot_be_coded_is_refused_by_name():
    with pytest.raises(ValueError, match=r"`frames` must be uint8 \[T, H, W, 3\]"):
        encode(FRAMES / 255.0, Coding("h264", 20))
    with pytest.raises(ValueError, match="even sides to be coded, but are 63 x 64"):
        encode(FRAMES[:, :, :63], Coding("h264", 20))
    with pytest.raises(ValueError, match=r"`crf` must be in 0 .. 51, but is 52"):
        encode(FRAMES, Coding("h264", 52))
    with pytest.raises(CodingFailed, match="libx264 preset nonsense"):
        encode(FRAMES, Coding("h264", 20, preset="nonsense"))


def test_a_damaged_or_cut_stream_is_told():
    packets = encode(FRAMES, Coding("h264", 30))
    with pytest.raises(CodingFailed, match="h264"):
        decode([Packet(0, b"\0\0\0\1abc")], "h264")
    with pytest.raises(CodingFailed, match="h264"):
        decode(packets[1:], "h264")  # the key frame was lost
