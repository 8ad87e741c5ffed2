"""One person: the mean head shaped, covered and lit by the surroundings, once; and posed for every frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from curate.angles import rotation
from curate.synth import expression, hair, landmarks, noise, parts, raster, sculpt, shape, template, textures
from curate.synth.parameters import EXPRESSION, SHAPE, Identity, Motion
from curate.synth.sculpt import Array

Floats = NDArray[np.float32]
FLIP = np.array([1.0, -1.0, -1.0], np.float32)  # sculpting axes to camera axes
NECK = np.array([0.0, -60.0, -18.0])  # where head and shoulders turn against each other, sculpting axes
BODY_SHARE = np.array([0.30, 0.12, 0.18])  # of the head's yaw, pitch, roll that the shoulders go along
GAZE = np.array([4.6, 3.4])  # mm that the iris moves at gaze 1
KEPT = 24  # people whose textures are kept


@dataclass(frozen=True)
class Form:
    """A person's form at rest: what `pose` moves."""

    points: Floats  # [V, 3] sculpting axes, mm
    moves: Floats  # [len(EXPRESSION), V, 3]
    eye_shift: tuple[Array, Array]  # how far the eyeballs lie from the mean's, mm


@dataclass(frozen=True)
class Head(Form):
    """A person at rest, with their looks."""

    surface: raster.Surface
    fine: raster.Textures
    coarse: raster.Textures  # half the size, for small renderings
    open_sky: Floats  # [V] share of the surroundings that reaches a vertex
    gloss: float  # of the skin, [0, 1]


@lru_cache(maxsize=KEPT)
def _made(identity_id: str, coefficients: bytes) -> Head:
    return make(Identity(identity_id, np.frombuffer(coefficients, np.float32)))


def head(identity: Identity) -> Head:
    """The person's head; the last `KEPT` people are kept."""
    return _made(identity.id, identity.coefficients.astype(np.float32).tobytes())


def make(identity: Identity) -> Head:
    """Shape and paint a person: a quarter of a second."""
    mesh, named = parts.mesh(), identity.named
    rng = np.random.default_rng((identity.seed, 1))
    points = mesh.points.copy()
    _dress(points, mesh, named, rng)
    shift = np.einsum("k,kvd->vd", identity.coefficients[: len(SHAPE)], shape.basis()).astype(np.float64)
    _follow(shift, points, mesh)
    points = points + shift
    eyes = tuple(shift[mesh.part[f"eye_{side}"].start] for side in ("left", "right"))
    pictures = textures.textures(identity)
    two_sided = np.zeros(len(mesh.triangles), np.uint8)
    for name in ("curtain", "lid_left", "lid_right", "lip_upper", "lip_lower", "glasses", "tongue", "cavity"):
        first, last = mesh.part[name].start, mesh.part[name].stop
        two_sided[(mesh.triangles[:, 0] >= first) & (mesh.triangles[:, 0] < last)] = 1
    surface = raster.Surface(mesh.triangles, mesh.material, two_sided, mesh.uv.astype(np.float32))
    shaped = points.astype(np.float32)
    return Head(
        points=shaped,
        moves=expression.basis(),
        surface=surface,
        fine=raster.Textures.pack(pictures),
        coarse=raster.Textures.pack([textures.half(p) for p in pictures]),
        open_sky=_open_sky(shaped, mesh, surface),
        gloss=named["skin_gloss"],
        eye_shift=(eyes[0], eyes[1]),
    )


def _dress(points: Array, mesh: parts.Mesh, named: dict[str, float], rng: np.random.Generator) -> None:
    """Put hair and glasses in their places on the mean head."""
    rows = mesh.part["hair"].rows
    out = points[rows] - sculpt.CENTRE
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    uneven = noise.smooth(rng, 64, 64, 12, 12)
    at = ((mesh.uv[rows] * 63).round()).astype(int)
    points[rows] = hair.shell(points[rows], out, named, uneven[at[:, 1], at[:, 0]].astype(np.float64))
    rows = mesh.part["curtain"].rows
    long = hair.curtain(named, noise.smooth(rng, 16, 45, 5, 22).astype(np.float64))
    points[rows] = np.array([0, 40, -20]) if long is None else long
    rows = mesh.part["glasses"].rows
    if named["glasses"] >= 0.5:
        points[rows] = parts.glasses_points(
            0.86 + 0.24 * named["glasses_size"], named["glasses_roundness"], 0.8 + 1.3 * named["glasses_dark"]
        )
    else:
        points[rows] = np.array([0, 20, 0])


def _follow(shift: Array, points: Array, mesh: parts.Mesh) -> None:
    """Let hair and glasses go with the skull: their displacement is that of the nearest skin at rest."""
    from scipy.spatial import cKDTree

    skin = mesh.part["skin"].rows
    tree = cKDTree(mesh.points[skin])
    for name in ("hair", "curtain"):
        rows = mesh.part[name].rows
        distance, nearest = tree.query(points[rows])
        near = 1 / (1 + (distance / 40) ** 2)
        shift[rows] = shift[skin][nearest] * near[:, None]
    bridge = shift[skin][tree.query(np.array([0.0, 30.0, 92.0]))[1]]
    wide = abs(shift[skin][tree.query(np.array([69.0, 5.0, 30.0]))[1]][0])
    rows = mesh.part["glasses"].rows
    glasses = points[rows]
    shift[rows] = bridge + np.stack([glasses[:, 0] / 76 * wide, 0 * glasses[:, 0], 0 * glasses[:, 0]], axis=1)


