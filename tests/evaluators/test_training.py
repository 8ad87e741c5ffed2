"""How the builtin networks are trained: frames, examples, and a tiny run from end to end."""

import json
import math

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from bench.cli import main
from bench.evaluators import builtin, crops, mirror
from bench.evaluators.training import augment, command, detector, examples, measure
from bench.evaluators.training.fit import chosen
from bench.evaluators.training.frames import Recipe, eye_distance, five_points, frame_set
from bench.evaluators.training.sampler import sample_expressions, sample_frames
from curate import angles
from curate.errors import UserError
from curate.perception import align
from curate.synth.parameters import ACTIVE, EXPRESSION, UNITS

RECIPE = Recipe(population=77, identities=3, cameras=2, shots=2)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("frames")


@pytest.fixture(scope="module")
def data(cache):
    return frame_set(RECIPE, cache, 1, lambda done: None)


def test_units_are_active_in_a_quarter_of_the_frames():
    drawn = sample_expressions(np.random.default_rng(0), 4000)
    assert drawn.shape == (4000, len(EXPRESSION))
    units = drawn[:, : len(UNITS)]
    assert units.min() == 0
    assert units.max() <= 1
    share = (units > ACTIVE).mean(0)
    assert 0.24 < share.mean() < 1 / 3
    assert share.min() > 0.12


def test_motions_reach_every_pose_and_stay_in_the_picture():
    motion = sample_frames(np.random.default_rng(1), 2000)
    assert np.abs(motion.angles).max(0) == pytest.approx([60, 30, 30], abs=1.5)
    assert np.abs(np.histogram(motion.angles[:, 0], 6, (-60, 60))[0] / 2000 - 1 / 6).max() < 0.04
    x = motion.translation[:, :2] / motion.translation[:, 2:] * motion.focal
    assert np.abs(x).max() < 0.45


def test_frames_are_rendered_once_and_equal_for_any_workers(data, cache, tmp_path):
    calls = []
    again = frame_set(RECIPE, cache, 1, calls.append)
    assert calls == []
    other = frame_set(RECIPE, tmp_path, 2, calls.append)
    assert calls == [1, 2, 3]
    for name in ("frames", "mask", "landmarks", "box", "rotation", "camera", "expression", "identity", "coefficients"):
        assert np.array_equal(getattr(again, name), getattr(other, name))
    assert data.identity.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    (tmp_path / f"frames-{RECIPE.fingerprint}" / "mask.npy").write_bytes(b"cut short")
    with pytest.raises(UserError, match=r"mask\.npy cannot be read .* remove its folder"):
        frame_set(RECIPE, tmp_path, 1, calls.append)


def test_another_recipe_is_another_set(tmp_path, monkeypatch):
    assert Recipe(77, 3, 2, 3).fingerprint != RECIPE.fingerprint
    assert Recipe(78, 3, 2, 2).fingerprint != RECIPE.fingerprint


@pytest.mark.parametrize("network", ["head", "face"])
def test_examples_tell_what_the_crop_shows(data, network):
    """The truth of a crop, brought back to the frame, is the truth of the frame; a mirrored one is its mirror image."""
    make, side = {"head": (examples.head_example, 128), "face": (examples.face_example, 112)}[network]
    count = {"kept": 0, "mirrored": 0}
    for seed in range(12):
        index = seed % len(data)
        example = make(data, index, np.random.default_rng(seed))
        rng = np.random.default_rng(seed)  # the same again
        truth = data.landmarks[index]
        if network == "head":
            matrix = crops.head_matrix(*detector.imitate(rng, data.box[index], data.points_of(index)))
        else:
            matrix = detector.imitate_head_network(rng, crops.face_matrix(truth), side)
        places = example["landmarks"] * side - 0.5
        assert example["image"].shape == (3, side, side)
        assert example["eyes"] == pytest.approx(eye_distance(places[None]) / side, rel=1e-4)
        mirrored = np.abs(align.transform(align.invert(matrix), places) - truth).max() > 0.1
        count["mirrored" if mirrored else "kept"] += 1
        if mirrored:
            places = places[mirror.LANDMARKS] * (-1, 1) + (side - 1, 0)
            np.testing.assert_allclose(align.transform(align.invert(matrix), places), truth, atol=0.1)
        if network == "head":
            inside = (example["landmarks"] * 64).astype(int).clip(0, 63)
            assert example["mask"][inside[27:48, 1], inside[27:48, 0]].mean() > 200  # nose and eyes lie on the head
            continue
        turned, expression = example["rotation"], example["expression"]
        if mirrored:
            yaw, pitch, roll = angles.angles(turned)
            turned, expression = angles.rotation(np.array([-yaw, pitch, -roll])), expression[mirror.EXPRESSION]
        back = crops.from_crop(turned, matrix, side, data.camera[index])
        np.testing.assert_allclose(back, data.rotation[index], atol=1e-4)
        np.testing.assert_array_equal(expression, data.expression[index])
    assert min(count.values()) > 1


