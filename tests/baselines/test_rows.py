"""What a row holds: which frames, what is known of them, mirrored together."""

import numpy as np
import pytest
import torch

from baselines.training import TrainingError, data, extras
from baselines.training.extras import MIRRORED, Extras
from baselines.training.recipe import Optimiser, Recipe
from baselines.training.rows import Rows, batches, pick
from curate.synth.dataset import make
from curate.synth.recipe import Recipe as SynthRecipe
from curate.synth.truth import Truth

SIDE = 32


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """Rendered clips of two people, whose truth is known."""
    root = tmp_path_factory.mktemp("people")
    assert not make(root, SynthRecipe(train=2, test=1, clips_per_identity=1, seconds=0.4, size=64, seed=3)).failed
    return root


def recipe(**changes):
    return Recipe("net", "net", ("net",), SIDE, 4, Optimiser(0.1), {"l2": 1.0}, steps=1, **changes)


def rows(root, cache, of, maker=None, seed=0, reader=data.Decoder):
    clips = data.open_clips(root, of.resolution, of.shots + of.frames)
    return Rows(reader(clips), Extras(clips, of.needs, cache, maker), of, seed)


def test_picks_are_consecutive_driving_frames_and_other_source_frames():
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(300):
        found = pick(rng, (5, 9), shots=2, frames=3, mirror=True)
        assert found.driving == tuple(range(found.driving[0], found.driving[0] + 3))
        assert len({*found.source, *found.driving}) == 5
        assert max(*found.source, *found.driving) < (5, 9)[found.clip]
        seen.add((found.clip, found.driving[0], found.mirrored))
    assert seen == {(c, d, m) for c, n in enumerate((5, 9)) for d in range(n - 2) for m in (False, True)}


def test_a_row_depends_on_seed_step_and_number_alone(dataset, tmp_path):
    of = recipe()
    first, again = rows(dataset, tmp_path, of), rows(dataset, tmp_path, of)
    again[(1, 0)]
    for key in ((3, 0), (3, 1), (4, 0)):
        assert all(np.array_equal(first[key][name], again[key][name]) for name in ("source", "driving"))
    assert not np.array_equal(first[(3, 0)]["source"], first[(3, 1)]["source"])
    other = rows(dataset, tmp_path, of, seed=1)
    assert any(not np.array_equal(first[(n, 0)]["source"], other[(n, 0)]["source"]) for n in range(4))


def test_a_cache_gives_what_decoding_gives_and_leaves_out_the_test_split(dataset, tmp_path):
    clips = data.open_clips(dataset, SIDE, 2)
    assert (len(clips.chosen), clips.frames) == (2, 20)
    assert data.find_cache(clips, tmp_path) is None
    cache = data.open_reader(clips, tmp_path, workers=1)
    assert isinstance(cache, data.Cache)
    assert data.find_cache(clips, tmp_path) == cache
    for clip in (0, 1):
        assert np.array_equal(cache.take(clip, [7, 0, 9]), data.Decoder(clips).take(clip, [7, 0, 9]))
    assert [path.suffix for path in tmp_path.iterdir()] == [".npy"]


def test_what_is_too_large_for_the_disk_or_the_limit_is_decoded(dataset, tmp_path, monkeypatch):
    clips = data.open_clips(dataset, SIDE, 2)
    monkeypatch.setattr(data, "CACHE_BYTES", 20 * 3 * SIDE**2 - 1)
    assert isinstance(data.open_reader(clips, tmp_path, workers=0), data.Decoder)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_the_same_for_any_number_of_workers(dataset, tmp_path, workers):
    of = recipe(shots=2, frames=3)
    source = rows(dataset, tmp_path, of)
    how = {"done": 4, "steps": 6, "batch": 2, "accumulate": 2, "rank": 1, "device": torch.device("cpu")}
    found = list(batches(source, workers=workers, **how))
    assert len(found) == 4
    for place, key in enumerate([(5, 2), (5, 3), (6, 2), (6, 3)]):
        expected = torch.from_numpy(source[key]["driving"].copy()).permute(0, 3, 1, 2).float() / 255
        assert torch.equal(found[place].driving[0], expected)
        assert found[place].source.shape == (1, 2, 3, SIDE, SIDE)
        assert found[place].driving.shape == (1, 3, 3, SIDE, SIDE)


