"""How MarioNETte is driven."""

import pytest
import torch

import baselines
import baselines.marionette
import models
import models.marionette
from baselines.checkpoint import save
from baselines.landmark_rendering import draw_landmarks
from models.errors import InputError

SIDE = 32


def frames(count, seed=0):
    return torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


def landmarks(count, seed=0):
    return torch.rand(count, 68, 2, generator=torch.Generator().manual_seed(seed)) * SIDE


@pytest.fixture
def marionette_checkpoint(monkeypatch, tmp_path):
    """Random weights of a tiny model, as training would leave them."""
    config = models.marionette.Config(
        width=4, max_width=12, scales=2, attention_blocks=1, attention_width=8, disc_width=4, disc_blocks=2
    )
    monkeypatch.setitem(models.marionette.PRESETS, "mini", config)
    monkeypatch.setitem(baselines.marionette.RESOLUTION, "mini", SIDE)
    torch.manual_seed(0)
    path = tmp_path / "made" / "checkpoint.safetensors"
    networks = models.create("marionette", "mini")
    save(path, {"generator": networks["generator"].eval()}, model="marionette", preset="mini", steps=7)
    return path


def test_the_adapter_gives_what_the_network_gives(marionette_checkpoint):
    model = baselines.load("marionette", checkpoint=marionette_checkpoint)
    assert (model.spec.shots, model.spec.needs) == (8, ("landmarks68",))
    source, driving, points, driver = frames(3), frames(20, 1), landmarks(3), landmarks(20, 1)
    encoded = model.encode_source(source, {"landmarks68": points})
    found = model.reenact(encoded, driving, {"landmarks68": driver})
    assert found.shape == driving.shape
    with torch.no_grad():
        expected = model.generator(
            draw_landmarks(driver[17:18], SIDE), source[None], draw_landmarks(points, SIDE)[None]
        )["prediction"]
    torch.testing.assert_close(found[17:18], expected, atol=1e-5, rtol=0)


def test_it_sees_of_driving_frames_their_landmarks_alone(marionette_checkpoint):
    model = baselines.load("marionette", checkpoint=marionette_checkpoint)
    encoded = model.encode_source(frames(1), {"landmarks68": landmarks(1)})
    one, other = (model.reenact(encoded, frames(2, seed), {"landmarks68": landmarks(2, 5)}) for seed in (1, 2))
    assert torch.equal(one, other)


def test_what_it_cannot_take_is_named(marionette_checkpoint):
    model = baselines.load("marionette", checkpoint=marionette_checkpoint)
    lost = landmarks(3)
    lost[1] = float("nan")
    with pytest.raises(InputError, match="landmarks68: no face was found in source frames 1"):
        model.encode_source(frames(3), {"landmarks68": lost})
    with pytest.raises(InputError, match="extras of source frames: expected landmarks68, got nothing"):
        model.encode_source(frames(3), {})
    encoded = model.encode_source(frames(1), {"landmarks68": landmarks(1)})
    with pytest.raises(InputError, match=r"landmarks68 of driving frames: expected shape \[2, 68, 2\]"):
        model.reenact(encoded, frames(2), {"landmarks68": landmarks(3)})
    with pytest.raises(InputError, match="relative_to: marionette knows absolute motion alone"):
        model.reenact(encoded, frames(2), {"landmarks68": landmarks(2)}, relative_to=frames(1))


def test_lt_draws_the_sources_face(marionette_checkpoint):
    plain, model = (baselines.load(name, checkpoint=marionette_checkpoint) for name in ("marionette", "marionette-lt"))
    assert (model.spec.name, model.spec.shots, model.spec.needs) == ("marionette-lt", 8, ("landmarks68",))
    mean = model.transformer.mean
    driver = 5 * mean[None, :, :2] + 16
    narrow = driver.clone()
    narrow[..., 0] = (narrow[..., 0] - 16) * 0.8 + 16
    images, driving = frames(2), frames(1, 1)
    source = model.encode_source(images, {"landmarks68": narrow.expand(2, -1, -1)})
    moved = model.driver_landmarks(source, driver)
    width = moved[0, 16, 0] - moved[0, 0, 0]
    assert width < 0.97 * (driver[0, 16, 0] - driver[0, 0, 0])
    found = model.reenact(source, driving, {"landmarks68": driver})
    expected = plain.reenact(source, driving, {"landmarks68": moved})
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
