"""All that a head has beside its skin: eyes, mouth, ears, hair, neck, clothes, glasses; joined into one mesh."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from curate.synth import sculpt, template
from curate.synth.sculpt import EYE, EYE_RADII, Array

Ints = NDArray[np.int32]

MATERIALS = ("skin", "plain", "eye", "mouth", "hair", "body", "glasses")
"""Which texture a triangle has; `plain` is skin without features (ears)."""

HEAD = ("skin", "plain", "eye", "mouth", "hair", "glasses")
"""Materials that the head mask counts."""

HAIR_SPAN = 2.6  # radians from the crown that the hair's texture reaches
CROWN = np.array([0.0, 0.80, -0.60])
EYE_SPAN = 22.0  # mm across the eye's texture


@dataclass(frozen=True)
class Part:
    """Vertices [from, to) of the mesh."""

    start: int
    stop: int

    @property
    def rows(self) -> slice:
        """The vertices, as an index."""
        return slice(self.start, self.stop)


@dataclass
class Mesh:
    """The mean head with everything; sculpting axes, mm."""

    points: Array  # [V, 3]
    plane: Array  # [V, 2] where features are drawn; for parts that move as one, the point that they follow
    lip: NDArray[np.int8]  # [V] see `template.Skin`
    uv: Array  # [V, 2] in the material's texture, [0, 1]
    head: Array  # [V] 1: moves with the head, 0: with the shoulders
    jaw: Array  # [V] share of the jaw's turn, where it isn't skin
    triangles: Ints  # [F, 3]
    material: NDArray[np.uint8]  # [F]
    part: dict[str, Part] = field(default_factory=dict)


class _Builder:
    def __init__(self) -> None:
        self.blocks: list[tuple[Array, ...]] = []
        self.faces: list[Ints] = []
        self.materials: list[NDArray[np.uint8]] = []
        self.part: dict[str, Part] = {}
        self.count = 0

    def add(
        self,
        name: str,
        material: str,
        points: Array,
        uv: Array,
        triangles: Ints,
        *,
        plane: Array | None = None,
        lip: NDArray[np.int8] | None = None,
        head: Array | float = 1.0,
        jaw: Array | float = 0.0,
    ) -> Part:
        n = len(points)
        self.part[name] = Part(self.count, self.count + n)
        lip = np.zeros(n, np.int8) if lip is None else lip
        plane = points[:, :2] if plane is None else plane
        self.blocks.append((points, plane, lip, uv, np.broadcast_to(head, n), np.broadcast_to(jaw, n)))
        self.faces.append((triangles + self.count).astype(np.int32))
        self.materials.append(np.full(len(triangles), MATERIALS.index(material), np.uint8))
        self.count += n
        return self.part[name]

    def mesh(self) -> Mesh:
        columns = [np.concatenate(column) for column in zip(*self.blocks, strict=True)]
        points, plane, lip, uv, head, jaw = columns
        return Mesh(
            points, plane, lip.astype(np.int8), uv, head, jaw,
            np.concatenate(self.faces), np.concatenate(self.materials), self.part,
        )  # fmt: skip


def skin_uv(chart: Array) -> Array:
    """Texture coordinates of the skin: finer in the face than behind."""
    angle = np.hypot(chart[:, 0], chart[:, 1])
    reach = np.tanh(0.8 * angle) / np.tanh(0.8 * np.pi)
    return np.asarray(0.5 + 0.5 * chart * (reach / np.maximum(angle, 1e-9))[:, None] * (1, -1), np.float64)


def hair_uv(directions: Array) -> Array:
    """Texture coordinates of the hair: polar about the crown."""
    crown = CROWN / np.linalg.norm(CROWN)
    angle = np.arccos(np.clip(directions @ crown, -1, 1))
    right = np.array([1.0, 0.0, 0.0])
    forward = np.cross(right, crown)
    around = np.arctan2(directions @ right, directions @ forward)
    reach = np.clip(angle / HAIR_SPAN, 0, 1)
    return 0.5 + 0.5 * np.stack([reach * np.sin(around), reach * np.cos(around)], axis=1)


def grid_triangles(rows: int, columns: int, *, closed: bool = False, flip: bool = False) -> Ints:
    """Two triangles per cell of a grid of rows x columns vertices; `closed`: the last column meets the first."""
    wide = columns if closed else columns - 1
    r, c = np.meshgrid(np.arange(rows - 1), np.arange(wide), indexing="ij")
    a, b = (r * columns + c).ravel(), (r * columns + (c + 1) % columns).ravel()
    d, e = a + columns, b + columns
    faces = np.concatenate([np.stack([a, b, d], axis=1), np.stack([b, e, d], axis=1)])
    return (faces[:, ::-1] if flip else faces).astype(np.int32)


@cache
def mesh() -> Mesh:
    """The mean head (made once)."""
    skin = template.skin()
    build = _Builder()
    uv = skin_uv(skin.chart)
    build.add("skin", "skin", skin.points, uv, skin.triangles, plane=skin.plane, lip=skin.lip)
    for side, ring in zip(("left", "right"), skin.lids, strict=True):
        _strip(build, f"lid_{side}", skin, uv, ring, (0.0, 0.0, -6.0), closed=True, flip=side == "right")
    for name, row, flip in (("lip_upper", skin.lips[0], False), ("lip_lower", skin.lips[1], True)):
        _strip(build, name, skin, uv, row, (0.0, 2.5 if not flip else -2.5, -11.0), closed=False, flip=flip)
    for side, sign in (("left", -1.0), ("right", 1.0)):
        _eye(build, side, sign)
        _ear(build, side, sign)
    _mouth(build)
    _hair(build, skin)
    _curtain(build)
    _body(build)
    _glasses(build)
    return build.mesh()


def _strip(
    build: _Builder,
    name: str,
    skin: template.Skin,
    uv: Array,
    edge: Ints,
    offset: tuple[float, float, float],
    *,
    closed: bool,
    flip: bool,
) -> None:
    """The thickness of a lid or lip: its edge, and the same moved inwards."""
    outer = skin.points[edge]
    points = np.concatenate([outer, outer + offset])
    lip = np.tile(skin.lip[edge], 2)
    triangles = grid_triangles(2, len(edge), closed=closed, flip=flip)
    build.add(
        name, "skin", points, np.tile(uv[edge], (2, 1)), triangles, plane=np.tile(skin.plane[edge], (2, 1)), lip=lip
    )


def _eye(build: _Builder, side: str, sign: float) -> None:
    u, v = np.meshgrid(np.linspace(-1.25, 1.25, 29), np.linspace(1.1, -1.1, 23))
    normal = np.stack([np.sin(u) * np.cos(v), np.sin(v), np.cos(u) * np.cos(v)], axis=-1).reshape(-1, 3)
    local = normal * EYE_RADII
    local[:, 2] += 0.9 * np.exp(-(((local[:, 0] ** 2 + local[:, 1] ** 2) / 36.0) ** 2))  # the cornea
    uv = 0.5 + np.stack([local[:, 0] * 1.0, -local[:, 1]], axis=1) / EYE_SPAN
    rim = (np.abs(u.ravel()) > 1.24) | (np.abs(v.ravel()) > 1.09)
    local[rim] = local[rim] * (1.2, 1.2, 1) - (0, 0, 9)  # a skirt behind the lids, so that no gap shows past them
    centre = EYE * (sign, 1, 1)
    triangles = grid_triangles(23, 29, flip=True)
    build.add(f"eye_{side}", "eye", centre + local, uv, triangles, plane=np.tile(centre[:2], (len(local), 1)))


def _ear(build: _Builder, side: str, sign: float) -> None:
    turn, reach = np.meshgrid(
        np.linspace(0, 2 * np.pi, 33)[:-1], np.array([0, 0.22, 0.42, 0.58, 0.72, 0.84, 0.94, 1.0, 0.97, 0.6])
    )
    turn, reach = turn.ravel(), reach.ravel()
    row = np.repeat(np.arange(10), 32)
    along = np.cos(turn)  # 1: top of the ear
    across = np.sin(turn)  # 1: back
    height = np.where(along > 0, 31, 30) * reach * along
    depth = (15 + 4.5 * along) * reach * across
    relief = np.array([-5, -5, -3, 1.5, 0.8, -0.8, 2.6, 1.5, -1.5, -4])[row] * (
        0.55 + 0.45 * np.maximum(across + 0.6, 0) / 1.6
    )
    lobe = smooth(along, -0.5, -1.0)
    relief = relief * (1 - lobe) + lobe * np.where(row > 7, -2, 0.5)
    flare = np.radians(28)
    out = relief * np.cos(flare) + (depth + 12) * np.sin(flare)
    back = -depth * np.cos(flare) + relief * np.sin(flare)
    tilt = np.radians(-12)
    z, y = back * np.cos(tilt) - height * np.sin(tilt), height * np.cos(tilt) + back * np.sin(tilt)
    points = np.stack([sign * (66.0 + out), 6.0 + y, -6.0 + z], axis=1)
    uv = np.stack([0.5 + 0.45 * reach * across, 0.5 - 0.45 * reach * along], axis=1)
    build.add(f"ear_{side}", "plain", points, uv, grid_triangles(10, 32, closed=True, flip=sign < 0))


def smooth(x: Array, low: float, high: float) -> Array:
    """`sculpt.smooth_step`."""
    return sculpt.smooth_step(x, low, high)


def _mouth(build: _Builder) -> None:
    t = np.linspace(-1, 1, 25)
    angle = t * 1.25
    arch = np.stack([23.5 * np.sin(angle), np.zeros(25), 84.0 - 22.0 * (1 - np.cos(angle)) * 1.25], axis=1)
    for name, ys, vs, jaw in (
        ("teeth_upper", (-30.0, -36.0, -41.6), (0.02, 0.12, 0.22), 0.0),
        ("teeth_lower", (-42.6, -47.0, -53.0), (0.28, 0.38, 0.48), 1.0),
    ):
        rows = [arch * (1 - 0.04 * (k != 1), 1, 1) + (0, y, -0.8 * (k != 1)) for k, y in enumerate(ys)]
        uv = np.concatenate([np.stack([(t + 1) / 2, np.full(25, v)], axis=1) for v in vs])
        points = np.concatenate(rows)
        build.add(name, "mouth", points, uv, grid_triangles(3, 25, flip=True), plane=_at(points, 0, -41), jaw=jaw)
    u, v = _polar(24, np.linspace(0.1, np.pi / 2, 7))
    wide, high = np.sin(v) * np.sin(u), np.sin(v) * np.cos(u)
    bowl = np.stack([33 * wide, -42 + 25 * high, 72 - 38 * np.cos(v) - 10 * wide**2], axis=1)
    uv = np.stack([0.5 + 0.45 * np.sin(u), 0.55 + 0.15 * v], axis=1)
    lower = sculpt.smooth_step(bowl[:, 1], -34, -52)
    build.add("cavity", "mouth", bowl, uv, grid_triangles(7, 24, closed=True), plane=_at(bowl, 0, -41), jaw=lower)
    u, v = _polar(20, np.linspace(0.05, np.pi / 2 + 0.4, 8))
    tongue = np.stack([17 * np.sin(v) * np.sin(u), -52 + 7.5 * np.sin(v) * np.cos(u), 58 + 20 * np.cos(v)], axis=1)
    uv = np.stack([0.5 + 0.4 * np.sin(u) * np.sin(v), np.full(len(u), 0.90)], axis=1)
    build.add("tongue", "mouth", tongue, uv, grid_triangles(8, 20, closed=True), plane=_at(tongue, 0, -41), jaw=1.0)


def _polar(count: int, reach: Array) -> tuple[Array, Array]:
    """Angle around and angle from the axis of a round grid: `count` columns, a row for each of `reach`."""
    u, v = np.meshgrid(np.linspace(0, 2 * np.pi, count + 1)[:-1], reach)
    return u.ravel(), v.ravel()


def _at(points: Array, x: float, y: float) -> Array:
    return np.tile(np.array([x, y]), (len(points), 1))


def _hair(build: _Builder, skin: template.Skin) -> None:
    """A second layer over the scalp; how far it stands off is the person's."""
    base = sculpt.base_point(template.from_chart(skin.chart))
    scalp = (
        (base[:, 1] > 38) | ((base[:, 2] < 42) & (base[:, 1] > -62) & (np.abs(base[:, 0]) > 20)) | (base[:, 2] < -30)
    )
    used = scalp[skin.triangles].all(axis=1)
    index = np.unique(skin.triangles[used])
    place = np.full(len(base), -1, np.int64)
    place[index] = np.arange(len(index))
    offset = base[index] - sculpt.CENTRE
    uv = hair_uv(offset / np.linalg.norm(offset, axis=1, keepdims=True))
    build.add("hair", "hair", base[index], uv, place[skin.triangles[used]].astype(np.int32))


