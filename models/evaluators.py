"""The `builtin` evaluators: four small convolutional networks that judge faces and frames.

They are this project's own; the residual blocks are those of He et al. 2016 (Deep residual learning for image
recognition), the decoder is a U-Net's (Ronneberger et al. 2015), landmarks are expected positions under heatmaps (Sun
et al. 2018, Integral human pose regression), rotations are two columns made orthonormal (Zhou et al. 2019, On the
continuity of rotation representations in neural networks). Images are float32 RGB [B, 3, H, W] in [0, 1].
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LANDMARKS = 68
UNITS = 18  # expression units, as in curate.synth.parameters.UNITS

HEAD_SIDE = 128  # pixels of the head network's square input
MASK_SIDE = 64  # of its mask
FACE_SIDE = 112  # of the face network's input
IDENTITY_SIDE = 112  # of the identity network's
FRAME_SIDE = 256  # of the feature network's, a whole frame

EXPRESSIVE = (8, *range(17, LANDMARKS))  # landmarks at which expressions are read: all but the jaw, and the chin

EMBEDDING = 128  # values of an identity embedding
MAPS = (8, 16, 16)  # channels of the maps that the feature network compares, fine to coarse
FRECHET = 96  # values of a frame's vector for Frechet distances


def conv(inside: int, outside: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inside, outside, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outside), nn.ReLU(True)
    )


class Residual(nn.Module):
    """x + conv(conv(x)), rectified."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv(channels, channels)
        self.second = conv(channels, channels)[:2]

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> the same shape."""
        return F.relu(x + self.second(self.first(x)))


def stage(inside: int, outside: int, blocks: int) -> nn.Sequential:
    """Halve the resolution, then `blocks` residual blocks."""
    return nn.Sequential(conv(inside, outside, stride=2), *(Residual(outside) for _ in range(blocks)))


class HeadOutput(NamedTuple):
    """What `HeadNet` sees in a crop."""

    landmarks: Tensor  # [B, 68, 2] x, y in fractions of the crop (its edges at 0 and 1)
    mask: Tensor  # [B, 64, 64] logits: is this the head


class HeadNet(nn.Module):
    """The first look, at a detector's box and far around it: where exactly the face is, and the head's mask."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv(3, 16, stride=2)
        self.stage32 = stage(16, 32, 1)
        self.stage16 = stage(32, 64, 1)
        self.stage8 = stage(64, 112, 2)
        self.gather = nn.Sequential(conv(112, 32, 1), nn.Flatten(), nn.Linear(32 * 64, 128), nn.ReLU(True))
        self.coarse = nn.Linear(128, LANDMARKS * 2)
        self.up16 = conv(112, 64, 1)
        self.join16 = conv(64, 64)
        self.heatmaps = nn.Conv2d(64, LANDMARKS, 1)
        self.up32 = conv(64, 32, 1)
        self.join32 = conv(32, 32)
        self.up64 = conv(32, 16, 1)
        self.mask = nn.Conv2d(16, 1, 3, padding=1)

    def forward(self, image: Tensor) -> HeadOutput:
        """[B, 3, 128, 128] in [0, 1] -> what is seen."""
        at64 = self.stem((image - 0.5) * 4)
        at32 = self.stage32(at64)
        at16 = self.stage16(at32)
        at8 = self.stage8(at16)
        up16 = self.join16(_twice(self.up16(at8)) + at16)
        up32 = self.join32(_twice(self.up32(up16)) + at32)
        up64 = _twice(self.up64(up32)) + at64
        coarse = self.coarse(self.gather(at8)).view(-1, LANDMARKS, 2)
        return HeadOutput(expected_position(self.heatmaps(up16)) + coarse, self.mask(up64)[:, 0])


class FaceOutput(NamedTuple):
    """What `FaceNet` sees in a crop."""

    landmarks: Tensor  # [B, 68, 2] x, y in fractions of the crop (its edges at 0 and 1)
    rotation: Tensor  # [B, 3, 3] of the head in the crop's axes (x right, y down, z away)
    expression: Tensor  # [B, 18] activations in [0, 1]


