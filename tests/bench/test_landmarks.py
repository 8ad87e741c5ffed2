"""Fitting the landmark transformer and measuring it."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import models
from baselines.checkpoint import WEIGHTS, load_networks
from baselines.landmark_transformer import fit_bases
from bench.cli import main
from bench.landmarks import measure, people
from curate.files import sha256_file
from curate.synth.parameters import Identity, sample_identity


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """What the command makes of a dozen people in a few steps: its file."""
    out = tmp_path_factory.mktemp("fitted")
    arguments = ["train-landmark-transformer", "--out", str(out), "--people", "12", "--steps", "60"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    return out / "landmark-transformer-mini.safetensors"


def test_the_command_writes_a_file_and_a_card_that_tells_it(fitted):
    card = json.loads(fitted.with_suffix(".json").read_text())
    assert (card["model"], card["steps"], card["data"]["people"], card["data"]["frames"]) == (
        "landmark-transformer",
        60,
        12,
        432,
    )
    found = card["measured"]["known_in_3d"]
    assert found["shape"] < 0.5 * found["shape_driver"]
    transformer = load_networks("landmark-transformer", "mini", fitted, "cpu", ("transformer",))[0]["transformer"]
    again = measure.transfer_errors(transformer, people.drawn(7300, 24, clips=1))
    assert found == {name: pytest.approx(value, abs=1e-3) for name, value in again.items()}


def test_drawn_people_move_as_rendered_ones_do():
    clips = people.drawn(3, 2, clips=2, frames=4)
    assert [clip.identity.id for clip in clips] == ["synth3-0000"] * 2 + ["synth3-0001"] * 2
    assert not np.array_equal(clips[0].motion.expression, clips[1].motion.expression)
    other = sample_identity(3, 1)
    moved = clips[0].landmarks(other)
    assert moved.shape == (4, 68, 3)
    assert (moved - clips[0].landmarks()).abs().max() > 1
    picture = clips[0].picture(clips[0].landmarks())
    assert 0 < picture.min() < picture.max() < 1


def test_a_driver_with_the_target_s_face_has_no_error():
    clips = people.drawn(3, 2, clips=1, frames=3)
    transformer = models.create("landmark-transformer", "mini")["transformer"]
    given = people.examples(clips)
    fit_bases(transformer, given.landmarks, given.people)
    twin = Identity("twin", clips[0].identity.coefficients)
    twins = [clips[0], people.Moving(twin, clips[1].motion)]
    found = measure.transfer_errors(transformer, twins)
    assert found["shape_driver"] == pytest.approx(0, abs=1e-3)
    assert found["placed_driver"] == pytest.approx(0, abs=1e-3)


def test_a_perfect_separation_is_told_from_none(fitted):
    transformer = load_networks("landmark-transformer", "mini", fitted, "cpu", ("transformer",))[0]["transformer"]
    clips = people.drawn(9, 12, clips=2, frames=6)
    found = measure.separation(transformer, clips)
    assert found["identity_within"] < 0.5 * found["landmarks_within"]
    assert found["identity_r2"] > 0.5
    assert found["units_from_expression"] > found["units_from_identity"]

    class Blind(type(transformer)):
        def expression(self, landmarks, images=None):
            return torch.zeros_like(landmarks)

    transformer.__class__ = Blind
    blind = measure.separation(transformer, clips)
    assert blind["expression_r2"] == pytest.approx(0, abs=1e-6)
    assert blind["identity_within"] == pytest.approx(found["landmarks_within"], rel=1e-3)


def test_a_preset_that_sees_images_needs_a_dataset():
    result = CliRunner().invoke(main, ["train-landmark-transformer", "--out", "x", "--preset", "paper"])
    assert result.exit_code == 2
    assert "preset paper sees images, and drawn people have none: name a dataset" in result.output


def test_what_ships_is_off_by_less_than_half_of_what_the_driver_is():
    card = json.loads((WEIGHTS / "landmark-transformer-mini.json").read_text())
    assert card["sha256"] == sha256_file(WEIGHTS / "landmark-transformer-mini.safetensors")
    networks, found = load_networks("landmark-transformer", "mini", None, "cpu", ("transformer",))
    assert card["steps"] == found.details["steps"]
    clips = people.drawn(55, 16, clips=1)  # of a population that neither the fit nor the card knows
    known = measure.transfer_errors(networks["transformer"], clips)
    assert known["shape"] < 0.25 * known["shape_driver"]
    assert known["drawn"] < 0.4 * known["drawn_driver"]
    lifted = measure.transfer_errors(networks["transformer"], clips, lifted=True)
    assert lifted["drawn"] < 0.5 * lifted["drawn_driver"]