def _curtain(build: _Builder) -> None:
    """Long hair, hanging from the sides and the back: rows from the top down, columns from one side to the other."""
    u, v = np.meshgrid(np.linspace(-1, 1, 45), np.linspace(0, 1, 16))
    uv = np.stack([0.5 + 0.46 * np.sin(u * 2.6).ravel(), 0.5 + 0.46 * np.cos(u * 2.6).ravel() * 1.0], axis=1)
    uv = 0.5 + (uv - 0.5) * (0.45 + 0.5 * v.ravel()[:, None])
    points = np.stack([u.ravel(), v.ravel(), np.zeros(u.size)], axis=1)
    head = 1 - 0.75 * smooth(v.ravel(), 0.3, 1.0)
    build.add("curtain", "hair", points, uv, grid_triangles(16, 45), head=head)


_BODY = np.array(
    [  # y, half width, half depth, centre z
        (-25, 42, 42, -22), (-60, 46, 46, -20), (-90, 48.5, 47, -19), (-112, 51, 48.5, -19), (-126, 56, 51, -20),
        (-136, 67, 55, -21), (-146, 88, 60, -23), (-156, 112, 65, -26), (-167, 142, 72, -28), (-180, 172, 80, -30),
        (-197, 192, 88, -30), (-225, 203, 98, -28), (-275, 212, 108, -24), (-340, 220, 116, -22), (-420, 226, 120, -22),
    ],
    float,
)  # fmt: skip


