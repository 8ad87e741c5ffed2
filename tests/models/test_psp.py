"""pSp against the published state dicts and an output of its authors' code; pose directions against regression."""

import gc

import pytest
import torch
import torch.nn.functional as F

import models
from models.errors import InputError, UnknownName
from models.folding import folded
from models.psp import PoseDirections, PSp
from models.stylegan2 import low_pass

TINY = {
    "side": 16,
    "encoder_side": 32,
    "widths": (4, 6, 8, 8),
    "units": (1, 1, 2, 1),
    "style": 8,
    "coarse": 1,
    "middle": 2,
    "mapping": 2,
    "width": 128,
    "max_width": 8,
}


def make():
    torch.manual_seed(0)
    networks = models.create("psp", "mini", **TINY)
    for name, parameter in networks["decoder"].named_parameters():
        if name.endswith("noise.weight"):
            torch.nn.init.constant_(parameter, 0.1)
    return networks


@pytest.fixture(scope="module")
def tiny():
    networks = {name: network.eval() for name, network in make().items()}
    return networks, PSp(networks["encoder"], networks["decoder"], networks["average"])


@pytest.mark.parametrize(
    ("name", "public", "parts"),
    [
        ("psp", "psp_ffhq_frontalize_1024", ("encoder", "decoder")),
        ("ir-se50", "psp_idloss_ir_se50", ("facenet",)),
    ],
)
def test_names_and_shapes_are_those_of_the_published_checkpoints(published, name, public, parts):
    expected = published(public)
    with torch.device("meta"):
        networks = models.create(name)
    assert set(parts) == set(expected.modules)
    for part in parts:
        expected.check(part, networks[part])


def test_outputs_are_those_of_the_authors_code(golden, seeded):
    case = golden("psp_frontalize_1024")
    with torch.device("meta"):
        networks = models.create("psp")
    found = {}
    images = 2 * seeded.image("images", (2, 3, 256, 256)) - 1
    latent_avg, z = (torch.from_numpy(case.stored[name]) for name in ("in_latent_avg", "in_z"))
    with torch.no_grad():
        encoder = networks.pop("encoder").to_empty(device="cpu").eval()  # a gigabyte: let go before the decoder
        seeded.fill(encoder)
        for name, parameter in encoder.named_parameters():
            if ".res_layer." in name and parameter.dim() == 4:
                parameter *= 0.5
        found["codes"] = encoder(images)
        del encoder
        gc.collect()
        average = networks["average"].to_empty(device="cpu")
        average.latent_avg.copy_(latent_avg)
        decoder = networks["decoder"].to_empty(device="cpu").eval()
        seeded.fill(decoder)
        for name, buffer in decoder.named_buffers():
            if name.endswith("kernel"):
                buffer.copy_(low_pass(4.0))
        found["image"] = decoder(average(found["codes"]))
        found["pooled"] = F.adaptive_avg_pool2d(found["image"][:1], 256)
        found["w_from_z"] = decoder.style(z)
        found["default_blur_kernel"] = low_pass()
        average.take(decoder, z)
    assert case.names == set(found)
    for name, value in found.items():
        case.check(name, value)
    torch.testing.assert_close(average.latent_avg, found["w_from_z"].mean(0).expand(18, 512))


def test_a_batch_is_its_images_one_by_one_and_folding_changes_nothing(tiny):
    networks, psp = tiny
    images = torch.rand(3, 3, 64, 64)
    with torch.no_grad():
        all_three = psp(images)
        assert all_three.shape == (3, 3, 32, 32)
        assert psp.decode(psp.encode(images)).shape == (3, 3, 16, 16)
        torch.testing.assert_close(psp(images[1:2]), all_three[1:2], atol=1e-5, rtol=0)
        driven = PSp(folded(networks["encoder"]), folded(networks["decoder"]), networks["average"])
        torch.testing.assert_close(driven(images), all_three, atol=1e-5, rtol=0)


def test_styles_come_from_three_sizes_of_map(tiny):
    encoder = tiny[0]["encoder"]
    assert [len(style.convs) // 2 for style in encoder.styles] == [1, 2, 2, 3, 3, 3]  # from 2, 4 and 8 pixels


def test_a_gradient_reaches_every_parameter():
    networks = make()
    styles = networks["average"](networks["encoder"](torch.randn(4, 3, 32, 32)))
    turned = networks["directions"](styles, torch.randn(4, 3))
    (networks["decoder"](turned) + networks["decoder"](networks["decoder"].style(torch.randn(4, 8)))).sum().backward()
    for network in networks.values():
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name


def test_wrong_input_is_named(tiny):
    networks, psp = tiny
    with pytest.raises(InputError, match="images: height and width must be multiples of 32, got 40 x 40"):
        psp(torch.rand(1, 3, 40, 40))
    with pytest.raises(InputError, match=r"images: expected values in \[0, 1\]"):
        psp(torch.rand(1, 3, 32, 32) * 2 - 1)
    with pytest.raises(InputError, match=r"x: expected shape \[any, 3, 32, 32\], got \[1, 3, 64, 64\]"):
        networks["encoder"](torch.rand(1, 3, 64, 64))
    with pytest.raises(InputError, match=r"angles: expected shape \[2, 3\], got \[1, 3\]"):
        networks["directions"](torch.zeros(2, 6, 8), torch.zeros(1, 3))
    with pytest.raises(ValueError, match="widths: expected four stages, the last of 8"):
        models.create("psp", "mini", **{**TINY, "widths": (4, 6, 8, 12)})
    with pytest.raises(UnknownName, match="switch 'sid': did you mean side"):
        models.create("psp", sid=1)


def test_directions_and_readout_are_found_again():
    generator = torch.Generator().manual_seed(0)
    true = torch.randn(3, 6, 8, generator=generator)
    angles = 20 * torch.randn(200, 3, generator=generator)
    noise = 0.05 * torch.randn(200, 6, 8, generator=generator)
    styles = 1.5 + torch.einsum("na,ald->nld", angles / 10, true) + noise
    directions = PoseDirections(6, 8)
    directions.fit(styles, angles)
    torch.testing.assert_close(directions.directions.detach(), true, atol=0.02, rtol=0)
    assert (directions.pose(styles) - angles).abs().max() < 0.5
    asked = torch.tensor([[30.0, -10.0, 5.0]])
    with torch.no_grad():
        turned = directions(styles[:1], asked)
    torch.testing.assert_close(directions.pose(turned), asked, atol=0.3, rtol=0)
    with pytest.raises(InputError, match="poses that differ in yaw, pitch and roll, got 200"):
        directions.fit(styles, angles * torch.tensor([1.0, 1.0, 0.0]))


def test_the_identity_network_sees_the_face_alone():
    torch.manual_seed(0)
    facenet = models.create("ir-se50", "mini")["facenet"].eval()
    images = torch.rand(2, 3, 512, 512)
    with torch.no_grad():
        found = facenet.of_faces(images)
        torch.testing.assert_close(found.norm(dim=1), torch.ones(2))
        border = images.clone()
        border[..., :60] = 0  # left of 32 of 256 pixels
        torch.testing.assert_close(facenet.of_faces(border), found)
        border[..., :80] = 0
        assert (facenet.of_faces(border) - found).abs().max() > 1e-5
    with pytest.raises(InputError, match=r"x: expected shape \[any, 3, 32, 32\]"):
        facenet(torch.rand(1, 3, 64, 64))
