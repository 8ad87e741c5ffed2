"""`bench train`: what it takes from this package, what it says, and how it ends."""

import pytest
import torch

from bench import judges
from bench.judges import JUDGES
from curate.errors import MissingPrerequisite, UserError
from models.vgg import VGG19, VGGFace


def test_the_builtin_judge_sees_what_lp_builtin_sees_and_passes_gradients_on():
    from bench.evaluators.builtin import BuiltinFeatures, perceptual

    judge = JUDGES["features-builtin"]().eval().requires_grad_(False)
    frames = torch.randint(0, 256, (1, 256, 256, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    images = (frames.permute(0, 3, 1, 2).float() / 255).requires_grad_()
    expected = torch.from_numpy(BuiltinFeatures().perceptual(frames.numpy()))
    found = judge(images)
    torch.testing.assert_close(perceptual(found), expected, atol=1e-5, rtol=0)
    sum(one.abs().sum() for one in found).backward()
    assert images.grad.abs().sum() > 0
    assert [tuple(one.shape[1:]) for one in judge(images[..., ::2, ::2])] == [(8, 64, 64), (16, 32, 32), (16, 16, 16)]


@pytest.mark.parametrize(
    ("name", "file", "network"), [("vgg19", "VGG19_FILE", VGG19), ("vggface", "VGGFACE_FILE", VGGFace)]
)
def test_the_papers_judges_are_read_from_their_files(tmp_path, monkeypatch, name, file, network):
    monkeypatch.setenv("TALKINGHEAD_WEIGHTS", str(tmp_path))
    path = tmp_path / getattr(judges, file)
    with pytest.raises(MissingPrerequisite, match=f"network file {path.name} is missing .*TALKINGHEAD_WEIGHTS"):
        JUDGES[name]()
    torch.manual_seed(0)
    state = network().state_dict()
    torch.save({**state, "classifier.0.weight": torch.zeros(2, 2)}, path)
    found = JUDGES[name]().state_dict()
    assert all(torch.equal(found[key], value) for key, value in state.items())
    first = next(iter(state))
    torch.save({key: value for key, value in state.items() if key != first}, path)
    with pytest.raises(UserError, match=f"{path.name} has no {first} of shape"):
        JUDGES[name]()
