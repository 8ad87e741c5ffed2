"""Lengths and sizes as people read them."""

from __future__ import annotations


def hours(seconds: float) -> str:
    """A length of time.

    >>> hours(5400), hours(95), hours(12.34)
    ('1.50 h', '1.6 min', '12.3 s')
    """
    if seconds >= 3600:
        return f"{seconds / 3600:,.2f} h"
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.1f} s"


def size(gigabytes: float) -> str:
    """An amount of data.

    >>> size(1.234), size(0.0056)
    ('1.23 GB', '5.6 MB')
    """
    return f"{gigabytes:,.2f} GB" if gigabytes >= 1 else f"{gigabytes * 1000:.1f} MB"
