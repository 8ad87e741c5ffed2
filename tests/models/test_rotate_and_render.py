"""Rotate-and-Render's networks against the published state dict and the output of public code on seeded weights."""

import pytest
import torch
import torch.nn.functional as F

import models
from models.errors import InputError, UnknownName
from models.folding import folded

TINY = {
    "width": 4,
    "down_blocks": 2,
    "blocks": 2,
    "hidden": 8,
    "disc_width": 4,
    "disc_max_width": 8,
    "disc_blocks": 3,
}
G = "netG_rotatespade"


def made(**switches):
    torch.manual_seed(0)
    return models.create("rar", "mini", **(TINY | switches))


def inputs(count, side=16, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, side, side, generator=generator), torch.rand(count, 5, side, side, generator=generator)


@pytest.fixture
def generator():
    return made(residual=False)[G].eval()


def test_names_and_shapes_are_those_of_the_published_checkpoint(published):
    with torch.device("meta"):
        network = models.create("rar")[G]
    published("rotate_and_render_G").check(G, network)


def test_outputs_are_those_of_public_code(golden, seeded):
    case = golden("rar_rotatespade")
    network = models.create("rar")[G].eval()
    seeded.fill(network)
    found = {}
    layers = {"after_downsampling": network.downsample_layers, "after_resnet": network.resnet_layers8}
    hooks = [
        layer.register_forward_hook(lambda _, __, out, name=name: found.update({name: out}))
        for name, layer in {**layers, "pre_tanh": network.final_layer[1]}.items()
    ]
    mesh, seg = seeded.image("mesh", (1, 3, 256, 256)), seeded.image("seg", (1, 5, 256, 256))
    with torch.no_grad():
        found["image"] = network.raw(2 * mesh - 1, seg)
        for hook in hooks:
            hook.remove()
        quick = folded(network)(mesh, seg)["prediction"]
    assert set(found) == case.names
    for name in case.names:
        case.check(name, found[name])
    torch.testing.assert_close(quick, (found["image"] + 1) / 2, atol=1e-4, rtol=0)


def test_the_mini_preset_is_small_and_begins_as_a_copy():
    network = models.create("rar", "mini")[G].eval()
    assert sum(p.numel() for p in network.parameters()) <= 1_200_000
    mesh, curves = inputs(1, 64)
    with torch.no_grad():
        assert (network(mesh, curves)["prediction"] - mesh).abs().max() < 0.006


def test_a_batch_is_its_images_one_by_one(generator):
    mesh, curves = inputs(3)
    with torch.no_grad():
        together = generator(mesh, curves)["prediction"]
        alone = torch.cat([generator(m[None], c[None])["prediction"] for m, c in zip(mesh, curves, strict=True)])
    assert together.shape == mesh.shape
    assert together.min() >= 0
    assert together.max() <= 1
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def test_the_curves_modulate_by_the_formula():
    block = made()[G].resnet_layers0.eval()
    x, curves = torch.randn(1, 16, 6, 6), torch.rand(1, 5, 12, 12)
    norm = block.norm_0
    with torch.no_grad():
        norm.param_free_norm.running_mean.normal_()
        norm.param_free_norm.running_var.uniform_(0.5, 2)
        shared = F.relu(norm.mlp_shared[0](curves[..., ::2, ::2]))
        mean, variance = norm.param_free_norm.running_mean, norm.param_free_norm.running_var
        normal = (x - mean[:, None, None]) / (variance[:, None, None] + 1e-5).sqrt()
        expected = normal * (1 + norm.mlp_gamma(shared)) + norm.mlp_beta(shared)
        torch.testing.assert_close(norm(x, curves), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("residual", [False, True])
def test_gradient_reaches_every_parameter(residual):
    networks = made(residual=residual)
    mesh, curves = inputs(2, 32)
    network, judge = networks[G], networks["netD"]
    if residual:
        torch.nn.init.normal_(network.final_layer[1].weight)
    image = network(mesh, curves)["prediction"]
    sum(scores.square().mean() for _, scores in judge(image)).backward()
    for part in networks.values():
        for name, parameter in part.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0 or "bias" in name, name


def test_the_discriminators_see_the_image_at_each_scale():
    judge = made()["netD"].eval()
    image = inputs(2, 32)[0]
    with torch.no_grad():
        (features, scores), (_, coarse) = judge(image)
        smaller = F.avg_pool2d(image * 2 - 1, 3, stride=2, padding=1, count_include_pad=False)
        torch.testing.assert_close(coarse, judge.scales[1](smaller)[1])
    assert [f.shape[1] for f in features] == [4, 8, 8]
    assert scores.shape[1] == 1
    assert scores.shape[-1] > coarse.shape[-1]


def test_wrong_input_is_named(generator):
    mesh, curves = inputs(2)
    with pytest.raises(InputError, match="rendering: height and width must be multiples of 4, got 18 x 16"):
        generator(torch.rand(1, 3, 18, 16), curves[:1])
    with pytest.raises(InputError, match=r"curves: expected a floating tensor \[B, 5, H, W\]"):
        generator(mesh, mesh)
    with pytest.raises(InputError, match=r"curves: expected as many as renderings \(2\), got 1"):
        generator(mesh, curves[:1])
    with pytest.raises(InputError, match=r"rendering: expected values in \[0, 1\]"):
        generator(mesh * 2 - 1, curves)
    with pytest.raises(UnknownName, match="rar switch"):
        models.create("rar", "mini", widht=3)