def test_truth_is_known_of_rendered_clips_in_pixels_of_the_frames(people, tmp_path):
    of = recipe(needs=("landmarks68", "landmarks3d", "pose"), mirror=False)
    source = rows(people, tmp_path, of)
    truth = Truth.open(people)
    clip = source.known.clips.chosen[1]
    known = truth.clip(clip.clip_id)
    found = source.known.take("landmarks68", 1, [4, 2])
    assert np.allclose(found, (known.landmarks2d[[4, 2]] + 0.5) / 2 - 0.5, atol=1e-4)  # 64 pixels to 32
    assert np.array_equal(source.known.take("landmarks3d", 1, [3]), known.landmarks3d[[3]])
    assert np.array_equal(source.known.take("pose", 1, [3]), known.motion.angles[[3]])
    batch = next(batches(source, done=0, steps=1, batch=2, accumulate=1, rank=0, workers=0, device=torch.device("cpu")))
    shapes = {name: tuple(value.shape) for name, value in batch.driving_extras.items()}
    assert shapes == {"landmarks68": (2, 1, 68, 2), "landmarks3d": (2, 1, 68, 3), "pose": (2, 1, 3)}
    assert set(batch.source_extras) == set(shapes)


def test_mirrored_landmarks_lie_where_a_mirrored_face_has_them():
    assert np.array_equal(MIRRORED[MIRRORED], np.arange(68))
    assert (MIRRORED[0], MIRRORED[8], MIRRORED[36], MIRRORED[48], MIRRORED[30]) == (16, 8, 45, 54, 30)
    points = np.random.default_rng(0).random((2, 68, 2), np.float32) * 31
    found = extras.mirror("landmarks68", points, 32)
    assert np.allclose(found[:, 36], [31, 0] + points[:, 45] * [-1, 1])
    assert np.allclose(extras.mirror("landmarks68", found, 32), points, atol=1e-5)
    solid = np.random.default_rng(1).random((2, 68, 3), np.float32)
    assert np.allclose(extras.mirror("landmarks3d", solid, 32)[:, 36], solid[:, 45] * [-1, 1, 1])
    assert np.array_equal(extras.mirror("pose", np.array([[10, 20, 30]], np.float32), 32), [[-10, 20, -30]])


class Maker:
    """Finds a face in the first half of a clip, at its brightest pixel; its mask is the left half of the picture."""

    def __call__(self, name, frames):
        count, side = len(frames), frames.shape[1]
        if name == "mask":
            made = np.zeros((count, side, side), np.float32)
            made[:, :, : side // 2] = 1
        else:
            made = np.full((count, 68, 2), 63.5, np.float32)
        made[count // 2 :] = np.nan
        return made


def test_an_evaluator_says_what_no_truth_says_and_frames_without_a_face_are_left_out(dataset, tmp_path):
    of = recipe(needs=("landmarks68", "mask"))
    source = rows(dataset, tmp_path, of, Maker)
    source.known.prepare(workers=0)
    assert len(list((tmp_path / "extras").iterdir())) == 4
    kept = Extras(source.known.clips, of.needs, tmp_path, None)  # found again with no evaluator at hand
    assert np.allclose(kept.take("landmarks68", 0, [1]), 64 / 256 * SIDE - 0.5)
    assert np.isnan(kept.take("landmarks68", 0, [7])).all()
    halves = set()
    for n in range(12):
        row = source[(n, 0)]
        mask = row["driving mask"][0]
        assert np.isfinite(row["driving landmarks68"]).all()
        halves.add((mask[:, :16].mean(), mask[:, 16:].mean()))
    assert halves == {(255, 0), (0, 255)}  # mirrored with its frames, or not


def test_what_is_not_known_is_said(dataset, tmp_path):
    source = rows(dataset, tmp_path, recipe(needs=("landmarks3d",)))
    with pytest.raises(TrainingError, match="needs landmarks3d of every frame, which is not known of clip"):
        source[(1, 0)]
    with pytest.raises(TrainingError, match="needs: 'colour' is not among landmarks68"):
        rows(dataset, tmp_path, recipe(needs=("colour",)))
    with pytest.raises(TrainingError, match="fewer than 40 frames"):
        data.open_clips(dataset, SIDE, 40)
    blind = rows(
        dataset,
        tmp_path / "blind",
        recipe(needs=("landmarks68",)),
        lambda: lambda name, frames: Maker()(name, frames) * np.nan,
    )
    with pytest.raises(TrainingError, match="no face was found in any of 100 sets of frames"):
        blind[(1, 0)]
