"""How pSp is driven: frontalisation, redirection, directions from samples, frames and files."""

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file

import baselines
import baselines.psp
import models
import models.psp
from baselines import psp_directions
from baselines.checkpoint import BadCheckpoint, save
from baselines.interface import Redirector
from bench.commands.psp_directions import psp_directions as command
from models.errors import InputError
from models.psp import PoseDirections, PSp
from tests.baselines.psp_tiny import SIDE, TINY

ANGLES = torch.tensor([[30.0, 0.0, 0.0], [0.0, -10.0, 5.0]])


@pytest.fixture
def make(monkeypatch, tmp_path):
    """`make("encoder", ...)`: a tiny model from a file that holds these networks; its path; the networks."""
    monkeypatch.setitem(models.psp.PRESETS, "mini", models.psp.Config(**TINY))
    monkeypatch.setitem(baselines.psp.RESOLUTION, "mini", SIDE)

    def made(*parts):
        torch.manual_seed(0)
        networks = models.create("psp", "mini")
        networks["average"].latent_avg.normal_()
        networks = {name: networks[name].eval() for name in parts or networks}
        path = tmp_path / f"{len(networks)}.safetensors"
        save(path, networks, model="psp", preset="mini", steps=1)
        return baselines.load("psp", checkpoint=path), path, networks

    return made


def test_styles_are_turned_along_the_directions(make):
    model, _, networks = make()
    assert isinstance(model, Redirector)
    source = torch.rand(1, 3, SIDE, SIDE)
    psp = PSp(networks["encoder"], networks["decoder"], networks["average"])
    with torch.no_grad():
        step = (ANGLES[:, :, None, None] / 10 * networks["directions"].directions).sum(1)
        expected = psp.decode(psp.encode(source) + step)
    encoded = model.encode_source(source, {})
    found = model.redirect(encoded, *ANGLES.unbind(1))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(model.redirect(encoded, *ANGLES[1:].unbind(1)), found[1:], atol=1e-5, rtol=0)
    assert (found[0] - found[1]).abs().max() > 0.01


def test_without_directions_a_head_can_only_be_frontalised(make):
    model, _, networks = make("encoder", "decoder", "average")
    source = torch.rand(1, 3, SIDE, SIDE)
    encoded = model.encode_source(source, {})
    with torch.no_grad():
        expected = PSp(networks["encoder"], networks["decoder"], networks["average"])(source)
    torch.testing.assert_close(model.redirect(encoded, *torch.zeros(3, 1)), expected, atol=1e-5, rtol=0)
    with pytest.raises(InputError, match=r"3\.safetensors knows one pose, facing the camera.*bench psp-directions"):
        model.redirect(encoded, *ANGLES.unbind(1))


def test_driving_frames_and_wrong_sources_are_refused(make):
    model, _, _ = make()
    encoded = model.encode_source(torch.rand(1, 3, SIDE, SIDE), {})
    with pytest.raises(InputError, match="driving: psp turns heads to angles and follows no frames"):
        model.reenact(encoded, torch.rand(2, 3, SIDE, SIDE), {})
    with pytest.raises(InputError, match="images: expected at most 1 source image"):
        model.encode_source(torch.rand(2, 3, SIDE, SIDE), {})
    with pytest.raises(InputError, match=r"images: expected shape \[any, 3, 16, 16\]"):
        model.encode_source(torch.rand(1, 3, 8, 8), {})


def test_a_source_that_is_turned_already_is_turned_by_the_rest(make):
    model, _, networks = make()
    directions = PoseDirections(6, 8)
    styles = networks["average"].latent_avg + torch.randn(50, 6, 8)
    with torch.no_grad():
        directions.fit(styles, 20 * torch.randn(50, 3))
    model.directions = directions
    encoded = model.encode_source(torch.rand(1, 3, SIDE, SIDE), {})
    own = directions.pose(encoded.state["styles"])
    assert own.abs().max() > 1
    expected = model.psp.decode(encoded.state["styles"])
    torch.testing.assert_close(model.redirect(encoded, *own.unbind(1)), expected, atol=1e-5, rtol=0)


def brightness(images):
    """Poses that a picture plainly shows: how red, green and blue it is. None of the first picture's."""
    poses = 100 * images.mean((2, 3))
    poses[0] = float("nan")
    return poses


def test_directions_are_fitted_to_what_the_decoder_draws(make):
    model, path, _ = make("encoder", "decoder", "average")
    found = psp_directions.from_samples(model, brightness, 64, seed=1)
    assert not found.readout.any()
    psp_directions.write(path.with_name("with.safetensors"), path, found)
    turning = baselines.load("psp", checkpoint=path.with_name("with.safetensors"))
    encoded = turning.encode_source(torch.rand(1, 3, SIDE, SIDE), {})
    for axis in range(3):
        ask = torch.zeros(3, 2)
        ask[axis] = torch.tensor([-5.0, 5.0])
        low, high = 100 * turning.redirect(encoded, *ask).mean((2, 3))
        assert high[axis] > low[axis], axis


def test_directions_are_fitted_to_frames_of_known_pose(make):
    model, _, _ = make("encoder", "decoder", "average")
    images = torch.rand(60, 3, 1, 1).expand(-1, -1, SIDE, SIDE) * torch.rand(60, 1, SIDE, SIDE)
    frames = ((some, brightness(some)) for some in torch.split(images, 30))
    found = psp_directions.from_frames(model, frames)
    with torch.inference_mode():
        seen = found.pose(model.psp.encode(images))
    error, spread = (seen - 100 * images.mean((2, 3))).std(), (100 * images.mean((2, 3))).std()
    assert error < 0.5 * spread


def test_the_command_takes_directions_of_a_file(make, tmp_path):
    _, path, _ = make("encoder", "decoder", "average")
    given = torch.randn(3, 8)
    save_file({"directions": given}, tmp_path / "given.safetensors")
    out = tmp_path / "out.safetensors"
    arguments = ["--out", str(out), "--checkpoint", str(path), "--directions", str(tmp_path / "given.safetensors")]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    model = baselines.load("psp", checkpoint=out)
    torch.testing.assert_close(model.directions.directions, given[:, None].expand(-1, 6, -1))
    assert not model.directions.rest.any()
    assert model.spec.details == {"steps": 1}
    both = CliRunner().invoke(command, [*arguments, "--dataset", "x"])
    assert both.exit_code
    assert "exclude each other" in str(both.exception)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"directions": torch.zeros(3, 5)}, r"directions \[3, 5\] is none of directions \[3, 6, 8\], readout"),
        ({"yaw": torch.zeros(3, 8)}, r"yaw \[3, 8\] is none of"),
        ({"rest": torch.zeros(3)}, "has no tensor named directions"),
        (None, "is no readable safetensors file"),
    ],
)
def test_a_wrong_file_of_directions_is_named(make, tmp_path, tensors, message):
    model, _, _ = make()
    path = tmp_path / "wrong.safetensors"
    path.write_bytes(b"nothing") if tensors is None else save_file(tensors, path)
    with pytest.raises(BadCheckpoint, match=message):
        psp_directions.from_file(path, model)
