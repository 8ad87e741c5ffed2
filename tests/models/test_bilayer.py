"""The bi-layer model against the published state dicts and against outputs of the authors' code on seeded weights."""

import pytest
import torch
import torch.nn.functional as F

import models
from models.bilayer import Person, drive, encode, enhance, fold_spectral_norm, masked, remove_spectral_norm
from models.bilayer_blocks import AdaptiveConv, AdaptiveNorm, Projector
from models.errors import InputError, UnknownName

DRIVEN = ("identity_embedder", "texture_generator", "keypoints_embedder", "inference_generator")
TINY = {
    "image_size": 32,
    "spectral_norm": False,
    "width": 4,
    "max_width": 16,
    "bottleneck": 4,
    "pose_width": 8,
    "inf_width": 2,
    "inf_max_width": 8,
    "enh_width": 4,
    "enh_max_width": 8,
    "enh_blocks": 1,
    "enh_steps": 2,
    "disc_width": 4,
    "disc_max_width": 8,
    "disc_blocks": 3,
}


@pytest.fixture
def tiny():
    torch.manual_seed(0)
    return {name: network.eval() for name, network in models.create("bilayer", **TINY).items()}


def inputs(count, shots=1, seed=0):
    """Images, masks and drawn landmarks of `count` persons, and as many poses."""
    generator = torch.Generator().manual_seed(seed)
    images, masks, stickmen = (torch.rand(count, shots, c, 32, 32, generator=generator) for c in (3, 1, 3))
    return images, masks, stickmen, torch.rand(count, 68, 2, generator=generator) * 2 - 1


@pytest.mark.parametrize(("layout", "spectral_norm"), [("spn", True), ("nospn", False)])
def test_names_and_shapes_are_those_of_the_published_checkpoints(published, layout, spectral_norm):
    expected = published(f"bilayer_base_{layout}")
    with torch.device("meta"):
        networks = models.create("bilayer", spectral_norm=spectral_norm)
    assert set(networks) == set(expected.modules)
    for part, network in networks.items():
        expected.check(part, network)


@pytest.fixture(scope="module")
def seeded_networks(seeded):
    """The networks that are driven, with seeded weights, as the reference outputs were made with."""
    every = models.create("bilayer", spectral_norm=True)
    networks = {name: every[name].eval() for name in DRIVEN}
    grid = networks["inference_generator"].identity_grid.clone()
    for network in networks.values():
        seeded.fill(network)
    networks["inference_generator"].identity_grid.copy_(grid)
    with torch.no_grad():
        for name, parameter in networks["texture_generator"].named_parameters():
            if name.endswith("pixel_feats"):
                parameter.mul_(0.05)
    return networks


def outputs(networks, case, seeded):
    """All that the case has stored, by its names; axes of one frame are put back."""
    image, mask = seeded.image("source_imgs", (1, 1, 3, 256, 256)), seeded.image("source_segs", (1, 1, 1, 256, 256))
    stickmen = torch.from_numpy(case.stored["in_source_stickmen_uint8"])[:, None] / 255
    pose = torch.from_numpy(case.stored["in_target_poses"])[None]
    before_tanh = []
    generator = networks["inference_generator"]
    head = networks["texture_generator"].gen_tex.heads[0][0]
    hook = head.register_forward_hook(lambda *call: before_tanh.append(call[2]))
    with torch.no_grad():
        embeddings = networks["identity_embedder"](image, mask, stickmen)
        texture = networks["texture_generator"](embeddings)
        posed = networks["keypoints_embedder"](pose)
        found = generator(posed, generator.prj_inf(embeddings), texture)
    hook.remove()
    low, predicted = found["pred_target_delta_lf_rgbs"], found["pred_target_segs"]
    return {f"source_idt_embed_{i}": embedding for i, embedding in enumerate(embeddings)} | {
        "identity_grid": generator.identity_grid,
        "pred_tex_hf_rgbs": texture[:, None],
        "tex_pre_tanh": before_tanh[0],
        "target_pose_embeds": posed[:, None],
        "pred_target_delta_uvs": found["pred_target_delta_uvs"],
        "pred_target_lf_unmasked": low,
        "pred_target_segs_logits": found["pred_target_segs_logits"],
        "pred_target_imgs": found["pred_target_imgs"][:, None],
        "pred_target_segs": predicted[:, None],
        "pred_target_delta_lf_rgbs": masked(low, predicted)[:, None],
        "pred_target_delta_hf_rgbs": found["pred_target_delta_hf_rgbs"][:, None],
    }


