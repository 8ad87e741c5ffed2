"""FOMM against the published state dicts and against outputs of the authors' code on seeded weights."""

import numpy as np
import pytest
import torch
from scipy.spatial import ConvexHull

import models
from models.errors import InputError, UnknownName
from models.fomm import hull_area, relative_keypoints
from models.layers import AntiAliasDown, Hourglass

TINY = {
    "kp_width": 4,
    "kp_max_width": 16,
    "kp_blocks": 2,
    "motion_width": 4,
    "motion_max_width": 16,
    "motion_blocks": 2,
    "width": 4,
    "max_width": 8,
    "bottleneck_blocks": 1,
    "kp_scale": 0.5,
    "motion_scale": 0.5,
}


@pytest.fixture
def tiny():
    torch.manual_seed(0)
    return {name: network.eval() for name, network in models.create("fomm", **TINY).items()}


@pytest.mark.parametrize(
    ("checkpoint", "switches"),
    [("fomm_vox-256", {}), ("fomm_vox-adv-256", {"disc_keypoints": True, "disc_spectral_norm": False})],
)
def test_names_and_shapes_are_those_of_the_published_checkpoints(published, checkpoint, switches):
    expected = published(checkpoint)
    with torch.device("meta"):
        networks = models.create("fomm", preset="paper", **switches)
    assert set(networks) == set(expected.modules)
    for part, network in networks.items():
        expected.check(part, network)


@pytest.mark.parametrize("align_corners", [True, False])
def test_outputs_are_those_of_the_authors_code(golden, seeded, align_corners):
    case = golden(f"fomm_vox256_ac{int(align_corners)}")
    networks = models.create("fomm", align_corners=align_corners)
    detector, generator = networks["kp_detector"].eval(), networks["generator"].eval()
    np.testing.assert_allclose(detector.down.weight, case.stored["aa_kernel_default"], atol=1e-8)
    seeded.fill(detector)
    seeded.fill(generator)

    names = ("source", "driving", "driving_initial")
    source, driving, initial = (seeded.image(name, (1, 3, 256, 256)) for name in names)
    with torch.no_grad():
        keypoints = dict(zip(names, (detector(image) for image in (source, driving, initial)), strict=True))
        keypoints["relative"] = relative_keypoints(*keypoints.values())
        found = generator(source, kp_source=keypoints["source"], kp_driving=keypoints["driving"])
        motion = generator.dense_motion_network(
            source_image=source, kp_driving=keypoints["relative"], kp_source=keypoints["source"]
        )
        found["prediction_relative"] = generator.decode(generator.encode(source), motion)
    for name, kp in keypoints.items():
        found |= {f"kp_{name}_{key}": value for key, value in kp.items()}

    assert case.names - set(found) == {"aa_kernel_default"}
    for name in case.names & set(found):
        case.check(name, found[name])


def test_discriminator_is_that_of_the_authors_code(shared, seeded):
    stored = np.load(shared / "goldens" / "losses_fomm_ac1.npz")
    networks = models.create("fomm")
    for network in networks.values():
        seeded.fill(network.eval())
    source, driving = (seeded.image(name, (1, 3, 256, 256)) for name in ("source", "driving"))
    with torch.no_grad():
        detector = networks["kp_detector"]
        generated = networks["generator"](source, kp_source=detector(source), kp_driving=detector(driving))
        _, scores = networks["discriminator"](generated["prediction"])
        features, _ = networks["discriminator"](driving)
    # The stored map's input carries the generator's own rounding, which this deep network amplifies.
    np.testing.assert_allclose(scores, stored["disc_map_generated"], rtol=0, atol=2e-3)
    assert [tuple(f.shape[1:]) for f in features] == [(64, 126, 126), (128, 61, 61), (256, 29, 29), (512, 26, 26)]


def test_same_keypoints_give_the_identity_flow(tiny):
    image = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        keypoints = tiny["kp_detector"](image)
        out = tiny["generator"](image, kp_source=keypoints, kp_driving=keypoints)
    line = torch.linspace(-1, 1, 16)
    identity = torch.stack(torch.meshgrid(line, line, indexing="xy"), dim=-1)
    torch.testing.assert_close(out["deformation"], identity.expand(2, -1, -1, -1), atol=1e-5, rtol=0)
    torch.testing.assert_close(out["mask"].sum(1), torch.ones(2, 16, 16))


