"""fs-vid2vid against public code on seeded weights, and against its formulas written out as loops."""

import math

import pytest
import torch

import models
from models.errors import InputError
from models.folding import folded
from models.fs_vid2vid import PRESETS, Previous
from models.fs_vid2vid_blocks import Spade, generated_conv, warp
from models.fs_vid2vid_weights import WeightGenerator, mix

TINY = {
    "width": 4,
    "max_width": 12,
    "downs": 3,
    "generated": 2,
    "averaged": True,
    "flow_width": 4,
    "flow_downs": 2,
    "flow_blocks": 1,
    "disc_width": 4,
    "disc_max_width": 8,
    "disc_layers": 2,
}


def made(**switches):
    torch.manual_seed(0)
    return models.create("fs-vid2vid", "paper", **(TINY | switches))


def inputs(batch=1, shots=1, side=32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    label = torch.rand(batch, 1, side, side, generator=generator)
    return label, *(torch.rand(batch, shots, c, side, side, generator=generator) for c in (1, 3))


def before(batch=1, side=32, seed=9):
    generator = torch.Generator().manual_seed(seed)
    return Previous(*(torch.rand(batch, c, side, side, generator=generator) for c in (1, 3)))


@pytest.fixture(scope="module")
def paper():
    return models.create("fs-vid2vid", "paper")


@pytest.fixture(scope="module")
def generator():
    return made(attention=True)["net_G"].eval().requires_grad_(False)


def test_names_and_shapes_are_the_published_ones(paper, published):
    for part, network in paper.items():
        published("fs_vid2vid_imaginaire_face_forensics").check(part, network)


def test_outputs_are_those_of_public_code(paper, golden, seeded):
    network = paper["net_G"].eval()
    seeded.fill(network)
    shapes = {"label": (1, 1, 512, 512), "ref_labels": (1, 1, 1, 512, 512), "ref_images": (1, 1, 3, 512, 512)}
    with torch.no_grad():
        found = network(*(seeded.image(name, shape) for name, shape in shapes.items()))
    case = golden("fs_vid2vid_first_frame")
    outputs = {
        "image": found["prediction"] * 2 - 1,
        "pre_tanh": found["pre_tanh"],
        "flow_ref": found["fake_flow_maps"][0],
        "occlusion_ref": found["fake_occlusion_masks"][0],
        "warped_ref": found["warped_images"][0] * 2 - 1,
        "encoded_reference_x": found["encoded_reference"],
        **{f"encoded_label_{i}": one for i, one in enumerate(found["encoded_label"])},
    }
    assert set(outputs) == case.names
    for name, value in outputs.items():
        case.check(name, value)


def test_the_mini_preset_is_small():
    networks = models.create("fs-vid2vid", "mini")
    assert sum(tensor.numel() for tensor in networks["net_G"].state_dict().values()) < 1_500_000
    assert PRESETS["mini"].attention


def test_attention_is_the_formula_position_by_position():
    torch.manual_seed(1)
    queries, keys, values = torch.randn(2, 4, 3), torch.randn(2, 3 * 4, 3), torch.randn(2, 3 * 4, 5)
    found = mix(queries, keys, values)
    for b in range(2):
        for i in range(4):
            scores = [math.exp(float(queries[b, i] @ key)) for key in keys[b]]
            expected = sum(s * v for s, v in zip(scores, values[b], strict=True)) / sum(scores)
            torch.testing.assert_close(found[b, i], expected, atol=1e-5, rtol=1e-4)


def test_references_are_mixed_by_what_their_labels_have_in_common(generator):
    label, labels, images = inputs(shots=3)
    weights = generator.weight_generator
    references = generator.encode_references(labels, images)
    found = generator.drive(label, references)
    image_map, label_map = weights.encode(images[0] * 2 - 1, labels[0])
    keys, (query,) = weights.attend("key", labels[0]), weights.attend("query", label)
    share = torch.softmax((query @ keys.flatten(0, 1).T), dim=1)  # [N, 3 N]
    mixed = [(share @ one.flatten(2).mT.flatten(0, 1)).T.unflatten(1, (8, 8))[None] for one in (image_map, label_map)]
    start = weights.finish(*mixed).start
    torch.testing.assert_close(found["encoded_reference"], start, atol=1e-5, rtol=1e-5)
    best = int(found["chosen_reference"])
    assert best == share.unflatten(1, (3, 64)).sum((0, 2)).argmax()
    warped = warp(images[0, best][None], found["fake_flow_maps"][0])
    torch.testing.assert_close(found["warped_images"][0], warped, atol=1e-5, rtol=0)


@pytest.mark.parametrize("previous", [None, before()], ids=["first", "later"])
def test_equal_references_count_as_one(generator, previous):
    label, labels, images = inputs()
    one = generator(label, labels, images, previous)["prediction"]
    many = generator(label, labels.expand(-1, 5, -1, -1, -1), images.expand(-1, 5, -1, -1, -1), previous)
    torch.testing.assert_close(many["prediction"], one, atol=1e-5, rtol=0)


def test_the_order_of_references_does_not_matter_and_each_counts(generator):
    label, labels, images = inputs(shots=3)
    found = generator(label, labels, images)["prediction"]
    turned = generator(label, labels.flip(1), images.flip(1))["prediction"]
    torch.testing.assert_close(turned, found, atol=1e-5, rtol=0)
    assert (generator(label, labels[:, :2], images[:, :2])["prediction"] - found).abs().max() > 1e-5


def test_a_warp_looks_as_many_pixels_away_as_the_flow_says():
    torch.manual_seed(0)
    image, flow = torch.rand(1, 2, 5, 7), 4 * torch.rand(1, 2, 5, 7) - 2
    found = warp(image, flow)
    for row in range(5):
        for column in range(7):
            x = min(max(column + float(flow[0, 0, row, column]), 0), 6)
            y = min(max(row + float(flow[0, 1, row, column]), 0), 4)
            left, top = min(int(x), 5), min(int(y), 3)
            a, c = x - left, y - top
            upper = image[0, :, top, left] * (1 - a) + image[0, :, top, left + 1] * a
            lower = image[0, :, top + 1, left] * (1 - a) + image[0, :, top + 1, left + 1] * a
            torch.testing.assert_close(found[0, :, row, column], upper * (1 - c) + lower * c, atol=1e-5, rtol=0)


def test_generated_weights_are_each_image_s_own():
    torch.manual_seed(0)
    x, weight, bias = torch.rand(3, 4, 6, 5), torch.randn(3, 2, 4, 3, 3), torch.randn(3, 2)
    found = generated_conv(x, (weight, bias))
    for b in range(3):
        expected = torch.nn.functional.conv2d(x[b : b + 1], weight[b], bias[b], padding=1)
        torch.testing.assert_close(found[b : b + 1], expected, atol=1e-5, rtol=1e-5)


def test_maps_modulate_one_after_the_other():
    torch.manual_seed(0)
    spade, x, maps = Spade(4, 3, 3, generated=True), torch.rand(2, 4, 6, 6), torch.rand(3, 2, 3, 6, 6)
    coefficients = (torch.randn(2, 8, 3, 1, 1), torch.randn(2, 8))
    expected = (x - x.mean((2, 3), keepdim=True)) / (x.var((2, 3), keepdim=True, unbiased=False) + 1e-5).sqrt()
    made = torch.einsum("boc,bchw->bohw", coefficients[0][..., 0, 0], maps[0]) + coefficients[1][..., None, None]
    for both in (made, spade.mlps[1](maps[1]), spade.mlps[2](maps[2])):
        expected = expected * (1 + both[:, :4]) + both[:, 4:]
    torch.testing.assert_close(spade(x, list(maps), coefficients), expected, atol=1e-5, rtol=1e-5)
    lacking = spade(x, [maps[0], maps[1], None], coefficients)
    assert (lacking - expected).abs().max() > 1e-3


def test_the_frame_before_is_warped_by_the_same_network_and_counts(generator):
    label, labels, images = inputs()
    first, later = generator(label, labels, images), generator(label, labels, images, before())
    assert first["fake_flow_maps"][1] is first["warped_images"][1] is None
    flow, occlusion = generator.flow_network_ref(torch.cat([label, before().label, before().image * 2 - 1], dim=1))
    torch.testing.assert_close(later["fake_flow_maps"][1], flow)
    torch.testing.assert_close(later["fake_occlusion_masks"][1], occlusion)
    torch.testing.assert_close(later["warped_images"][1], warp(before().image, flow), atol=1e-5, rtol=0)
    torch.testing.assert_close(later["fake_flow_maps"][0], first["fake_flow_maps"][0])
    assert (later["prediction"] - first["prediction"]).abs().max() > 1e-4
    assert generator.flow_network_ref is generator.flow_network_temp


def test_composed_pictures_are_equation_2():
    label, labels, images = inputs()
    with torch.no_grad():
        found = made(composed=True)["net_G"].eval()(label, labels, images, before())
    picture = (found["pre_tanh"].tanh() + 1) / 2
    masks, images = (found[name][::-1] for name in ("fake_occlusion_masks", "warped_images"))
    for share, warped in zip(masks, images, strict=True):
        picture = share * picture + (1 - share) * warped
    torch.testing.assert_close(found["prediction"], picture, atol=1e-5, rtol=0)


def test_a_batch_is_its_images_one_by_one_and_references_are_encoded_once(generator):
    label, labels, images = inputs(batch=2, shots=2)
    previous = before(batch=2)
    both = generator(label, labels, images, previous)["prediction"]
    for i in range(2):
        alone = [one[i : i + 1] for one in (label, labels, images)]
        found = generator(*alone, Previous(*(one[i : i + 1] for one in previous)))["prediction"]
        torch.testing.assert_close(found, both[i : i + 1], atol=1e-5, rtol=0)
    once = generator.encode_references(labels[:1], images[:1])
    for many in (once.expand(2), once.repeat(2)):
        torch.testing.assert_close(
            generator.drive(label, many, previous)["prediction"][:1], both[:1], atol=1e-5, rtol=0
        )
    plain = made()["net_G"].eval()
    with torch.no_grad():
        once = plain.encode_references(labels[:1, :1], images[:1, :1])
        direct = plain(label, labels[:1, :1].expand(2, -1, -1, -1, -1), images[:1, :1].expand(2, -1, -1, -1, -1))
        torch.testing.assert_close(
            plain.drive(label, once.expand(2))["prediction"], direct["prediction"], atol=1e-5, rtol=0
        )
    assert both.shape == (2, 3, 32, 32)
    assert both.min() >= 0
    assert both.max() <= 1


def test_gradients_reach_every_parameter():
    networks = made(attention=True)
    label, labels, images = inputs(batch=2, shots=2)
    prediction = networks["net_G"](label, labels, images, before(batch=2))["prediction"]
    _, scores = networks["net_D"](label, labels[:, 0], images[:, 0], prediction)
    loss = prediction.square().mean() + sum(score.square().mean() for score in scores)
    loss.backward()
    unused = ("ref_img_up_0.", "ref_label_up_0.")  # of the published layout
    for part, network in networks.items():
        for name, parameter in network.named_parameters():
            if any(one in name for one in unused):
                assert parameter.grad is None
                continue
            assert parameter.grad is not None, (part, name)
            # a constant added before instance normalisation has no effect
            if not name.endswith("conv.bias"):
                assert parameter.grad.abs().max() > 0, (part, name)


def test_folding_changes_nothing(generator):
    label, labels, images = inputs(shots=2)
    quick = folded(generator)
    found = quick(label, labels, images, before())["prediction"]
    torch.testing.assert_close(found, generator(label, labels, images, before())["prediction"], atol=1e-5, rtol=0)
    assert not any("weight_orig" in name for name in quick.state_dict())


def test_the_discriminator_scores_patches_of_two_sizes():
    discriminator, (label, labels, images) = made()["net_D"].eval(), inputs(batch=2)
    maps, scores = discriminator(label, labels[:, 0], images[:, 0], torch.rand(2, 3, 32, 32))
    assert [[tuple(one.shape[1:]) for one in scale] for scale in maps] == [
        [(4, 16, 16), (8, 8, 8), (8, 7, 7)],
        [(4, 8, 8), (8, 4, 4), (8, 3, 3)],
    ]
    assert [tuple(score.shape) for score in scores] == [(2, 1, 7, 7), (2, 1, 3, 3)]


def test_without_attention_there_is_no_mixing():
    plain, mixing = (
        WeightGenerator(1, (4, 8, 8), generated=1, kernel=1, hidden_layers=1, attention_downs=d) for d in (None, 1)
    )
    assert {name for name in mixing.state_dict() if name not in plain.state_dict()} == {
        name for name in mixing.state_dict() if name.startswith("attn_")
    }
    label, labels, images = inputs(shots=2)
    with pytest.raises(
        InputError, match="ref_images: expected one reference, as there is no attention over more, got 2"
    ):
        made()["net_G"](label, labels, images)


def test_widths_must_share_the_weights_out():
    with pytest.raises(ValueError, match="widths: 4 and 7: weights for 4 channels cannot come from 7 equal rows"):
        made(max_width=7)


@pytest.mark.parametrize(
    ("label", "labels", "images", "message"),
    [
        ((1, 1, 32, 32), (1, 1, 1, 32, 32), (1, 3, 32, 32), r"ref_images: expected shape \[any, any, 3, any, any\]"),
        ((1, 1, 32, 32), (1, 2, 1, 32, 32), (1, 1, 3, 32, 32), r"ref_labels: expected shape \[1, 1, 1, 32, 32\]"),
        ((1, 1, 32, 32), (1, 1, 1, 36, 32), (1, 1, 3, 36, 32), "ref_images: height and width must be multiples of 8"),
        ((1, 3, 32, 32), (1, 1, 1, 32, 32), (1, 1, 3, 32, 32), r"label: expected a floating tensor \[B, 1, H, W\]"),
        (
            (2, 1, 32, 32),
            (1, 1, 1, 32, 32),
            (1, 1, 3, 32, 32),
            r"label: expected as many .* \(1 of 32 x 32\), got 2 of",
        ),
    ],
)
def test_wrong_input_is_named(generator, label, labels, images, message):
    with pytest.raises(InputError, match=message):
        generator(torch.rand(label), torch.rand(labels), torch.rand(images))


def test_a_frame_before_of_another_size_is_named(generator):
    label, labels, images = inputs()
    with pytest.raises(InputError, match=r"previous.image: expected shape \[1, 3, 32, 32\], got \[1, 3, 16, 16\]"):
        generator(label, labels, images, Previous(label, torch.rand(1, 3, 16, 16)))


def test_a_warp_keeps_its_places_exact_at_half_precision():
    image = torch.rand(1, 1, 2, 512)
    flow = torch.zeros(1, 2, 2, 512)
    flow[:, 0] = 2.5
    found = warp(image.bfloat16(), flow.bfloat16())
    expected = warp(image, flow)
    assert (found - expected).abs().max() < 0.01
