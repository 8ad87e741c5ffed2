"""pSp at a size for tests."""

SIDE = 16
TINY = {
    "side": SIDE,
    "encoder_side": SIDE,
    "widths": (4, 6, 8, 8),
    "units": (1, 1, 1, 1),
    "style": 8,
    "coarse": 1,
    "middle": 2,
    "mapping": 2,
    "width": 256,
    "max_width": 12,
    "rate": 6.0,
}