def test_a_batch_is_its_images_one_by_one(tiny):
    image, other = torch.rand(2, 3, 32, 48), torch.rand(2, 3, 32, 48)
    detector, generator = tiny["kp_detector"], tiny["generator"]
    with torch.no_grad():
        both = generator(image, kp_source=detector(image), kp_driving=detector(other))["prediction"]
        first = generator(image[:1], kp_source=detector(image[:1]), kp_driving=detector(other[:1]))["prediction"]
    assert both.shape == (2, 3, 32, 48)
    torch.testing.assert_close(both[:1], first, atol=1e-5, rtol=0)


def test_relative_motion_from_the_initial_frame_itself_leaves_the_source():
    torch.manual_seed(0)
    source, initial = ({"value": torch.rand(1, 5, 2), "jacobian": torch.rand(1, 5, 2, 2) + torch.eye(2)} for _ in "ab")
    moved = relative_keypoints(source, initial, initial)
    torch.testing.assert_close(moved["value"], source["value"])
    torch.testing.assert_close(moved["jacobian"], source["jacobian"], atol=1e-4, rtol=0)


def test_hull_area_is_that_of_scipy():
    generator = torch.Generator().manual_seed(0)
    for count in (3, 4, 10, 50):
        points = torch.rand(count, 2, generator=generator, dtype=torch.float64) * 2 - 1
        assert hull_area(points) == pytest.approx(ConvexHull(points.numpy()).volume)  # in 2D its volume is the area
    assert hull_area(torch.tensor([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])) == 0


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (torch.rand(1, 3, 60, 64), "image: height and width must be multiples of 8, got 60 x 64"),
        (torch.rand(1, 4, 64, 64), r"image: expected a floating tensor \[B, 3, H, W\], got float32 \[1, 4, 64, 64\]"),
        (torch.rand(3, 64, 64), r"got float32 \[3, 64, 64\]"),
        (torch.zeros(1, 3, 64, 64, dtype=torch.uint8), "got uint8"),
        (torch.rand(1, 3, 64, 64) * 255, r"image: expected values in \[0, 1\], got"),
        (torch.full((1, 3, 64, 64), float("nan")), r"image: expected values in \[0, 1\], got nan"),
        (torch.rand(0, 3, 64, 64), "at least one image"),
    ],
)
def test_a_wrong_image_is_named(tiny, image, message):
    with pytest.raises(InputError, match=message):
        tiny["kp_detector"](image)


def test_wrong_keypoints_are_named(tiny):
    image = torch.rand(1, 3, 64, 64)
    right = tiny["kp_detector"](image)
    wrong = {**right, "value": right["value"][:, :3]}
    with pytest.raises(InputError, match=r"kp_driving\['value'\]: expected shape \[1, 10, 2\], got \[1, 3, 2\]"):
        tiny["generator"](image, kp_source=right, kp_driving=wrong)


def test_names_that_do_not_exist_are_answered_with_the_nearest():
    with pytest.raises(UnknownName, match=r"architecture 'fom': did you mean fomm or fomm-l\?"):
        models.create("fom")
    with pytest.raises(UnknownName, match=r"preset 'papr': did you mean paper\?"):
        models.create("fomm", preset="papr")
    with pytest.raises(UnknownName, match=r"switch 'align_corner': did you mean align_corners\?"):
        models.create("fomm", align_corner=True)
    assert "fomm" in models.names()


def test_anti_alias_keeps_a_constant_image_away_from_the_border():
    down = AntiAliasDown(3, 0.25)(torch.full((1, 3, 64, 64), 0.5))
    assert down.shape == (1, 3, 16, 16)
    torch.testing.assert_close(down[..., 4:-4, 4:-4], torch.full((1, 3, 8, 8), 0.5))
    image = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(AntiAliasDown(3, 1)(image), image)
    with pytest.raises(ValueError, match="1 / integer"):
        AntiAliasDown(3, 0.3)


def test_hourglass_keeps_its_input_as_the_last_channels():
    image = torch.rand(1, 3, 16, 16)
    out = Hourglass(3, 4, 8, 2)(image)
    assert out.shape == (1, 7, 16, 16)
    torch.testing.assert_close(out[:, 4:], image)
