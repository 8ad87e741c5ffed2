"""OSFV's public layouts against their state dicts and against outputs of public code on seeded weights."""

import numpy as np
import pytest
import torch

import models
from models.folding import folded
from models.osfv import Motion

LAYOUTS = {
    "vox-256_original": {},
    "vox-256_spade": {"generator": "spade"},
    "vox-256-beta_original": {"beta": True},
    "vox-256-beta_spade": {"generator": "spade", "beta": True},
    "vox-256_original_kp10": {"num_kp": 10},
    "vox-256_original_kp20": {"num_kp": 20},
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_names_and_shapes_are_those_of_the_published_checkpoints(published, name):
    expected = published(f"osfv_unofficial_{name}")
    with torch.device("meta"):
        networks = models.create("osfv-community", **LAYOUTS[name])
    assert set(networks) == set(expected.modules)
    for part, network in networks.items():
        expected.check(part, network)


def filled(seeded, part, network):
    seeded.fill(network.eval())
    if part == "he_estimator":  # as the cases say, so that angles are not one-hot
        with torch.no_grad():
            for layer, scale in {"fc_yaw": 0.1, "fc_pitch": 0.1, "fc_roll": 0.1, "fc_t": 0.02, "fc_exp": 0.02}.items():
                network.get_submodule(layer).weight *= scale
    return network


@pytest.fixture(scope="module")
def parts(seeded):
    """Filled networks by their switches, made once, folded as they are driven: `parts("generator", num_kp=15)`."""
    made = {}

    def get(part, **switches):
        key = (part, *sorted(switches.items()))
        if key not in made:
            made[key] = folded(filled(seeded, part, models.create("osfv-community", **switches)[part]))
        return made[key]

    return get


def align(generator, align_corners):
    generator.align_corners = generator.dense_motion_network.align_corners = align_corners


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize(("kind", "num_kp"), [("original", 15), ("original", 20), ("spade", 15)])
def test_outputs_are_those_of_public_code(golden, seeded, parts, kind, num_kp, align_corners):
    case = golden(f"osfv_{kind}_kp{num_kp}_ac{int(align_corners)}")
    detector, estimator = parts("kp_detector", num_kp=num_kp), parts("he_estimator", num_kp=num_kp)
    generator = parts("generator", num_kp=num_kp, generator=kind)
    align(generator, align_corners)
    np.testing.assert_allclose(models.layers.AntiAliasDown(3, 0.25).weight, case.stored["aa_kernel_default"], atol=1e-8)
    source, driving = (seeded.image(name, (1, 3, 256, 256)) for name in ("source", "driving"))
    found = {}
    with torch.no_grad():
        canonical = found["kp_canonical_value"] = detector(source)
        motions = {}
        for name, image in (("source", source), ("driving", driving)):
            raw = estimator(image)
            motions[name] = motion = estimator.motion(image)
            found |= {f"he_{name}_{angle}_logits": raw[angle] for angle in ("yaw", "pitch", "roll")}
            found |= {f"he_{name}_t": motion.translation, f"he_{name}_exp": motion.deformation.flatten(1)}
            found[f"he_{name}_degrees"] = motion.angles[0]
            found[f"kp_{name}_value"] = motion.keypoints(canonical)
        volume = found["feature_3d"] = generator.encode(source)

        def drive(kp_driving, kp_source, suffix):
            motion = generator.dense_motion_network(volume, kp_driving, kp_source)
            image = generator.decode(generator.warped(volume, motion))
            found.update({f"{name}{suffix}": value for name, value in {**motion, "prediction": image}.items()})

        drive(found["kp_driving_value"], found["kp_source_value"], "")
        drive(*(torch.from_numpy(case.stored[f"in_kp_{name}"]) for name in ("driving", "source")), "_given_kp")
        if "prediction_freeview" in case.names:
            angles = torch.tensor([[20.0, -10.0, 5.0]])
            driven = motions["driving"]
            chosen = Motion(angles, estimator.rotation(angles), driven.translation, driven.deformation)
            found["freeview_rotation"] = chosen.rotation
            found["kp_freeview_value"] = chosen.keypoints(canonical)
            drive(found["kp_freeview_value"], found["kp_source_value"], "_freeview")
    assert case.names - set(found) == {"aa_kernel_default"}
    for name in case.names & set(found):
        case.check(name, found[name])