def _body(build: _Builder) -> None:
    fine = np.interp(np.linspace(0, 14, 43), np.arange(15), np.arange(15))
    rows = np.stack([np.interp(fine, np.arange(15), _BODY[:, k]) for k in range(4)], axis=1)
    turn = np.linspace(-np.pi, np.pi, 57)
    x = np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** 0.85
    z = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** 0.85
    points = np.stack(
        [
            rows[:, 1:2] * x,
            np.repeat(rows[:, :1], 57, axis=1),
            rows[:, 3:4] + rows[:, 2:3] * z,
        ],
        axis=-1,
    ).reshape(-1, 3)
    uv = np.stack([np.tile((turn + np.pi) / (2 * np.pi), 43), np.repeat(np.linspace(0, 1, 43), 57)], axis=1)
    head = smooth(points[:, 1], -135, -55)
    build.add("body", "body", points, uv, grid_triangles(43, 57, flip=True), head=head)


def _tube(path: Array, radius: float, sides: int = 6, *, closed: bool) -> tuple[Array, Ints]:
    ahead = np.roll(path, -1, 0) - np.roll(path, 1, 0) if closed else np.gradient(path, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    up = np.array([0.13, 0.31, 0.94])
    side = np.cross(ahead, up)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    other = np.cross(ahead, side)
    turn = np.arange(sides) / sides * 2 * np.pi
    ring = side[None] * np.cos(turn)[:, None, None] + other[None] * np.sin(turn)[:, None, None]
    points = (path[None] + radius * ring).transpose(1, 0, 2).reshape(-1, 3)
    count = len(path)
    r, c = np.meshgrid(np.arange(count if closed else count - 1), np.arange(sides), indexing="ij")
    a, b = (r * sides + c).ravel(), (r * sides + (c + 1) % sides).ravel()
    d, e = ((r + 1) % count * sides + c).ravel(), ((r + 1) % count * sides + (c + 1) % sides).ravel()
    faces = np.concatenate([np.stack([a, d, b], axis=1), np.stack([b, d, e], axis=1)])
    return points, faces.astype(np.int32)


def _lens(size: float, roundness: float, sign: float) -> Array:
    turn = np.arange(36) / 36 * 2 * np.pi
    power = 1.0 - 0.5 * (1 - roundness)
    x = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** power * 25.5 * size
    y = np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** power * (18.0 + 5 * roundness) * size
    x = x + 32.8 + 1.5 * size
    z = 95.0 - 11.0 * (x / 60) ** 2
    return np.stack([sign * x, 24.0 + y - 1.5, z], axis=1)


def glasses_points(size: float, roundness: float, thick: float) -> Array:
    """Vertices of the glasses: two rims, a bridge, two temples. Size about 1, roundness in [0, 1], mm."""
    parts = []
    for sign in (-1.0, 1.0):
        parts.append(_tube(_lens(size, roundness, sign), thick, closed=True)[0])
    inner = _lens(size, roundness, 1.0)[:, 0].min()
    t = np.linspace(-1, 1, 7)
    bridge = np.stack([t * inner, 29.0 + 2.5 * (1 - t**2), np.full(7, 97.0)], axis=1)
    parts.append(_tube(bridge, thick, closed=False)[0])
    for sign in (-1.0, 1.0):
        outer = _lens(size, roundness, 1.0)
        start = outer[outer[:, 0].argmax()]
        s = np.linspace(0, 1, 9)[:, None]
        bend = np.array([76.0, 30.0, -2.0])
        path = start * (1 - s) + bend * s + np.array([7.0, 0, 0]) * np.sin(np.pi * s) * 0.6
        path[:, 1] = 28.0
        parts.append(_tube(path * (sign, 1, 1), thick * 0.9, closed=False)[0])
    return np.concatenate(parts)


def _glasses(build: _Builder) -> None:
    faces, base = [], 0
    for count, closed in ((36, True), (36, True), (7, False), (9, False), (9, False)):
        faces.append(_tube(np.random.default_rng(0).random((count, 3)), 1.0, closed=closed)[1] + base)
        base += count * 6
    points = glasses_points(1.0, 0.5, 1.4)
    build.add("glasses", "glasses", points, np.full((len(points), 2), 0.5), np.concatenate(faces))
