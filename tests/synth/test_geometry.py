"""Landmarks without a picture are those of the picture."""

import numpy as np

from curate.synth.geometry import landmarks3d
from curate.synth.motion import sample_motion
from curate.synth.parameters import sample_identity, sample_scene
from curate.synth.renderer import render_frames


def test_landmarks_are_those_of_the_rendered_frames():
    for index in range(2):
        identity = sample_identity(5, index)
        rng = np.random.default_rng(index)
        motion = sample_motion(rng, 50, 25.0).take([0, 17, 49])
        rendered = render_frames(identity, motion, sample_scene(rng), 64)
        np.testing.assert_array_equal(landmarks3d(identity, motion), rendered.landmarks3d)
