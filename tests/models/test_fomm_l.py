"""FOMM-L against state dicts and outputs of the authors' FOMM code at doubled widths."""

import pytest
import torch

import models
from models import fomm
from models.errors import UnknownName
from tests.models.test_fomm import TINY


@pytest.mark.parametrize("reading", ["all", "generator"])
def test_names_and_shapes_are_those_of_fomm_s_code_at_doubled_widths(published, reading):
    name = {"all": "fommL_all_x2_vox-256", "generator": "fommL_generator_only_x2_vox-256"}[reading]
    expected = published(name)
    with torch.device("meta"):
        networks = models.create("fomm-l", reading=reading)
    assert set(networks) == set(expected.modules)
    for part, network in networks.items():
        expected.check(part, network)


@pytest.fixture(scope="module")
def large(seeded):
    with torch.device("meta"):
        networks = models.create("fomm-l")
    made = {}
    for part in ("kp_detector", "generator"):
        made[part] = networks[part].to_empty(device="cpu").eval().requires_grad_(False)
        seeded.fill(made[part])
    return made


@pytest.mark.parametrize("align_corners", [False, True])
def test_outputs_are_those_of_fomm_s_code(golden, seeded, large, align_corners):
    case = golden(f"fommL_all_x2_vox256_ac{int(align_corners)}")
    detector, generator = large["kp_detector"], large["generator"]
    generator.align_corners = generator.dense_motion_network.align_corners = align_corners
    source, driving = (seeded.image(name, (1, 3, 256, 256)) for name in ("source", "driving"))
    with torch.inference_mode():
        keypoints = {"source": detector(source), "driving": detector(driving)}
        prediction = generator(source, kp_source=keypoints["source"], kp_driving=keypoints["driving"])["prediction"]
    case.check("prediction", prediction)
    for name, kp in keypoints.items():
        for key, value in kp.items():
            case.check(f"kp_{name}_{key}", value)
    assert len(case.names) == 5


def test_mini_and_switches_are_doubled_too():
    plain = fomm.PRESETS["mini"]
    generator = models.create("fomm-l", "mini")["generator"]
    assert generator.first.conv.out_channels == 2 * plain.width
    tiny = models.create("fomm-l", "mini", reading="generator", **TINY)
    assert tiny["generator"].first.conv.out_channels == 2 * TINY["width"]
    assert tiny["kp_detector"].predictor.out_channels == TINY["kp_width"] + 3
    with pytest.raises(UnknownName, match=r"unknown fomm-l reading 'al': did you mean all\?"):
        models.create("fomm-l", reading="al")
