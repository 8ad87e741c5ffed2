"""The names of metrics that papers print: which measured metric means the same, what is better, what converts exactly.

A paper's AED is one of two unrelated distances and its AKD one of three, so an equal name promises nothing: the card of
a paper says what is known, and no published number is ever ranked with another paper's.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Name:
    """What is known of a printed name. `measured`: id of the metric here that has the same definition, "": none."""

    measured: str
    higher_is_better: bool | None  # None: neither
    about: tuple[str, ...] = ()  # what of a protocol its value hangs on, beside crop, size, pairs and frames


NAMES = {
    "L1": Name("l1", False, ("l1",)),
    "PSNR": Name("psnr", True, ("psnr",)),
    "SSIM": Name("ssim", True, ("ssim",)),
    "MS-SSIM": Name("ms-ssim", True, ("ssim",)),
    "LPIPS": Name("lp", False, ("networks",)),
    "FID": Name("fd", False, ("networks",)),
    "AKD": Name("akd", False, ("networks",)),
    "AED": Name("", False, ("networks",)),
    "APD": Name("", False, ("networks",)),
    "CSIM": Name("csim", True, ("networks",)),
    "PRMSE": Name("prmse", False, ("networks",)),
    "AUCON": Name("aucon", True, ("networks",)),
    "MAE": Name("", False, ("networks",)),
    "NPE": Name("", False, ("networks",)),
    "ms": Name("", False),
    "Identity%": Name("identity-hit-0.05", True, ("networks",)),
    "Angle%": Name("angle-hit-15", True, ("networks",)),
    "Both%": Name("redirection-hit-15-0.05", True, ("networks",)),
    "bytes-before-entropy-coding": Name("", False),
    "bytes-mean": Name("bytes-per-frame", False),
    "bytes-min": Name("", False),
    "bytes-max": Name("", False),
    "bytes-median": Name("", False),
    "bits-per-pixel": Name("", False),
    "ratio-to-H.264-CRF36": Name("", True),
    "accuracy": Name("", None, ("networks",)),
    "global-aesthetics": Name("", True, ("score", "networks")),
    "mouth-quality": Name("", True, ("score", "networks")),
    "face-quality": Name("", True, ("score", "networks")),
    "lip-dynamics": Name("", True, ("score", "networks")),
    "head-motion": Name("", True, ("score", "networks")),
    "eyebrow-dynamics": Name("", True, ("score", "networks")),
    "silent-lip-stability": Name("", True, ("score", "networks")),
    "lip-sync": Name("", True, ("score", "networks")),
    "theval-final": Name("", True, ("score", "networks")),
}
UNKNOWN = Name("", None)

EXACT = {("L1", "0-255"): (255.0, "0-1"), ("SSIM", "percent"): (100.0, "0-1")}  # divide by this, and be on that scale


def name(metric: str) -> Name:
    """What is known of a printed name; of one that nobody has looked at, nothing."""
    return NAMES.get(metric, UNKNOWN)


def convert(metric: str, value: float, scale: str | None) -> tuple[float | None, str | None]:
    """The value on the usual scale and that scale; None twice where it is on it, or no exact conversion is known.

    >>> convert("L1", 12.75, "0-255"), convert("PSNR", 23.67, "dB")
    ((0.05, '0-1'), (None, None))
    """
    divisor, wanted = EXACT.get((metric, scale or ""), (0.0, None))
    return (value / divisor, wanted) if wanted else (None, None)


def psnr_ceiling(l1: float) -> float:
    """The highest PSNR in dB that frames of one mean absolute error `l1` in (0, 1] can have: squares are at least the
    square of the mean, so PSNR <= -20 log10(l1). Of frames that differ a mean over frames may lie above it."""
    from math import log10

    return -20 * log10(l1)
