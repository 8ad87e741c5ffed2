"""Why a download failed, and what follows from it: one table of kinds, one table of the words they are known by."""

from __future__ import annotations

import errno
import random
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Policy:
    """What is done about a kind of error."""

    permanent: bool  # the next run does not try again
    attempts: int = 1  # most tries in one run; `Options.attempts` may lower it
    first_wait_s: float = 0.0  # before the second try; it doubles from try to try
    of_video: bool = True  # False: the next videos would fail of it too, so that several in a row stop everything
    from_scratch: bool = False  # what was downloaded so far is thrown away before the next try


POLICIES = {
    "dead": Policy(permanent=True),  # removed, or never there
    "private": Policy(permanent=True),  # needs an account that may see it
    "geo": Policy(permanent=True),  # not shown in this country
    "age": Policy(permanent=True),  # needs a signed-in adult
    "no_format": Policy(permanent=True),  # nothing there that meets what was asked for
    "license": Policy(permanent=True),  # not under the licence that was asked for
    "missing": Policy(permanent=True),  # neither a file nor an address
    "bot_check": Policy(permanent=False, of_video=False),
    "rate_limit": Policy(permanent=False, attempts=3, first_wait_s=60.0, of_video=False),
    "network": Policy(permanent=False, attempts=100, first_wait_s=2.0, of_video=False),
    "merge": Policy(permanent=False, attempts=2, first_wait_s=1.0, from_scratch=True),
    "disk": Policy(permanent=False, of_video=False),
    "other": Policy(permanent=False, attempts=2, first_wait_s=5.0),
}
MAX_WAIT_S = 900.0

_DISK = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG))

# The first line that fits decides. The words are those of yt-dlp and of the sites behind it, in small letters.
_SIGNS = (
    ("disk", r"no space left|disk quota exceeded|read-only file system|unable to (open for writing|write data)"),
    ("bot_check", r"not a bot|captcha|anti-bot|unusual traffic"),
    ("rate_limit", r"http error 429|too many requests|rate.?limit|isn't available, try again later"),
    ("age", r"confirm your age|age.restrict|age.verif|inappropriate for some users"),
    ("private", r"private video|video is private|members.only|join this channel|available to this channel's members"),
    ("private", r"granted access|registered users|requires payment|premium members|log ?in required|need to log ?in"),
    ("geo", r"(in|from) your (country|region|location)|geo.?(restrict|block)"),
    ("merge", r"postprocessing:|merging of multiple formats|conversion failed"),
    ("no_format", r"requested format is not available|no video formats|drm protected|unsupported url|only images are"),
    ("network", r"unable to download video data|fragment \d+ not found|bytes, expected|more expected|incompleteread"),
    ("other", r"premieres in|live event will begin|will begin in|currently live"),
    ("dead", r"http error (404|410)|video unavailable|no longer available|(been|was) removed|removed by|terminated"),
    ("dead", r"does not exist|isn't available|is not available|looks truncated|incomplete youtube id|deleted"),
    ("private", r"http error 401|sign in"),
    ("network", r"http error (403|408|5\d\d)|timed? ?out|connection|resolve|resolution|getaddrinfo|unreachable|ssl"),
    ("network", r"unable to download|did not get any data|file is empty|remote end closed|exited with code|proxy"),
)  # fmt: skip
_COMPILED = tuple((kind, re.compile(pattern)) for kind, pattern in _SIGNS)


class Failure(Exception):
    """A download that did not work: its kind (a key of `POLICIES`) and the reason in words."""

    def __init__(self, error_class: str, reason: str, *, retry_after_s: float | None = None, attempts: int = 1) -> None:
        super().__init__(reason)
        self.error_class = error_class
        self.reason = reason
        self.retry_after_s = retry_after_s  # what the server asked for
        self.attempts = attempts

    @property
    def policy(self) -> Policy:
        """What is done about it."""
        return POLICIES[self.error_class]


def classify(message: str, code: int | None = None) -> str:
    """The kind of an error, from yt-dlp's message and, where the system refused something, its error code (errno).

    >>> classify("ERROR: [youtube] xYz: Private video. Sign in if you've been granted access to this video")
    'private'
    """
    if code in _DISK:
        return "disk"
    text = message.replace("\u2019", "'").replace("\ufffd", "'").lower()
    return next((kind for kind, pattern in _COMPILED if pattern.search(text)), "other")


def clean(message: str) -> str:
    """yt-dlp's message without its decoration and advice, at most 240 characters."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", message).strip()
    text = re.sub(r"^(ERROR: *)?(\[[^\]]+\] *)?([^\s:]+: )?", "", text, count=1) if text.startswith("ERROR") else text
    text = re.sub(r"^\s*\[download\] (Got error: )?", "", text)
    text = re.split(r"; please report|\(caused by|\bUse --|\bSee  ?http|\nYou might want|\. It is recommended", text)[0]
    return " ".join(text.split())[:240].rstrip(" .") or "no reason given"


def wait_s(failure: Failure, attempt: int, jitter: random.Random) -> float:
    """Seconds before the next try after the `attempt`-th (from 1) failed: doubling, 50% to 150%, and never less than
    the server asked for."""
    doubled = failure.policy.first_wait_s * 2.0 ** min(attempt - 1, 20)
    return max(min(doubled, MAX_WAIT_S) * jitter.uniform(0.5, 1.5), failure.retry_after_s or 0.0)
