"""StyleGAN2's parts against plain loops, and its generator at a size of 8 pixels."""

import numpy as np
import pytest
import torch

from models.errors import InputError
from models.stylegan2 import Generator, ModulatedConv, fused_leaky_relu, layers_of, low_pass, upfirdn2d


def by_loops(x, kernel, up, down, pad):
    """One channel [H, W], as the definition has it."""
    left, right, top, bottom = pad
    height, width = x.shape
    spread = np.zeros((height * up, width * up))
    spread[::up, ::up] = x
    spread = np.pad(spread, ((max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0))))
    spread = spread[max(-top, 0) : len(spread) - max(-bottom, 0), max(-left, 0) : spread.shape[1] - max(-right, 0)]
    rows, columns = spread.shape[0] - kernel.shape[0] + 1, spread.shape[1] - kernel.shape[1] + 1
    out = np.zeros((rows, columns))
    for row in range(rows):
        for column in range(columns):
            for i in range(kernel.shape[0]):
                for j in range(kernel.shape[1]):
                    out[row, column] += spread[row + i, column + j] * kernel[-1 - i, -1 - j]
    return out[::down, ::down]


@pytest.mark.parametrize(
    ("up", "down", "pad"),
    [
        (1, 1, (0, 0, 0, 0)),
        (2, 1, (2, 1, 2, 1)),
        (1, 2, (1, 1, 1, 1)),
        (3, 2, (4, 0, 1, 3)),
        (2, 1, (-1, 2, 3, -2)),
    ],
)
def test_upfirdn_is_its_definition(up, down, pad):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 5, 7, generator=generator, dtype=torch.float64)
    kernel = torch.randn(3, 4, generator=generator, dtype=torch.float64)  # unlike itself when flipped
    found = upfirdn2d(x, kernel, up=up, down=down, pad=pad)
    for image, channels in zip(x, found, strict=True):
        for channel, got in zip(image, channels, strict=True):
            np.testing.assert_allclose(got, by_loops(channel.numpy(), kernel.numpy(), up, down, pad), atol=1e-12)


@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("demodulate", [False, True])
def test_modulation_of_kernels_is_done_image_by_image(up, demodulate):
    torch.manual_seed(0)
    layer = ModulatedConv(5, 4, 3, 6, demodulate=demodulate, up=up).double()
    x, w = torch.randn(3, 5, 6, 6, dtype=torch.float64), torch.randn(3, 6, dtype=torch.float64)
    found = layer(x, w)
    for image, style, got in zip(x, layer.modulation(w), found, strict=True):
        weight = layer.weight[0] / (5 * 9) ** 0.5 * style.view(1, 5, 1, 1)  # eq. 1
        if demodulate:
            weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()  # eq. 3
        if up:
            spread = torch.zeros(5, 13, 13, dtype=torch.float64)
            spread[:, 1:12:2, 1:12:2] = image
            wide = torch.nn.functional.conv2d(spread[None], weight.flip(2, 3), padding=1)
            expected = upfirdn2d(wide, layer.blur.kernel, pad=(1, 1, 1, 1))[0]
        else:
            expected = torch.nn.functional.conv2d(image[None], weight, padding=1)[0]
        torch.testing.assert_close(got, expected)


def test_activation_keeps_the_variance_and_adds_the_bias():
    x = torch.tensor([[1.0, -1.0], [0.5, 0.0]])
    expected = 2**0.5 * torch.tensor([[1.5, -0.4], [1.0, -0.2]])
    torch.testing.assert_close(fused_leaky_relu(x, torch.tensor([0.5, -1.0])), expected)


def test_the_filter_keeps_a_constant_picture_when_it_enlarges():
    enlarged = upfirdn2d(torch.full((1, 1, 8, 8), 0.7), low_pass(4.0), up=2, pad=(2, 1, 2, 1))
    torch.testing.assert_close(enlarged[..., 2:-2, 2:-2], torch.full((1, 1, 12, 12), 0.7))


def test_layers_and_sides():
    assert [layers_of(side) for side in (8, 64, 256, 1024)] == [4, 10, 14, 18]
    for side in (4, 100):
        with pytest.raises(ValueError, match=f"power of two of at least 8, got {side}"):
            layers_of(side)


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(0)
    generator = Generator(side=16, style=6, mapping=2, width=64, max_width=8)
    for name, parameter in generator.named_parameters():
        if name.endswith("noise.weight"):
            torch.nn.init.constant_(parameter, 0.1)
    return generator


def test_one_w_is_that_of_every_layer_and_rows_are_independent(tiny):
    w = tiny.style(torch.randn(2, 6))
    with torch.no_grad():
        both = tiny(w)
        assert both.shape == (2, 3, 16, 16)
        torch.testing.assert_close(both[:1], tiny(w[:1, None].expand(1, 6, 6)))
    with pytest.raises(InputError, match=r"styles: expected shape \[any, 6, 6\], got \[2, 5, 6\]"):
        tiny(torch.zeros(2, 5, 6))


def test_stored_noise_repeats_and_fresh_noise_does_not(tiny):
    w = torch.randn(2, 6)
    with torch.no_grad():
        assert torch.equal(tiny(w), tiny(w))
        first, second = tiny(w, fresh_noise=True), tiny(w, fresh_noise=True)
    assert (first - second).abs().max() > 1e-3


def test_a_gradient_reaches_every_parameter(tiny):
    tiny(tiny.style(torch.randn(2, 6))).square().mean().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in tiny.parameters())
