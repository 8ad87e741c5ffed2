"""Fitting the landmark transformer and measuring it."""

import json
import shutil

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import models
from baselines.checkpoint import WEIGHTS, load_networks
from baselines.landmark_transformer import fit, fit_bases
from bench.cli import main
from bench.landmarks import measure, people
from curate.cli import main as curate_main
from curate.dataset import Dataset
from curate.files import sha256_file
from curate.synth.parameters import Identity, sample_identity
from curate.synth.truth import Truth


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


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """A small rendered dataset: two people to fit on, two of the test split."""
    root = tmp_path_factory.mktemp("rendered") / "heads"
    arguments = ["synth", "--out", str(root), "--identities", "4", "--clips-per-identity", "1", "--seconds", "0.4"]
    result = CliRunner().invoke(curate_main, [*arguments, "--size", "128", "--workers", "1"])
    assert result.exit_code == 0, result.output
    return Dataset.open(root)


def shipped():
    return load_networks("landmark-transformer", "mini", None, "cpu", ("transformer",))[0]["transformer"]


def test_rendered_clips_bring_their_landmarks_and_images(rendered, monkeypatch):
    given = people.dataset_examples(rendered, shipped(), 16)
    truth = Truth.open(rendered.root)
    clips = [truth.clip(clip.clip_id) for clip in rendered.clips if clip.split != "test"]
    assert len(clips) == 2
    np.testing.assert_array_equal(given.landmarks, np.concatenate([clip.landmarks3d[::5] for clip in clips]))
    assert given.people.tolist() == [0, 0, 1, 1]
    assert (given.images.dtype, list(given.images.shape)) == (torch.uint8, [4, 3, 16, 16])

    torch.manual_seed(0)
    switches = {"image": True, "image_side": 16, "image_width": 4, "image_blocks": (1, 1), "hidden": 128}
    seeing = models.create("landmark-transformer", "mini", **switches)["transformer"]
    history = []
    monkeypatch.setattr("baselines.landmark_transformer.BATCH", 16)
    fit(seeing, given, steps=60, progress=lambda step, steps, loss: history.append(loss))
    assert np.mean(history[-5:]) < 0.7 * np.mean(history[:5])


def test_landmarks_of_other_clips_are_found_and_lifted(rendered, tmp_path):
    folder = tmp_path / "filmed"
    shutil.copytree(rendered.root, folder)
    (folder / "truth.parquet").unlink()
    transformer = shipped()
    found = people.dataset_examples(Dataset.open(folder), transformer, None)
    known = people.dataset_examples(rendered, transformer, None)
    assert found.points is None
    assert len(found.landmarks) == len(known.landmarks)
    normal, _ = transformer.normalise(known.landmarks)
    eyes = (normal[:, 45] - normal[:, 36]).norm(dim=-1).mean()
    assert (found.landmarks - normal).norm(dim=-1).mean() < 0.08 * eyes

    looked = people.of_dataset(rendered, "test", look=True)
    assert {clip.identity.id for clip in looked} == {c.identity_id for c in rendered.clips if c.split == "test"}
    for clip in looked:
        off = (clip.found - clip.picture(clip.landmarks())).norm(dim=-1).mean()
        assert off < 0.05 * (clip.found[:, 45] - clip.found[:, 36]).norm(dim=-1).mean()
