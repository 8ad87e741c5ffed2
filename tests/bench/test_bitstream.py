"""The motion stream: exact inverses, real sizes, and what is said of a damaged one."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import baselines.osfv
from bench.bitstream import BadStream, Decoder, Encoder, Format, decode, dequantised, encode, payloads, quantised
from bench.codec import MotionCodec
from curate.errors import UserError


def talking(frames=60, keypoints=20, seed=0):
    """Smooth motion as integers: sums of slow waves, with a little noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(frames)[:, None]
    size = 6 + 3 * keypoints
    waves = rng.uniform(2, 20, size) * np.sin(t * rng.uniform(0.02, 0.3, size) + rng.uniform(0, 6, size))
    return np.rint(waves + rng.normal(0, 0.5, waves.shape)).astype(np.int64)


@settings(max_examples=60, deadline=None)
@example(np.array([[-3] * 12, [-3] * 7 + [8388542] + [-3] * 4]))  # shortened, its bytes are none that can be decoded
@given(arrays(np.int64, st.tuples(st.integers(0, 4), st.just(12)), elements=st.integers(-(2**30), 2**30)))
def test_decoding_is_the_inverse_of_encoding(numbers):
    found, form = decode(encode(numbers, Format(2)))
    assert form == Format(2)
    np.testing.assert_array_equal(found, numbers)


@pytest.mark.parametrize("frames", [0, 1, 60])
def test_smooth_motion_round_trip(frames):
    numbers = talking(frames)
    np.testing.assert_array_equal(decode(encode(numbers, Format(20)))[0], numbers)


def test_held_keypoints_stay_within_the_hold_and_cost_less():
    numbers, form = talking(), Format(20, hold=3)
    stream = encode(numbers, form)
    found, said = decode(stream)
    assert said == form
    np.testing.assert_array_equal(found[:, :6], numbers[:, :6])
    assert np.abs(found - numbers).max() == 3
    assert len(stream) < 0.8 * len(encode(numbers, replace(form, hold=0)))
    again = encode(found, form)  # what the receiver has is coded as itself
    np.testing.assert_array_equal(decode(again)[0][:, :6], numbers[:, :6])


def test_each_frame_is_a_packet_that_can_be_decoded_at_once():
    numbers, form = talking(), Format(20)
    encoder, decoder = Encoder(form), Decoder(form)
    for row in numbers:
        packet = encoder.frame(row)
        payload = next(payloads(form.header() + packet + encoder.end()))
        np.testing.assert_array_equal(decoder.frame(payload), row)


def test_the_size_is_near_what_the_numbers_hold():
    still = np.tile(talking(1), (200, 1))
    assert len(encode(still, Format(20))) / 200 < 12
    noise = np.random.default_rng(0).integers(-8, 9, (200, 66)).cumsum(0)
    ideal = 66 * np.log2(17) / 8
    assert ideal < len(encode(noise, Format(20))) / 200 < 1.06 * ideal + 5


def test_any_altered_byte_and_any_cut_is_noticed():
    numbers = talking(4)
    stream = encode(numbers, Format(20))
    for at in range(len(stream)):
        altered = stream[:at] + bytes([stream[at] ^ 16]) + stream[at + 1 :]
        with pytest.raises(BadStream, match=r"frame \d|header|no motion stream"):
            decode(altered)
        with pytest.raises(BadStream, match=r"cut"):
            decode(stream[:at])
    with pytest.raises(BadStream, match="something follows its end, after frame 3"):
        decode(stream + b"x")
    with pytest.raises(BadStream, match="cut before frame 4"):
        decode(stream[:-1])


def test_numbers_of_a_motion():
    rng = np.random.default_rng(0)
    motion = {name: rng.normal(0, 20, 5) for name in ("yaw", "pitch", "roll")}
    motion |= {"t": rng.normal(0, 0.1, (5, 3)), "delta": rng.normal(0, 0.1, (5, 7, 3))}
    form = Format(7)
    back = dequantised(quantised(motion, form), form)
    assert np.abs(back["yaw"] - motion["yaw"]).max() <= form.angle_step / 2 + 1e-5
    assert np.abs(back["delta"] - motion["delta"]).max() <= form.delta_step / 2 + 1e-6
    motion["t"][2, 1] = np.nan
    with pytest.raises(UserError, match="motion: expected finite numbers, got NaN"):
        quantised(motion, form)


def test_a_model_is_driven_through_the_stream():
    model = baselines.osfv.Osfv.random("mini")
    images = torch.rand(3, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    fine = Format(20, angle_step=1e-3, t_step=1e-5, delta_step=1e-5)
    codec = MotionCodec(model, fine)
    source = model.encode_source(images[:1], {})
    expected = model.render(source, model.motion(images))
    torch.testing.assert_close(codec.decode(source, codec.encode_motion(images)), expected, atol=2e-3, rtol=0)
    assert codec.decode(source, encode([], fine)).shape == (0, 3, 128, 128)
    with pytest.raises(BadStream, match="has 2 keypoints, the model 20"):
        codec.decode(source, encode([], Format(2)))
    with pytest.raises(UserError, match="source-copy has no motion"):
        MotionCodec(baselines.load("source-copy"))
