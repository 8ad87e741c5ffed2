"""FOMM-L is driven as FOMM is (the networks are in `models.fomm_l`)."""

from __future__ import annotations

from baselines.fomm import Fomm


class FommL(Fomm):
    """FOMM with twice as many filters; a checkpoint's switches say in which networks."""

    name = "fomm-l"
    paper = "Wang et al., One-Shot Free-View Neural Talking-Head Synthesis for Video Conferencing, CVPR 2021 (FOMM-L)"
    licence = "no public code; FOMM's networks, MIT"
