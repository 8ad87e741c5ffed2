"""docs/metrics.md, made from what metrics say of themselves: python -m bench.metrics_page > docs/metrics.md"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from bench import metrics
from bench.metrics.base import Metric

PAPERS: Mapping[str, Mapping[str, str]] = {
    "FOMM (NeurIPS 2019), TPSMM (CVPR 2022)": {
        "L1": "l1",
        "AKD": "akd",
        "AED": "aed",
        "MKR": "miss-rate",
    },
    "MarioNETte (AAAI 2020)": {
        "CSIM": "csim",
        "PSNR": "psnr",
        "SSIM": "ssim",
        "PRMSE": "prmse-pooled",
        "AUCON": "aucon",
    },
    "bi-layer (ECCV 2020)": {
        "LPIPS": "lp",
        "SSIM": "ssim",
        "CSIM": "csim-source",
        "NME": "akd-nme",
    },
    "OSFV (CVPR 2021)": {
        "L1": "l1-255",
        "PSNR": "psnr",
        "SSIM, MS-SSIM": "ms-ssim",
        "FID": "fd",
        "AKD": "akd",
        "identity below 0.05": "identity-hit-0.05",
        "angle below 15 degrees": "angle-hit-15",
    },
    "PIRenderer (ICCV 2021), LivePortrait (2024)": {
        "LPIPS": "lp",
        "FID": "fd",
        "AED": "aed-expression",
        "APD": "apd",
        "MAE": "pose-mae",
    },
    "DaGAN (CVPR 2022), MCNet (ICCV 2023)": {
        "CSIM": "csim",
        "PRMSE": "prmse",
        "AUCON": "aucon",
        "LPIPS": "lp",
        "PSNR": "psnr",
        "SSIM": "ssim",
    },
    "Wav2Lip (ACM MM 2020)": {
        "LSE-C": "sync-c",
        "LSE-D": "sync-d",
    },
    "THEval (CVPR 2026)": {
        "lip dynamics": "lip-dynamics-68",
        "head motion": "head-motion-68",
        "eyebrow dynamics": "eyebrow-dynamics-68",
        "silent lip stability": "silent-lip-stability-68",
        "lip sync": "lip-sync-68",
        "global aesthetics": "global-aesthetics",
        "mouth quality": "mouth-quality",
        "face quality": "face-quality",
        "final score": "theval-final-68",
    },
}
"""What papers print, and the metric here that is nearest to it."""

INTRO = """# Metrics

Made from what the metrics say of themselves by `python -m bench.metrics_page`; a test fails when it is not as they are.

A metric that needs networks carries its suite in its name: `akd-builtin`, `akd-open`. With the networks of the papers
(`--suite paper`) the name is the plain one, or the one in the column *in suite paper*: there alone are LPIPS and FID
called so. Metrics of the first table are in every run; those of the second are what papers print under the same names,
and what else can be asked for: `bench run --variants`. All of a run's metrics come from one pass over the frames.

*Better* says which way; *range* is what values can be. *Over frames* says how a score comes about: the mean over
frames, one value for a clip and the mean over clips, or one value for all frames together, which has no interval.
Where a network or its file is missing, the value is NULL with the reason (`bench weights list` knows the files)."""

NOTES = """## What needs more than a run has

- Lip sync and silent lip stability listen to the driving clip: NULL where it has no sound. Speech is told by loudness.
- LSE-C and LSE-D are `sync-c` and `sync-d`, with `--suite paper` and SyncNet's file (`bench weights fetch syncnet`).
  They need 1.44 s of frames that follow each other, of a driving clip with sound and 25 frames a second or more, else
  they are NULL. same-id compares all frames with `--protocol fomm-vox`, on any dataset; its own protocol and that of
  cross-id do so in clips of at most 64 frames. Published numbers come from frames that were coded twice more and from
  boxes of another detector (S3FD); a codec alone moves them by 0.4 to 1.2 (THEval). The row `truth` says what is
  reached here.
- AED and APD of a 3DMM's coefficients need its network; here they are of the suite's expressions and head poses.
- TOPIQ, MUSIQ and I3D come as TorchScript, FAN may: that is code. I3D's hash is pinned. A file whose hash nobody has
  pinned runs only after `bench weights fetch NAME --unverified`: your word, kept for that content alone in your own
  data folder. Until then its metrics are NULL with that reason; another file than a pinned one never runs.
- A task's frames are evenly spaced over a clip. Values of metrics that look at frames one after another (motion,
  windows) depend on the spacing, which the signature holds."""


def markdown() -> str:
    """The page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    every = metrics.available().values()
    yield INTRO
    for title, chosen in (
        ("In every run", [metric for metric in every if not metric.variant_of]),
        ("With --variants", [metric for metric in every if metric.variant_of]),
    ):
        yield f"\n## {title}\n"
        yield "| id | in suite paper | what it is | unit | better | range | over frames | compares | needs | version |"
        yield "|---|---|---|---|---|---|---|---|---|---|"
        yield from (_row(metric) for metric in chosen)
    yield "\n## What papers print\n"
    yield "The same letters mean different numbers in different papers; these are the nearest ids, by definition.\n"
    yield "| paper | printed there: id here |"
    yield "|---|---|"
    for paper, names in PAPERS.items():
        yield f"| {paper} | {', '.join(f'{printed}: `{name}`' for printed, name in names.items())} |"
    yield f"\n{NOTES}"


def _row(metric: Metric) -> str:
    low, high = (_number(value) for value in metric.range)
    cells = [
        f"`{metric.id}`",
        f"`{metric.paper_id}`" if metric.paper_id not in ("", metric.id) else "",
        metric.description,
        metric.unit,
        "higher" if metric.higher_is_better else "lower",
        f"{low} to {high}",
        _over_frames(metric),
        metric.aspect + (f", with the {metric.against} frame" if metric.against else ""),
        metric.feature,
        str(metric.version),
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _over_frames(metric: Metric) -> str:
    if metric.of_clip:
        return "clips"
    if metric.of_sets is not None or metric.of_mean is not None:
        return "together"
    return "all, by what models tell" if metric.told else "mean"


def _number(value: float) -> str:
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return "π" if value == math.pi else f"{value:g}"


if __name__ == "__main__":
    print(markdown(), end="")  # the page is this module's output
