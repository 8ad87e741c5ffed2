"""Adversarial losses on a discriminator's scores (any shape), and feature matching on its maps.

For discriminators of several scales objectives add the losses of each.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor


def hinge_generator(fake: Tensor) -> Tensor:
    """-mean D(fake) (Lim and Ye 2017, arXiv 1705.02894)."""
    return -fake.mean()


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """mean max(0, 1 - D(real)) + mean max(0, 1 + D(fake))."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def least_squares_generator(fake: Tensor) -> Tensor:
    """mean (1 - D(fake))^2 (LSGAN: Mao et al., ICCV 2017, arXiv 1611.04076)."""
    return (1 - fake).square().mean()


def least_squares_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """mean (1 - D(real))^2 + mean D(fake)^2."""
    return (1 - real).square().mean() + fake.square().mean()


def relativistic_generator(real: Tensor, fake: Tensor) -> Tensor:
    """-mean log sigmoid(D(fake) - D(real)): the fake should seem more real than the real image that it belongs to.

    RSGAN of Jolicoeur-Martineau, ICLR 2019 (arXiv 1807.00734), eq. 9.
    """
    return F.softplus(real - fake).mean()


def relativistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """-mean log sigmoid(D(real) - D(fake)) (the same, eq. 8)."""
    return F.softplus(fake - real).mean()


def feature_matching(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """sum over the discriminator's maps of mean |D_i(real) - D_i(fake)| (pix2pixHD: Wang et al., CVPR 2018, eq. 4, with
    means for sums); nothing is learnt through the real ones."""
    terms = [F.l1_loss(b, a.detach()) for a, b in zip(real, fake, strict=True)]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total
