"""Frozen networks that training losses ask, by the names that recipes give them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.checkpoint import load_networks
from bench.evaluators import shipped
from curate.errors import UserError
from curate.perception import weights
from models.evaluators import FRAME_SIDE
from models.ir_se import create as create_ir_se
from models.vgg import VGG19, VGGFace

VGG19_FILE = "vgg19-dcbb9e9d.pth"  # the name holds the start of its SHA-256
VGGFACE_FILE = "vgg_face_dag.pth"
HOPENET = "hopenet-mirror"  # of checkpoints.toml
IR_SE50_FILE = "model_ir_se50.pth"


class BuiltinJudge(nn.Module):
    """The maps of the builtin feature network, each position of unit length over its channels, as lp-builtin has them.

    Images [B, 3, H, W] in [0, 1] -> three maps, fine to coarse. Gradients go through it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.network, _ = shipped.load("features")

    def forward(self, images: Tensor) -> list[Tensor]:
        """See the class."""
        if images.shape[2:] != (FRAME_SIDE, FRAME_SIDE):
            images = F.interpolate(images, size=(FRAME_SIDE, FRAME_SIDE), mode="bilinear", antialias=True)
        maps, _ = self.network(images)
        return [F.normalize(one, dim=1) for one in maps]


def _vgg19() -> nn.Module:
    return read(VGG19(), weights.find(VGG19_FILE, "torchvision's models (VGG19_Weights.IMAGENET1K_V1)"))


def _vggface() -> nn.Module:
    return read(VGGFace(), weights.find(VGGFACE_FILE, "Oxford's VGG Face release, converted to PyTorch (vgg_face_dag)"))


def _hopenet() -> nn.Module:
    networks, _ = load_networks("hopenet", "paper", HOPENET, "cpu", ("hopenet",))
    return networks["hopenet"]


def _ir_se50() -> nn.Module:
    network = create_ir_se("paper")["facenet"]
    return read(network, weights.find(IR_SE50_FILE, "pSp's release (IR-SE50 trained for ArcFace by TreB1eN)"))


def read(network: nn.Module, path: Path) -> nn.Module:
    """Fill a trunk from a file that may hold more; `UserError` names what it lacks."""
    found = torch.load(path, map_location="cpu", weights_only=True)
    wanted = network.state_dict()
    for name, tensor in wanted.items():
        if name not in found or found[name].shape != tensor.shape:
            raise UserError(f"{path} has no {name} of shape {list(tensor.shape)}")
    network.load_state_dict({name: found[name] for name in wanted})
    return network


JUDGES: Mapping[str, Callable[[], nn.Module]] = {
    "vgg19": _vgg19,
    "vggface": _vggface,
    "hopenet": _hopenet,
    "ir-se50": _ir_se50,
    "features-builtin": BuiltinJudge,
}