@pytest.mark.parametrize("align_corners", [True, False])
def test_outputs_are_those_of_the_authors_code(golden, seeded, seeded_networks, align_corners):
    case = golden(f"bilayer_spn_ac{int(align_corners)}")
    seeded_networks["inference_generator"].align_corners = align_corners
    found = outputs(seeded_networks, case, seeded)
    assert set(found) == case.names
    for name in case.names:
        case.check(name, found[name])
    assert found["pred_target_imgs"].min() < -1.3  # the sum of the layers is not clamped


def test_without_spectral_norm_the_outputs_are_the_same(golden, seeded, seeded_networks):
    case = golden("bilayer_spn_ac1")
    assert case.about["after_stripping_spectral_norm"]["pred_target_imgs"] == 0
    seeded_networks["inference_generator"].align_corners = True
    folded = models.create("bilayer", spectral_norm=False, align_corners=True)
    folded = {name: folded[name].eval() for name in DRIVEN}
    for name, network in folded.items():
        network.load_state_dict(fold_spectral_norm(seeded_networks[name].state_dict()))
    remove_spectral_norm(seeded_networks)  # the last use of the module's networks
    for name, network in folded.items():
        state = seeded_networks[name].state_dict()
        assert set(state) == set(network.state_dict())
        for key, tensor in network.state_dict().items():
            torch.testing.assert_close(tensor, state[key], atol=1e-6, rtol=1e-5)
    found = outputs(folded, case, seeded)
    for name in case.names:
        case.check(name, found[name])


def test_a_state_without_spectral_norm_loads_as_it_is(tiny):
    bare = models.create("bilayer", **TINY)
    for network in bare.values():
        state = network.state_dict()
        folded = fold_spectral_norm(state)
        assert all(folded[name] is tensor for name, tensor in state.items())
        assert len(folded) == len(state)


def test_an_adaptive_normalisation_adds_one():
    norm = AdaptiveNorm(3, 1e-7).eval()
    x = torch.rand(2, 3, 4, 4)
    zero = (torch.zeros(1, 3, 1), torch.zeros(1, 3))
    torch.testing.assert_close(norm(x, iter([zero])), x, atol=1e-6, rtol=0)
    given = (torch.rand(2, 3, 1), torch.rand(2, 3))
    expected = torch.stack([x[b] * (1 + given[0][b, :, :, None]) + given[1][b, :, None, None] for b in range(2)])
    torch.testing.assert_close(norm(x, iter([given])), expected, atol=1e-6, rtol=0)


def test_a_spatial_normalisation_is_a_loop_over_pixels():
    norm = AdaptiveNorm(3, 1e-7, 4).eval()
    x = torch.rand(2, 3, 4, 4)
    weight, bias = ((torch.rand(2, 3, 3), torch.rand(2, 3)) for _ in range(2))
    with torch.no_grad():
        found = norm(x, iter([weight, bias]))
    pixels = norm.pixel_feats.detach()[0]
    for b in range(2):
        for y in range(4):
            for column in range(4):
                scale = 1 + weight[0][b] @ pixels[:, y, column] + weight[1][b]
                shift = bias[0][b] @ pixels[:, y, column] + bias[1][b]
                expected = x[b, :, y, column] * scale + shift
                torch.testing.assert_close(found[b, :, y, column], expected, atol=1e-5, rtol=0)


def test_every_normalisation_has_the_published_epsilon():
    with torch.device("meta"):
        networks = models.create("bilayer")
    found = {m.eps for n in networks.values() for m in n.modules() if isinstance(m, torch.nn.BatchNorm2d)}
    assert found == {1e-7}