def _open_sky(points: Floats, mesh: parts.Mesh, surface: raster.Surface) -> Floats:
    """Ambient occlusion [V] in [0, 1]: the share of directions, cosine weighted, from which a vertex is seen."""
    size, count = 144, 40
    normals = raster.normals(points, mesh.triangles)
    k = np.arange(count)
    height = 1 - 2 * (k + 0.5) / count
    turn = k * np.pi * (3 - np.sqrt(5))
    flat = np.sqrt(1 - height**2)
    directions = np.stack([flat * np.cos(turn), height * 0.9 + 0.1, flat * np.sin(turn)], axis=1)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    both = np.ones_like(surface.two_sided)
    total, seen = np.full(len(points), 1e-6), np.zeros(len(points))
    for towards in directions:
        side = np.cross(towards, (0.31, 0.95, 0.11))
        side /= np.linalg.norm(side)
        up = np.cross(side, towards)
        flatly = np.stack([points @ side, points @ up, -(points @ towards)], axis=1)
        flatly[:, :2] = (flatly[:, :2] + 240) / 480 * size
        view = flatly.astype(np.float32)
        _, near = raster.visible(view, mesh.triangles, both, size, size)
        cosine = np.maximum(normals @ towards, 0)
        column, row = (np.clip(view[:, i].astype(int), 0, size - 1) for i in (0, 1))
        total += cosine
        seen += cosine * (view[:, 2] <= near[row, column] + 7.0)
    share = seen / total
    for name in ("cavity", "tongue", "teeth_upper", "teeth_lower"):
        share[mesh.part[name].rows] = 0.6
    return np.asarray(np.clip(share * 1.25, 0.04, 1.0).astype(np.float32))


def pose(person: Form, motion: Motion) -> tuple[Floats, Floats]:
    """Vertices [T, V, 3] in camera axes (mm), and iris shifts [T, 2] in units of the eye's texture."""
    mesh = parts.mesh()
    points = person.points + np.einsum("tk,kvd->tvd", motion.expression, person.moves)
    eyelids(points, person, motion.expression)
    gaze = motion.expression[:, -2:] * GAZE / parts.EYE_SPAN * (1, -1)
    return place(points, mesh.head, motion), gaze.astype(np.float32)


def place(points: Floats, share: Floats, motion: Motion) -> Floats:
    """Points [T, N, 3] in sculpting axes, of which `share` [N] goes with the head and the rest with the shoulders, in
    camera axes."""
    turned = rotation(motion.angles).astype(np.float32)
    towards = rotation(motion.angles * BODY_SHARE).astype(np.float32)
    local = points * FLIP
    neck = (NECK * FLIP).astype(np.float32)
    with_head = np.einsum("tij,tvj->tvi", turned, local)
    pivot = np.einsum("tij,j->ti", turned, neck)[:, None]
    with_body = np.einsum("tij,tvj->tvi", towards, local - neck) + pivot
    weight = share.astype(np.float32)[None, :, None]
    placed = weight * with_head + (1 - weight) * with_body + motion.translation[:, None].astype(np.float32)
    return np.ascontiguousarray(placed, np.float32)


def eyelids(points: Floats, person: Form, activations: Floats) -> None:
    """Close the lids of posed vertices [T, V, 3] by their blinks, whatever their shape, and keep them outside of the
    eyeballs; changes rows of the lids alone."""
    skin, mesh = template.skin(), parts.mesh()
    blinks = {"left": EXPRESSION.index("blink_r"), "right": EXPRESSION.index("blink_l")}
    for (side, unit), rings, ring, shift, sign in zip(
        blinks.items(), expression.lid_rings(), skin.lids, person.eye_shift, (-1.0, 1.0), strict=True
    ):
        upper, lower = rings
        shut = activations[:, unit][:, None, None]
        above, below = points[:, upper[0]], points[:, lower]
        meet = below + 0.22 * (above - below)
        way = meet - above
        rise = meet - below
        for share, row in zip(expression.RING_SHARE, upper, strict=True):
            points[:, row[1:-1]] += shut * share * way[:, 1:-1]
        points[:, lower[1:-1]] += shut * rise[:, 1:-1]
        rows = lid_rows(ring)
        x, y, z = np.moveaxis(points[:, rows].astype(np.float64), -1, 0)
        x, y, z = (x - shift[0]) * sign if sign < 0 else x - shift[0], y - shift[1], z - shift[2]
        ball = sculpt.eye_front(x, y, sculpt.LID)
        outside = np.where(ball > z, ball, z)
        points[:, rows, 2] = (outside + shift[2]).astype(np.float32)
        strip = mesh.part[f"lid_{side}"]
        n = len(ring)
        points[:, strip.start : strip.start + n] = points[:, ring]
        points[:, strip.start + n : strip.stop] = points[:, ring] + np.array([0, 0, -6.0], np.float32)


def lid_rows(ring: NDArray[np.integer]) -> NDArray[np.int64]:
    """The vertices around an eye whose innermost ring is given."""
    return np.arange(int(ring[0]), int(ring[0]) + 5 * len(ring))


def landmark_vertices() -> NDArray[np.int64]:
    """[68] vertex of each landmark."""
    return landmarks.vertices()
