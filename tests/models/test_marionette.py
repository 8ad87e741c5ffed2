"""MarioNETte against the paper's formulas, written out as loops over positions."""

import math
from dataclasses import replace

import pytest
import torch

import models
from models.errors import InputError
from models.folding import folded
from models.marionette import PRESETS, Generator, ImageAttention, position_codes, warp

TINY = {
    "width": 4,
    "max_width": 12,
    "scales": 2,
    "attention_blocks": 2,
    "attention_width": 8,
    "disc_width": 4,
    "disc_max_width": 8,
    "disc_blocks": 2,
}


def made(**switches):
    torch.manual_seed(0)
    return models.create("marionette", "mini", **(TINY | switches))


@pytest.fixture(scope="module")
def generator():
    return made()["generator"].eval()


def test_the_paper_preset_has_the_papers_sizes():
    with torch.device("meta"):
        generator = Generator(replace(PRESETS["paper"], spectral_norm=False))
        mini = Generator(PRESETS["mini"])
    widths = [block.conv2.out_channels for block in generator.target_encoder.down_blocks]
    assert widths == [128, 256, 512, 512, 512]
    assert len(generator.target_encoder.up_blocks) == len(generator.decoder.blocks) == 4
    assert len(generator.blender.blocks) == 3
    assert sum(p.numel() for p in generator.parameters()) == 60_946_125
    assert sum(p.numel() for p in mini.parameters()) < 3_000_000


def code_of(i, j, height, width, channels):
    """The paper's code of row i, column j, channel by channel."""
    code = []
    for channel in range(channels):
        k, kind = divmod(channel, 4)
        place = 256 * i / height if kind < 2 else 256 * j / width
        angle = place / 10000 ** (2 * k / channels)
        code.append(math.cos(angle) if kind % 2 else math.sin(angle))
    return torch.tensor(code)


def test_attention_is_equations_1_and_2_position_by_position():
    torch.manual_seed(1)
    block = ImageAttention(6, 10, 5)
    z, encoded = torch.randn(2, 6, 3, 4), torch.randn(2 * 3, 10, 2, 3)  # two people, three targets each
    found = block.attend(z, *block.keys_and_values(encoded, 3))
    w_q, w_qp, w_k, w_kp, w_v = (
        layer.weight.detach().T
        for layer in (block.query, block.query_position, block.key, block.key_position, block.value)
    )
    for person in range(2):
        keys, values = [], []
        for target in range(3):
            for i in range(2):
                for j in range(3):
                    here = encoded[3 * person + target, :, i, j]
                    keys.append(here @ w_k + code_of(i, j, 2, 3, 10) @ w_kp)
                    values.append(here @ w_v)
        for i in range(3):
            for j in range(4):
                query = z[person, :, i, j] @ w_q + code_of(i, j, 3, 4, 6) @ w_qp
                scores = [math.exp(float(query @ key) / math.sqrt(5)) for key in keys]
                expected = sum(s * v for s, v in zip(scores, values, strict=True)) / sum(scores)
                torch.testing.assert_close(found[person, 4 * i + j].detach(), expected, atol=1e-5, rtol=1e-4)


def test_codes_of_places_are_the_formula_s():
    codes = position_codes(torch.zeros(1, 7, 2, 3))
    expected = torch.stack([code_of(i, j, 2, 3, 7) for i in range(2) for j in range(3)])
    torch.testing.assert_close(codes, expected, atol=1e-5, rtol=0)


def test_a_warp_looks_where_the_flow_says():
    torch.manual_seed(0)
    features, flow = torch.rand(2, 3, 5, 7), torch.rand(2, 2, 5, 7) * 2 - 1
    found = warp(features, flow)
    for b in range(2):
        for row in range(5):
            for column in range(7):
                x = min(max(column + float(flow[b, 0, row, column]) * (7 - 1) / 2, 0), 6)
                y = min(max(row + float(flow[b, 1, row, column]) * (5 - 1) / 2, 0), 4)
                left, top = min(int(x), 5), min(int(y), 3)
                a, c = x - left, y - top
                upper = features[b, :, top, left] * (1 - a) + features[b, :, top, left + 1] * a
                lower = features[b, :, top + 1, left] * (1 - a) + features[b, :, top + 1, left + 1] * a
                torch.testing.assert_close(found[b, :, row, column], upper * (1 - c) + lower * c, atol=1e-5, rtol=0)
    torch.testing.assert_close(warp(features, torch.zeros(2, 2, 5, 7)), features)


def test_equal_targets_count_as_one(generator):
    image, rendered, driver = torch.rand(3, 2, 1, 3, 32, 32).unbind(0)
    with torch.no_grad():
        one = generator(driver[:, 0], image, rendered)["prediction"]
        many = generator(driver[:, 0], image.expand(-1, 5, -1, -1, -1), rendered.expand(-1, 5, -1, -1, -1))
    torch.testing.assert_close(many["prediction"], one, atol=1e-5, rtol=0)