def test_an_adaptive_convolution_is_a_convolution_of_each_person():
    x, weight, bias = torch.rand(2, 5, 4, 6), torch.rand(2, 3, 5), torch.rand(2, 3)
    found = AdaptiveConv()(x, iter([(weight, bias)]))
    for b in range(2):
        torch.testing.assert_close(found[b], F.conv2d(x[b], weight[b, :, :, None, None], bias[b]))


def test_a_projector_treats_one_person_as_it_treats_many():
    projector = Projector([8, 4, 2], [16, 8, 4], spatial=False, bottleneck=4)
    embeddings = [torch.rand(3, 8, 8, 8), torch.rand(3, 4, 8, 8)]
    many = projector(embeddings)
    assert [tuple(w.shape[1:]) for w, _ in many] == [(4, 1), (4, 8), (4, 1), (2, 1), (2, 4), (2, 1)]
    for b in range(3):
        for (weight, bias), (one, its) in zip(many, projector([e[b : b + 1] for e in embeddings]), strict=True):
            torch.testing.assert_close(weight[b : b + 1], one)
            torch.testing.assert_close(bias[b : b + 1], its)


def test_a_person_is_driven_alone_as_among_others(tiny):
    images, masks, stickmen, poses = inputs(3, shots=2)
    with torch.no_grad():
        together = drive(tiny, encode(tiny, images, masks, stickmen).repeat(2), poses.repeat_interleave(2, 0))
        person = encode(tiny, images[1:2], masks[1:2], stickmen[1:2])
        alone = drive(tiny, person, poses[[1, 1]])
    for name in ("prediction", "mask", "pred_target_uvs"):
        torch.testing.assert_close(together[name][2:4], alone[name], atol=1e-5, rtol=0)
    assert together["prediction"].shape == (6, 3, 32, 32)


def test_equal_images_of_a_person_count_as_one(tiny):
    images, masks, stickmen, _ = inputs(1)
    with torch.no_grad():
        one = encode(tiny, images, masks, stickmen)
        five = encode(tiny, *(x.expand(-1, 5, -1, -1, -1) for x in (images, masks, stickmen)))
    torch.testing.assert_close(one.texture, five.texture, atol=1e-5, rtol=0)


def test_the_picture_is_two_layers_behind_a_mask(tiny):
    images, masks, stickmen, poses = inputs(1)
    with torch.no_grad():
        person = encode(tiny, images, masks, stickmen)
        found = drive(tiny, person, poses)
        still = tiny["inference_generator"].warp(person.texture, tiny["inference_generator"].identity_grid)
    torch.testing.assert_close(still, person.texture, atol=1e-5, rtol=0)
    layers = found["pred_target_delta_lf_rgbs"] + found["pred_target_delta_hf_rgbs"]
    torch.testing.assert_close(found["prediction"], (layers + 1) / 2 * found["mask"])


def test_what_is_behind_the_source_s_mask_is_not_seen(tiny):
    images, masks, stickmen, _ = inputs(1)
    masks = (masks > 0.5).float()
    with torch.no_grad():
        one = encode(tiny, images, masks, stickmen)
        other = encode(tiny, images * masks, masks, stickmen)
    torch.testing.assert_close(one.texture, other.texture)


@pytest.mark.parametrize("spectral_norm", [True, False])
def test_gradients_reach_every_parameter(spectral_norm):
    torch.manual_seed(0)
    networks = models.create("bilayer", **{**TINY, "spectral_norm": spectral_norm})
    images, masks, stickmen, poses = inputs(2)
    person = encode(networks, images, masks, stickmen)
    found = drive(networks, person, poses)
    generator, enhancer = networks["inference_generator"], networks["texture_enhancer"]
    enhanced = enhancer(person.texture, found, images, generator)
    features, scores = networks["discriminator"](found["prediction"], stickmen[:, 0])
    assert [tuple(f.shape[1:]) for f in features] == [(8, 32, 32), (8, 16, 16), (8, 8, 8)]
    (scores.sum() + found["pred_target_segs_logits"].sum() + enhanced.square().sum()).backward()
    still = {
        f"{name}.{key}"
        for name, network in networks.items()
        for key, parameter in network.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    }
    unused = ("identity_embedder.net.dec_blocks.2.block.", "identity_embedder.net.dec_blocks.2.skip.")
    assert not {name for name in still if not name.startswith(unused)}
    assert still  # the published layout has a second half of the last block, which no output depends on


