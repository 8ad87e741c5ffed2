"""Every metric against an independent implementation, its calibration values, and its refusals."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from bench import metrics
from curate.errors import UserError

SIDES = st.integers(11, 40)


def images(seed: int, batch: int, height: int, width: int, noise: float = 0.2) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 1, width)[None, None, None, :] * np.linspace(0.2, 1, height)[None, None, :, None]
    target = np.clip(ramp + rng.normal(0, 0.1, (batch, 3, height, width)), 0, 1)
    pred = np.clip(target + rng.normal(0, noise, target.shape), 0, 1)
    return torch.from_numpy(pred).float(), torch.from_numpy(target).float()


def wang(pred: np.ndarray, target: np.ndarray) -> float:
    """scikit-image's map with Wang's settings, cut to the windows that lie inside the image."""
    settings_of_wang = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    _, full = structural_similarity(pred, target, data_range=1.0, channel_axis=0, full=True, **settings_of_wang)
    return float(full[:, 5:-5, 5:-5].mean())


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3), SIDES, SIDES)
def test_pixel_metrics_agree_with_scikit_image(seed, batch, height, width):
    pred, target = images(seed, batch, height, width)
    p, t = pred.double().numpy(), target.double().numpy()
    np.testing.assert_allclose(metrics.l1(pred, target), np.abs(p - t).mean(axis=(1, 2, 3)), rtol=1e-5)
    expected = [peak_signal_noise_ratio(b, a, data_range=1.0) for a, b in zip(p, t, strict=True)]
    np.testing.assert_allclose(metrics.psnr(pred, target), expected, rtol=1e-5)
    np.testing.assert_allclose(metrics.ssim(pred, target), [wang(a, b) for a, b in zip(p, t, strict=True)], atol=1e-5)


@pytest.mark.parametrize("noise", [0.002, 0.05, 0.5])
def test_ssim_at_the_size_that_papers_use(noise):
    pred, target = images(1, 2, 256, 256, noise)
    expected = [wang(a, b) for a, b in zip(pred.double().numpy(), target.double().numpy(), strict=True)]
    np.testing.assert_allclose(metrics.ssim(pred, target), expected, atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_variants_are_what_papers_print(seed):
    pred, target = images(seed, 2, 40, 56)
    p, t = pred.double().numpy(), target.double().numpy()
    np.testing.assert_allclose(metrics.l1_255(pred, target), np.abs(255 * p - 255 * t).mean((1, 2, 3)), rtol=1e-5)
    signed = np.abs((2 * p - 1) - (2 * t - 1)).mean((1, 2, 3))
    np.testing.assert_allclose(metrics.l1_signed(pred, target), signed, rtol=1e-5)
    np.testing.assert_allclose(metrics.l1_sum(pred, target), np.abs(p - t).sum(1).mean((1, 2)), rtol=1e-5)
    uniform = [structural_similarity(a, b, data_range=1.0, channel_axis=0) for a, b in zip(p, t, strict=True)]
    np.testing.assert_allclose(metrics.ssim_uniform7(pred, target), uniform, atol=1e-5)
    luma = [np.tensordot([0.299, 0.587, 0.114], x, axes=(0, 1)) for x in (p, t)]
    gray = [wang(a[None], b[None]) for a, b in zip(*luma, strict=True)]
    np.testing.assert_allclose(metrics.ssim_gray(pred, target), gray, atol=1e-5)


def test_variants_of_distances_by_hand():
    rng = np.random.default_rng(0)
    p, t = rng.uniform(0, 256, (2, 3, 68, 2))
    pred, target = torch.from_numpy(p), torch.from_numpy(t)
    distance = np.linalg.norm(p - t, axis=2).mean(axis=1)
    np.testing.assert_allclose(metrics.akd_euclid(pred, target), distance, rtol=1e-6)
    eyes = np.linalg.norm(t[:, 36] - t[:, 45], axis=1)
    np.testing.assert_allclose(metrics.akd_nme(pred, target), distance / eyes, rtol=1e-6)
    one, two = torch.tensor([[179.0, 0, 0], [3, 4, 0]]), torch.tensor([[-179.0, 0, 0], [0, 0, 0]])
    np.testing.assert_allclose(metrics.pose_mae(one, two), [2 / 3, 7 / 3], rtol=1e-6)
    np.testing.assert_allclose(
        metrics.prmse_radians(one, two), np.radians([np.sqrt(4 / 3), np.sqrt(25 / 3)]), rtol=1e-6
    )


def masked(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    pred, target = images(seed, 2, 48, 48)
    mask = torch.zeros(2, 1, 48, 48)
    mask[:, :, 10:40, 12:36] = 1
    return torch.cat((pred, torch.rand(2, 1, 48, 48)), 1), torch.cat((target, mask), 1)


def test_masked_metrics_see_the_head_alone():
    pred, target = masked(0)
    inside = (slice(None), slice(0, 3), slice(10, 40), slice(12, 36))
    np.testing.assert_allclose(metrics.l1_masked(pred, target), metrics.l1(pred[inside], target[inside]), rtol=1e-5)
    np.testing.assert_allclose(metrics.psnr_masked(pred, target), metrics.psnr(pred[inside], target[inside]), rtol=1e-5)
    settings_of_wang = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "full": True}
    p, t = pred[:, :3].double().numpy(), target[:, :3].double().numpy()
    maps = [
        structural_similarity(a, b, data_range=1.0, channel_axis=0, **settings_of_wang)[1]
        for a, b in zip(p, t, strict=True)
    ]
    expected = [full[:, 10:40, 12:36].mean() for full in maps]
    np.testing.assert_allclose(metrics.ssim_masked(pred, target), expected, atol=1e-5)
    changed = pred.clone()
    changed[:, :3, :5] = 0
    for metric in (metrics.l1_masked, metrics.psnr_masked, metrics.ssim_masked):
        np.testing.assert_array_equal(metric(changed, target), metric(pred, target))
        with pytest.raises(ValueError, match=r"`pred` must have the shape \[B, 4, H, W\], RGB and mask"):
            metric(pred[:, :3], target)
        with pytest.raises(ValueError, match=r"the mask of `target` must be in \[0, 1\]"):
            metric(pred, torch.cat((target[:, :3], 3 * target[:, 3:]), 1))


def plain_ms_ssim(pred: np.ndarray, target: np.ndarray) -> float:
    """The paper's formula on one channel, windows by scipy."""
    from scipy.ndimage import convolve1d

    line = np.exp(-(np.arange(-5, 6) ** 2) / 4.5)
    line /= line.sum()

    def smooth(x: np.ndarray) -> np.ndarray:
        return convolve1d(convolve1d(x, line, axis=0), line, axis=1)[5:-5, 5:-5]

    result = 1.0
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        a, b = smooth(pred), smooth(target)
        va, vb, ab = smooth(pred**2) - a**2, smooth(target**2) - b**2, smooth(pred * target) - a * b
        value = (2 * ab + 9e-4) / (va + vb + 9e-4)
        if scale == 4:
            value = value * (2 * a * b + 1e-4) / (a**2 + b**2 + 1e-4)
        result *= max(value.mean(), 0) ** weight
        pred, target = (x.reshape(len(x) // 2, 2, -1, 2).mean(axis=(1, 3)) for x in (pred, target))
    return result


def test_ms_ssim_is_the_papers_formula():
    pred, target = images(5, 2, 256, 192)
    p, t = pred.double().numpy(), target.double().numpy()
    expected = [np.mean([plain_ms_ssim(a, b) for a, b in zip(*pair, strict=True)]) for pair in zip(p, t, strict=True)]
    np.testing.assert_allclose(metrics.ms_ssim(pred, target), expected, atol=1e-5)
    with pytest.raises(ValueError, match="at least 161 x 161"):
        metrics.ms_ssim(pred[:, :, :160, :160], target[:, :, :160, :160])


def test_ssim_of_flat_images_is_the_formula():
    # no variance: only the luminance term is left
    dark, light = torch.full((1, 3, 32, 32), 0.2), torch.full((1, 3, 32, 32), 0.6)
    assert float(metrics.ssim(dark, light)) == pytest.approx((2 * 0.12 + 1e-4) / (0.04 + 0.36 + 1e-4), abs=1e-4)


def test_identical_images_are_exactly_best():
    image = images(3, 2, 64, 48)[1]
    assert torch.equal(metrics.l1(image, image), torch.zeros(2))
    assert torch.equal(metrics.psnr(image, image), torch.full((2,), torch.inf))
    assert torch.equal(metrics.ssim(image, image), torch.ones(2))
    assert metrics.get("psnr").ceiling == 100


@given(st.integers(1, 4), st.integers(64, 1024), st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_akd_is_the_mean_over_coordinates_at_256(batch, size, seed):
    rng = np.random.default_rng(seed)
    pred, target = rng.uniform(0, size, (2, batch, 68, 2)).astype(np.float32)
    expected = np.abs(pred - target).reshape(batch, 136).sum(axis=1) / 136 * 256 / size
    np.testing.assert_allclose(metrics.akd(torch.from_numpy(pred), torch.from_numpy(target), size), expected, rtol=1e-4)


@given(st.integers(1, 4), st.integers(2, 600), st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_csim_is_the_cosine_and_ignores_length(batch, width, seed):
    rng = np.random.default_rng(seed)
    pred, target = rng.normal(size=(2, batch, width)).astype(np.float32)
    expected = [np.dot(p, t) / np.sqrt(np.dot(p, p) * np.dot(t, t)) for p, t in zip(pred, target, strict=True)]
    np.testing.assert_allclose(metrics.csim(torch.from_numpy(pred), 3 * torch.from_numpy(target)), expected, atol=1e-5)


FLAT = torch.zeros(1, 3, 16, 16)


@pytest.mark.parametrize("name", ["l1", "psnr", "ssim"])
@pytest.mark.parametrize(
    ("pred", "target", "message"),
    [
        (FLAT[0], FLAT[0], r"`pred` must have the shape \[B, 3, H, W\].*has \[3, 16, 16\]"),
        (FLAT, FLAT[:, :1], r"`target` must have the shape .*has \[1, 1, 16, 16\]"),
        (FLAT, FLAT.repeat(2, 1, 1, 1), r"`pred` must have the shape of `target`"),
        (FLAT.byte(), FLAT, "`pred` must be a float tensor, but is torch.uint8"),
        (FLAT, FLAT + 255, r"`target` must have values in \[0, 1\].*255"),
        (FLAT * torch.nan, FLAT, r"`pred` must have values in \[0, 1\].*nan"),
    ],
)
def test_images_that_are_none_are_refused_by_name(name, pred, target, message):
    with pytest.raises(ValueError, match=message):
        getattr(metrics, name)(pred, target)


def test_ssim_refuses_images_smaller_than_its_window():
    with pytest.raises(ValueError, match="at least 11 x 11 pixels, but is 32 x 10"):
        metrics.ssim(torch.zeros(1, 3, 10, 32), torch.zeros(1, 3, 10, 32))


def test_features_that_are_none_are_refused_by_name():
    points = torch.zeros(2, 68, 2)
    with pytest.raises(ValueError, match=r"`target` must have the shape \[B, 68, 2\], but has \[2, 5, 2\]"):
        metrics.akd(points, torch.zeros(2, 5, 2))
    with pytest.raises(ValueError, match="`pred` must be finite"):
        metrics.akd(points * torch.nan, points)
    with pytest.raises(ValueError, match="`size` must be a positive"):
        metrics.akd(points, points, size=0)
    with pytest.raises(ValueError, match=r"`pred` must have the shape \[B, D\]"):
        metrics.csim(torch.ones(4), torch.ones(4))
    with pytest.raises(ValueError, match="zero vector"):
        metrics.csim(torch.ones(1, 4), torch.zeros(1, 4))


def test_every_metric_file_is_found_and_says_what_it_is():
    found = metrics.available()
    assert set(found) >= {"l1", "psnr", "ssim", "akd", "csim", "prmse", "aucon", "lp", "fd"}
    for metric in found.values():
        assert getattr(metrics, metric.function.__name__) is metric.function
        assert metric.description
        assert metric.of_sets is not None or metric.aspect != "distribution"
        low, high = metric.range
        assert low < high


def test_unknown_metric_suggests():
    with pytest.raises(UserError, match="unknown metric 'sim': did you mean ssim"):
        metrics.get("sim")


def test_listing_metrics_imports_no_torch():
    code = "import sys, bench; bench.metrics.available(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_distances_that_share_their_letters_by_hand():
    rng = np.random.default_rng(2)
    p, t = rng.normal(size=(2, 4, 7))
    pred, target = torch.from_numpy(p), torch.from_numpy(t)
    np.testing.assert_allclose(metrics.aed(pred, target), [((a - b) ** 2).sum() for a, b in zip(p, t, strict=True)])
    np.testing.assert_allclose(metrics.aed_expression(pred, target), np.abs(p - t).mean(1))
    unit = [side / side.norm(dim=1, keepdim=True) for side in (pred, target)]
    np.testing.assert_allclose(metrics.aed_face(*unit), 2 - 2 * metrics.csim(*unit))
    one, two = torch.tensor([[179.0, 0, 0], [3, 4, 0]]), torch.tensor([[-179.0, 0, 0], [0, 0, 0]])
    np.testing.assert_allclose(metrics.apd(one, two), np.radians([2 / 3, 7 / 3]), rtol=1e-6)


def test_metrics_of_the_mean_take_their_root_at_the_end():
    one, two = torch.tensor([[3.0, 0, 0], [0, 0, 0]]), torch.zeros(2, 3)
    pooled = metrics.get("prmse-pooled")
    assert pooled.of_mean(float(pooled.function(one, two).mean())) == pytest.approx(np.sqrt(9 / 6))
    torch.testing.assert_close(metrics.prmse_mean_of_rmse(one, two), metrics.prmse(one, two))
    pred, target = images(0, 2, 32, 32)
    ratio = metrics.get("psnr-of-mean-mse")
    expected = peak_signal_noise_ratio(target.numpy(), pred.numpy(), data_range=1.0)
    assert ratio.of_mean(float(ratio.function(pred, target).mean())) == pytest.approx(expected, rel=1e-5)
    assert ratio.of_mean(0.0) == np.inf


def test_windows_tell_what_moves():
    from bench.metrics.fd import of_windows, windows

    rng = np.random.default_rng(3)
    clip = torch.from_numpy(rng.normal(size=(35, 5)))
    found = windows(clip)
    assert found.shape == (2, 10)
    np.testing.assert_allclose(found[1, :5], clip[16:32].mean(0))
    np.testing.assert_allclose(found[1, 5:], np.abs(np.diff(clip[16:32].numpy(), axis=0)).mean(0))
    still = clip[:16].mean(0).expand(16, 5)
    assert (windows(still)[:, 5:] == 0).all()
    sparse = clip.clone()
    sparse[1:] = torch.nan
    torch.testing.assert_close(of_windows(sparse), clip[:1])