def test_the_order_of_targets_does_not_matter_and_each_counts(generator):
    image, rendered = torch.rand(2, 1, 3, 3, 32, 32).unbind(0)
    driver = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        first = generator(driver, image, rendered)["prediction"]
        turned = generator(driver, image.flip(1), rendered.flip(1))["prediction"]
        fewer = generator(driver, image[:, :2], rendered[:, :2])["prediction"]
    torch.testing.assert_close(turned, first, atol=1e-5, rtol=0)
    assert (fewer - first).abs().max() > 1e-4


def test_a_batch_is_its_images_one_by_one_and_targets_are_encoded_once(generator):
    image, rendered = torch.rand(2, 2, 2, 3, 32, 48).unbind(0)
    driver = torch.rand(2, 3, 32, 48)
    with torch.no_grad():
        both = generator(driver, image, rendered)["prediction"]
        for i in range(2):
            alone = generator(driver[i : i + 1], image[i : i + 1], rendered[i : i + 1])["prediction"]
            torch.testing.assert_close(both[i : i + 1], alone, atol=1e-5, rtol=0)
        targets = generator.encode_targets(image[:1], rendered[:1])
        driven = generator.drive(driver, targets.expand(2))
        torch.testing.assert_close(driven[:1], both[:1], atol=1e-5, rtol=0)
        torch.testing.assert_close(generator.drive(driver, targets.repeat(2)), driven, atol=1e-5, rtol=0)
    assert both.shape == (2, 3, 32, 48)
    assert both.min() >= 0
    assert both.max() <= 1


def test_gradients_reach_every_parameter():
    networks = made()
    image, rendered, driver = torch.rand(3, 1, 2, 3, 32, 32).unbind(0)
    prediction = networks["generator"](driver[:, 0], image, rendered)["prediction"]
    _, scores = networks["discriminator"](prediction, driver[:, 0])
    (prediction.square().mean() + scores.square().mean()).backward()
    for part, network in networks.items():
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, (part, name)
            # a constant added before instance normalisation has no effect
            if not (name.endswith(("conv1.bias", "blender.blocks.1.conv.bias"))):
                assert parameter.grad.abs().max() > 0, (part, name)


def test_it_learns_to_draw_a_picture():
    generator = made()["generator"]
    line = torch.linspace(0, 1, 32)
    picture = torch.stack([line.expand(32, 32), line[:, None].expand(32, 32), (6 * line).sin().expand(32, 32) ** 2])
    image, rendered = torch.rand(2, 2, 2, 3, 32, 32).unbind(0)
    driver, wanted = rendered[:, 0], picture.expand(2, -1, -1, -1)
    optimiser = torch.optim.Adam(generator.parameters(), lr=2e-3)
    history = []
    for _ in range(50):
        loss = (generator(driver, image, rendered)["prediction"] - wanted).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        history.append(loss.item())
    assert sum(history[-5:]) < 0.6 * sum(history[:5])


def test_folding_changes_nothing():
    generator = made(spectral_norm=True)["generator"].eval().requires_grad_(False)
    image, rendered = torch.rand(2, 1, 1, 3, 32, 32).unbind(0)
    before = generator(rendered[:, 0], image, rendered)["prediction"]
    quick = folded(generator)
    torch.testing.assert_close(quick(rendered[:, 0], image, rendered)["prediction"], before, atol=1e-5, rtol=0)
    assert any("weight_orig" in name for name in generator.state_dict())
    assert not any("weight_orig" in name for name in quick.state_dict())


def test_the_discriminator_scores_patches_and_is_spectrally_normal():
    discriminator, image = made()["discriminator"], torch.rand(2, 3, 32, 32)
    for _ in range(30):  # each finds the largest singular values a little better
        discriminator(image, image)
    features, scores = discriminator.eval()(image, image)
    assert [tuple(f.shape[1:]) for f in features] == [(8, 16, 16), (8, 8, 8)]
    assert scores.shape == (2, 1, 8, 8)
    for module in discriminator.modules():
        if isinstance(module, torch.nn.Conv2d):
            assert torch.linalg.matrix_norm(module.weight.flatten(1), 2) < 1.1


@pytest.mark.parametrize(
    ("driver", "targets", "rendered", "message"),
    [
        ((1, 3, 32, 32), (1, 3, 32, 32), (1, 3, 32, 32), r"targets: expected shape \[any, any, 3, any, any\]"),
        ((1, 3, 32, 32), (1, 2, 3, 32, 32), (1, 1, 3, 32, 32), r"target_landmarks: expected shape \[1, 2, 3, 32, 32\]"),
        ((1, 3, 36, 32), (1, 1, 3, 32, 32), (1, 1, 3, 32, 32), "driver: height and width must be multiples of 8"),
        ((1, 3, 32, 32), (1, 1, 3, 36, 32), (1, 1, 3, 36, 32), "targets: height and width must be multiples of 8"),
        ((2, 3, 32, 32), (1, 1, 3, 32, 32), (1, 1, 3, 32, 32), r"driver: expected as many as targets \(1\), got 2"),
    ],
)
def test_wrong_input_is_named(generator, driver, targets, rendered, message):
    with pytest.raises(InputError, match=message):
        generator(torch.rand(driver), torch.rand(targets), torch.rand(rendered))