def test_the_mask_is_taught_by_its_own_loss_alone(tiny):
    images, masks, stickmen, poses = inputs(1)
    drive(tiny, encode(tiny, images, masks, stickmen), poses)["prediction"].sum().backward()
    head = tiny["inference_generator"].gen_inf.heads[2][0]
    assert head.bias.grad is None
    assert tiny["inference_generator"].gen_inf.heads[1][0].bias.grad.any()


def test_the_enhancer_is_given_the_gradient_of_the_source_s_error(tiny):
    images, masks, stickmen, poses = inputs(1, shots=2)
    poses = poses.repeat(2, 1, 1) + torch.tensor([0.0, 0.1])[:, None, None]
    seen = []
    enhancer = tiny["texture_enhancer"]
    enhancer.net.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.inference_mode():
        person = encode(tiny, images, masks, stickmen)
        source = drive(tiny, person, poses)
        enhanced = enhance(tiny, person, images, poses[None]).texture
    assert len(seen) == 2
    texture = person.texture.clone().repeat(2, 1, 1, 1).requires_grad_()
    found = {name: tensor.clone() for name, tensor in source.items()}
    low, mask, uvs = (found[f"pred_target_{name}"] for name in ("delta_lf_rgbs", "segs", "uvs"))
    error = masked(low + F.grid_sample(texture, uvs, align_corners=False), mask) - masked(2 * images[0] - 1, mask)
    (error.square().sum() / 2).backward()
    torch.testing.assert_close(seen[0][0, :, 3:], texture.grad)
    torch.testing.assert_close(seen[0][:, :, :3], person.texture[:, None].expand(-1, 2, -1, -1, -1))
    with torch.no_grad():
        steps = sum(enhancer.net(given).tanh() for given in tuple(seen))
    torch.testing.assert_close(enhanced, person.texture + steps)


def test_equal_images_correct_a_texture_as_one_does(tiny):
    images, masks, stickmen, poses = inputs(2)
    with torch.no_grad():
        person = encode(tiny, images, masks, stickmen)
        one = enhance(tiny, person, images, poses[:, None])
        three = enhance(tiny, person, images.expand(-1, 3, -1, -1, -1), poses[:, None].expand(-1, 3, -1, -1))
    torch.testing.assert_close(one.texture, three.texture, atol=1e-4, rtol=1e-4)


def test_wrong_inputs_are_named(tiny):
    images, masks, stickmen, poses = inputs(2)
    with pytest.raises(InputError, match=r"source_imgs: expected shape \[any, any, 3, 32, 32\], got \[2, 3, 32, 32\]"):
        encode(tiny, images[:, 0], masks, stickmen)
    with pytest.raises(InputError, match=r"source_segs: expected shape \[2, 1, 1, 32, 32\]"):
        encode(tiny, images, masks[:1], stickmen)
    with pytest.raises(InputError, match=r"source_stickmen: expected values in \[0, 1\], got"):
        encode(tiny, images, masks, stickmen * 255)
    person = Person(torch.zeros(2, 3, 32, 32), [])
    with pytest.raises(InputError, match=r"poses: expected as many as persons \(2\), got 3"):
        drive(tiny, person, torch.zeros(3, 68, 2))
    with pytest.raises(InputError, match=r"poses: expected shape \[any, 68, 2\], got \[2, 136\]"):
        drive(tiny, person, poses.flatten(1))


def test_sizes_that_do_not_fit_each_other_are_refused():
    with pytest.raises(ValueError, match="input_size: expected image_size by a power of two, got 5"):
        models.create("bilayer", input_size=5)
    with pytest.raises(ValueError, match="inf_width, inf_max_width: expected the same part"):
        models.create("bilayer", inf_width=64)
    with pytest.raises(UnknownName, match=r"switch 'spectral_nom': did you mean spectral_norm\?"):
        models.create("bilayer", spectral_nom=False)


def test_mini_is_small():
    with torch.device("meta"):
        networks = models.create("bilayer", "mini")
    assert sum(p.numel() for name in DRIVEN for p in networks[name].parameters()) < 3_000_000