def test_mirroring_twice_is_nothing():
    assert np.array_equal(mirror.LANDMARKS[mirror.LANDMARKS], np.arange(68))
    assert np.array_equal(mirror.EXPRESSION[mirror.EXPRESSION], np.arange(18))


def test_disturbances_keep_shape_and_follow_the_generator():
    picture = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    first = [augment.disturb(np.random.default_rng(seed), picture) for seed in range(40)]
    again = [augment.disturb(np.random.default_rng(seed), picture) for seed in range(40)]
    for a, b in zip(first, again, strict=True):
        assert a.shape == picture.shape
        assert a.dtype == np.uint8
        assert np.array_equal(a, b)
    nothing = augment.Strength(*(0.0,) * 8)
    assert np.array_equal(augment.disturb(np.random.default_rng(0), picture, nothing), picture)


def test_every_example_is_seen_once_an_epoch():
    picked = [index for step in range(6) for index in chosen(12, 4, step, seed=3)]
    assert sorted(picked[:12]) == sorted(picked[12:]) == list(range(12))
    assert picked[:12] != picked[12:]


def test_verification_counts_pairs():
    vectors = np.array([[1, 0], [0.8, 0.6], [0, 1], [0.6, 0.8]])
    people = np.array(["a", "a", "b", "b"])
    found = measure.verification(vectors, people)
    # same: 0.8, 0.8; different: 0, 0.6, 0.6, 0.96: three of four pairs of pairs are in order
    assert found.auc == pytest.approx(0.75)
    with pytest.raises(ValueError, match="pairs of the same person"):
        measure.verification(vectors, people, group=people)
    assert measure.auc(np.array([1.0, 2]), np.array([1.0, 0])) == pytest.approx(0.875)


def test_quick_training_from_end_to_end_and_again(tmp_path):
    """Same seed, same bytes, whatever the workers; what is there is left; another seed is another network."""
    one, two = tmp_path / "one", tmp_path / "two"
    result = CliRunner().invoke(main, ["train-evaluators", "--quick", "--out", str(one), "--workers", "2"])
    assert result.exit_code == 0, result.output
    files = [one / f"{name}.safetensors" for name in command.NAMES]
    assert result.stdout.split() == [str(path) for path in files]
    assert "train face: " in result.stderr
    for name in command.NAMES:
        card = json.loads((one / f"{name}.json").read_text())
        assert card["seed"] == 0
        assert card["device"] == "cpu, 1 thread"
        assert card["error on held-out identities"]
    builtin.BuiltinFace(one)  # opens both files that it needs

    written = [path.stat().st_mtime_ns for path in files]
    result = CliRunner().invoke(main, ["train-evaluators", "--quick", "--out", str(one)])
    assert result.stderr.count("is there already: left as it is") == 4
    assert [path.stat().st_mtime_ns for path in files] == written

    command.train_evaluators(two, ["identity", "face"], quick=True, workers=1)
    for name in ("identity", "face"):
        assert (two / f"{name}.safetensors").read_bytes() == (one / f"{name}.safetensors").read_bytes()
    with pytest.raises(UserError, match="identity starts from face, which is not in"):
        command.train_evaluators(two, ["identity"], quick=True, workers=1, seed=1)  # there is one of another seed
    command.train_evaluators(two, ["face"], quick=True, workers=1, seed=1)
    assert (two / "face.safetensors").read_bytes() != (one / "face.safetensors").read_bytes()


def test_wrong_arguments_are_named(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="unknown evaluator 'fase': did you mean face"):
        command.train_evaluators(tmp_path, ["fase"])
    with pytest.raises(UserError, match="workers must be at least 1"):
        command.train_evaluators(tmp_path, workers=0)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="there is no CUDA device here"):
        command.train_evaluators(tmp_path, device="cuda")


def test_five_points_are_middles_of_eyes():
    landmarks = np.zeros((1, 68, 2), np.float32)
    landmarks[0, 36:42] = [[0, 0], [1, -1], [2, -1], [3, 0], [2, 1], [1, 1]]
    assert five_points(landmarks)[0, 0].tolist() == [1.5, 0]
    assert math.isclose(float(eye_distance(landmarks)[0]), 0)
