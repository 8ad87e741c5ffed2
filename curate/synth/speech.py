"""What a mouth does while it speaks: phrases of 3 to 6 syllables a second with pauses, each sound drawing the lips its
way. Sounds blend as in Cohen and Massaro (Modeling coarticulation in synthetic visual speech, 1993): at any time the
mouth is the mean of the sounds around, weighted by how much each commands at that moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curate.synth.curves import Array, bumps

MOUTH = ("jaw_open", "pucker", "stretch", "upper_lip_raise", "lower_lip_drop", "lips_press")
"""The expression units that speech moves, in the order of the columns below."""

# How often, how firmly (dominance), and the units of MOUTH.
_VOWELS = np.array(
    [
        (0.20, 1.0, 0.75, 0.00, 0.10, 0.20, 0.35, 0.00),  # a
        (0.20, 1.0, 0.48, 0.00, 0.45, 0.22, 0.30, 0.00),  # e
        (0.18, 1.0, 0.20, 0.00, 0.75, 0.22, 0.38, 0.00),  # i
        (0.12, 1.2, 0.52, 0.65, 0.00, 0.08, 0.15, 0.00),  # o
        (0.10, 1.3, 0.20, 0.90, 0.00, 0.05, 0.10, 0.00),  # u
        (0.20, 0.7, 0.32, 0.10, 0.12, 0.12, 0.20, 0.00),  # the neutral vowel
    ]
)
_CONSONANTS = np.array(
    [
        (0.16, 2.4, 0.02, 0.05, 0.00, 0.00, 0.00, 0.85),  # p b m: the lips meet, whatever comes next
        (0.08, 1.8, 0.08, 0.00, 0.15, 0.40, 0.00, 0.28),  # f v
        (0.26, 0.8, 0.15, 0.00, 0.20, 0.12, 0.28, 0.00),  # t d n
        (0.12, 0.5, 0.26, 0.00, 0.10, 0.10, 0.15, 0.00),  # k g
        (0.14, 1.4, 0.07, 0.00, 0.42, 0.22, 0.40, 0.00),  # s z
        (0.06, 1.6, 0.12, 0.55, 0.00, 0.35, 0.40, 0.00),  # sh ch
        (0.06, 1.6, 0.10, 0.85, 0.00, 0.00, 0.00, 0.12),  # w
        (0.12, 0.7, 0.30, 0.05, 0.10, 0.15, 0.22, 0.00),  # l r th
    ]
)
_REST = 0.12  # what the mouth at rest commands against a sound's 1


@dataclass(frozen=True)
class Speech:
    """A mouth over T frames, and the rhythm that head and brows follow."""

    mouth: Array  # [T, len(MOUTH)] in [0, 1]
    speaking: Array  # [T] in [0, 1]: inside a phrase or not
    stressed: Array  # [E] seconds of the stressed syllables
    phrases: Array  # [P, 2] seconds at which phrases begin and end


def speak(rng: np.random.Generator, times: Array, *, talkative: float, effort: float) -> Speech:
    """Speech over `times`: `talkative` in [0, 1] is about the share of time that is spoken, `effort` how far the mouth
    moves (1: normally)."""
    phrases = _phrases(rng, times[-1] + 1.0, talkative)
    centres, sounds, firmness, stressed = [], [], [], []
    for start, end in phrases:
        rate = rng.uniform(3.2, 5.8)
        loud = effort * rng.uniform(0.75, 1.1)
        time = start
        while time < end:
            length = np.clip(rng.normal(1, 0.15), 0.7, 1.35) / rate
            stress = rng.random() < 0.3
            vowel = _VOWELS[rng.choice(len(_VOWELS), p=_VOWELS[:, 0] / _VOWELS[:, 0].sum())]
            gain = loud * (1.12 if stress else rng.uniform(0.7, 1.0))
            if rng.random() < 0.85:
                consonant = _CONSONANTS[rng.choice(len(_CONSONANTS), p=_CONSONANTS[:, 0] / _CONSONANTS[:, 0].sum())]
                centres.append(time + 0.15 * length)
                sounds.append(consonant[2:])
                firmness.append((consonant[1], length))
            centres.append(time + 0.6 * length)
            sounds.append(np.clip(vowel[2:] * gain, 0, 1))
            firmness.append((vowel[1], length))
            if stress:
                stressed.append(time + 0.5 * length)
            time += length
    speaking = (
        bumps(times, phrases[:, 0] - 0.1, 0.15, np.diff(phrases)[:, 0], 0.2).sum(axis=1)
        if len(phrases)
        else np.zeros_like(times)
    )
    if not centres:
        return Speech(np.zeros((len(times), len(MOUTH))), np.clip(speaking, 0, 1), np.array([]), phrases)
    force, length = np.array(firmness).T
    command = force * np.exp(-(((times[:, None] - np.array(centres)) / (0.32 * length)) ** 2))
    mouth = command @ np.array(sounds) / (command.sum(axis=1, keepdims=True) + _REST)
    return Speech(np.clip(mouth, 0, 1), np.clip(speaking, 0, 1), np.array(stressed), phrases)


def _phrases(rng: np.random.Generator, end: float, talkative: float) -> Array:
    """Start and end [P, 2] of phrases; the first may have begun before time 0."""
    spans = []
    time = -rng.uniform(0, 2.5)
    while time < end and talkative > 0:
        length = rng.uniform(1.0, 3.6)
        spans.append((time, time + length))
        time += length + rng.gamma(2.0, 0.5 * length * (1 - talkative) / talkative) + rng.uniform(0.2, 0.5)
    return np.array(spans).reshape(-1, 2)