class FaceNet(nn.Module):
    """The second look, at the face alone: one trunk, heads for 68 landmarks, head rotation and expression.

    Expressions are read from the whole and, finer, from what is seen at the landmarks that were found.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv(3, 16, stride=2)
        self.stage28 = stage(16, 32, 1)
        self.stage14 = stage(32, 64, 2)
        self.stage7 = stage(64, 128, 1)
        self.gather = nn.Sequential(conv(128, 40, 1), nn.Flatten(), nn.Linear(40 * 49, 192), nn.ReLU(True))
        self.coarse = nn.Linear(192, LANDMARKS * 2)
        self.rotation = nn.Linear(192, 6)
        self.up14 = conv(128, 64, 1)
        self.join14 = conv(64, 64)
        self.up28 = conv(64, 32, 1)
        self.join28 = conv(32, 32)
        self.heatmaps = nn.Conv2d(32, LANDMARKS, 1)
        self.up56 = conv(32, 16, 1)
        self.join56 = conv(16, 16)
        self.local = nn.Sequential(nn.Flatten(), nn.Linear((32 + 16) * len(EXPRESSIVE), 96), nn.ReLU(True))
        self.expression = nn.Linear(192 + 96, UNITS)

    def forward(self, image: Tensor) -> FaceOutput:
        """[B, 3, 112, 112] in [0, 1] -> what is seen."""
        at56 = self.stem((image - 0.5) * 4)
        at28 = self.stage28(at56)
        at14 = self.stage14(at28)
        at7 = self.stage7(at14)
        whole = self.gather(at7)
        up14 = self.join14(_twice(self.up14(at7)) + at14)
        up28 = self.join28(_twice(self.up28(up14)) + at28)
        up56 = self.join56(_twice(self.up56(up28)) + at56)
        landmarks = expected_position(self.heatmaps(up28)) + self.coarse(whole).view(-1, LANDMARKS, 2)
        rotation = orthonormal(self.rotation(whole))
        places = landmarks.detach()[:, EXPRESSIVE]
        local = self.local(torch.cat((values_at(up28, places), values_at(up56, places)), 1))
        expression = self.expression(torch.cat((whole, local), 1))
        return FaceOutput(landmarks, rotation, expression.sigmoid())


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0)


def expected_position(heatmaps: Tensor) -> Tensor:
    """Mean position under softmax(heatmaps) [B, K, H, W]: [B, K, 2] x, y, the map's edges at 0 and 1."""
    height, width = heatmaps.shape[2:]
    weights = heatmaps.flatten(2).softmax(2).view_as(heatmaps)
    x = (torch.arange(width, dtype=weights.dtype, device=weights.device) + 0.5) / width
    y = (torch.arange(height, dtype=weights.dtype, device=weights.device) + 0.5) / height
    return torch.stack((weights.sum(2) @ x, weights.sum(3) @ y), dim=2)


def values_at(maps: Tensor, points: Tensor) -> Tensor:
    """Bilinear values [B, C, K] of maps [B, C, H, W] at points [B, K, 2] x, y, the maps' edges at 0 and 1."""
    return F.grid_sample(maps, points[:, :, None] * 2 - 1, align_corners=False)[..., 0]


def orthonormal(six: Tensor) -> Tensor:
    """Rotation matrices [B, 3, 3] whose first two columns are the nearest to `six` [B, 6], Gram-Schmidt in order.

    Zeros stand for the identity.
    """
    base = torch.tensor([1.0, 0, 0, 0, 1, 0], dtype=six.dtype, device=six.device)
    a, b = (six + base).view(-1, 2, 3).unbind(1)
    first = F.normalize(a, dim=1)
    second = F.normalize(b - (first * b).sum(1, keepdim=True) * first, dim=1)
    return torch.stack((first, second, torch.linalg.cross(first, second)), dim=2)


class IdentityNet(nn.Module):
    """A face and some of its hair to a vector of unit length that tells who it is.

    The trunk is that of `FaceNet`, by whose weights it starts: what tells people apart is where their features are.
    """

    TRUNK = ("stem", "stage28", "stage14", "stage7")

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv(3, 16, stride=2)
        self.stage28 = stage(16, 32, 1)
        self.stage14 = stage(32, 64, 2)
        self.stage7 = stage(64, 128, 1)
        self.gather = nn.Sequential(conv(128, 64, 1), nn.Flatten())
        self.embed = nn.Linear(64 * 49, EMBEDDING, bias=False)
        self.norm = nn.BatchNorm1d(EMBEDDING, affine=False)

    def start_from(self, face: FaceNet) -> None:
        """Take over the trunk of a trained face network."""
        for part in self.TRUNK:
            getattr(self, part).load_state_dict(getattr(face, part).state_dict())

    def forward(self, image: Tensor) -> Tensor:
        """[B, 3, 112, 112] in [0, 1] -> [B, 128] of unit length."""
        seen = self.stage7(self.stage14(self.stage28(self.stem((image - 0.5) * 4))))
        return F.normalize(self.norm(self.embed(self.gather(seen))), dim=1)


class FeatureNet(nn.Module):
    """A frame's maps at three scales, for distances between frames, and one vector, for distances between sets.

    `restore` is used in training alone: it draws the undisturbed frame from the maps, so that they tell what is where.
    """

    def __init__(self) -> None:
        super().__init__()
        self.at64 = nn.Sequential(nn.Conv2d(3, 32, 6, 4, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(True))
        self.at32 = stage(32, 48, 0)
        self.at16 = stage(48, 96, 1)
        self.at8 = stage(96, 128, 0)
        self.maps = nn.ModuleList(
            nn.Conv2d(inside, outside, 1) for inside, outside in zip((32, 48, 96), MAPS, strict=True)
        )
        self.vector = nn.Linear(128, FRECHET)

    def forward(self, image: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """[B, 3, 256, 256] in [0, 1] -> maps [B, 8, 64, 64], [B, 16, 32, 32], [B, 16, 16, 16]; vector [B, 96]."""
        fine = self.at64((image - 0.5) * 4)
        middle = self.at32(fine)
        coarse = self.at16(middle)
        maps = tuple(side(x) for side, x in zip(self.maps, (fine, middle, coarse), strict=True))
        return maps, self.vector(self.at8(coarse).mean((2, 3)))
