"""`checkpoints.toml`: what it says is checked, true of the public state dicts, and of files as they are published."""

import re
from dataclasses import replace

import pytest
import torch

import models
from baselines.checkpoint import BadCheckpoint, Unverified, load_networks, read, read_published
from baselines.published import BadTable, Layout, PublishedFile, parse, tables
from baselines.torch_file import networks_in, read_content, recognise, unwrapped, wanted
from curate.files import sha256_file

LAYOUTS = [layout for layout in tables().layouts.values() if layout.architecture in models.names()]
BY_NAME = pytest.mark.parametrize("layout", LAYOUTS, ids=[layout.name for layout in LAYOUTS])
SMALL = {  # an architecture without preset mini, made small by switches; others are taken at that preset
    "osfv-community": {
        "width": 4,
        "max_width": 16,
        "volume_channels": 4,
        "volume_depth": 4,
        "volume_blocks": 1,
        "bottleneck_blocks": 1,
        "kp_width": 4,
        "kp_max_width": 16,
        "kp_depth": 4,
        "pose_width": 8,
        "pose_blocks": (1, 1, 1, 1),
        "motion_width": 4,
        "motion_max_width": 16,
        "disc_width": 4,
        "disc_max_width": 16,
        "spade_hidden": 8,
    }
}
MINIMAL = """
[layouts.a]
model = "fomm"
architecture = "fomm"
networks = { generator = "generator" }
[checkpoints.b]
layout = "a"
licence = "MIT"
paper = "P"
[[checkpoints.b.files]]
name = "b.pth"
pages = ["page"]
"""


def test_what_ships_can_be_read():
    found = tables()
    assert {"fomm-vox", "fomm-vox-adv", "osfv-community-spade", "bilayer-paper", "fs-vid2vid-face-forensics"} <= set(
        found.published
    )
    assert found.published["osfv-community-spade"].files[0].size == "2.1 GB"
    hashes = [file.sha256 for entry in found.published.values() for file in entry.files if file.sha256]
    assert len(hashes) == len(set(hashes))
    names = [file.name for entry in found.published.values() for file in entry.files]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("found", "put", "message"),
    [
        ('model = "fomm"', 'model = "fomm"\nmodle = "x"', r"layouts\.a: unknown modle \(known: architecture"),
        ('model = "fomm"', "model = 3", r"layouts\.a: model: expected str, got 3"),
        ('model = "fomm"\n', "", r"layouts\.a: model is missing"),
        ('"generator" }', "1 }", r"layouts\.a: networks\.generator: expected a string, got 1"),
        ('{ generator = "generator" }', '"generator"', r"layouts\.a: networks: expected a table"),
        ('{ generator = "generator" }', '{ generator = "" }\noptional = ["x"]', r"optional: no such network: x"),
        ('layout = "a"', 'layout = "c"', r"checkpoints\.b: layout: expected one of a, got 'c'"),
        ('pages = ["page"]', "", r"b\.pth: neither urls nor pages"),
        ('pages = ["page"]', 'pages = "page"', r"checkpoints\.b\.files: pages: expected a list of strings"),
        ('pages = ["page"]', 'pages = ["page"]\nsha256 = "12"', r"b\.pth: sha256: expected 64 hex digits"),
        ('pages = ["page"]', 'pages = ["page"]\nbytes = true', r"bytes: expected int, got True"),
        ('pages = ["page"]', 'pages = ["page"]\nnetwork = "x"', r"b\.pth: network: no such network: x"),
        ('[[checkpoints.b.files]]\nname = "b.pth"\npages = ["page"]', "", r"checkpoints\.b: files: expected at least"),
        ("[layouts.a]", "[other]\n[layouts.a]", r"file: unknown other"),
    ],
)
def test_a_wrong_table_is_named(found, put, message):
    assert parse(MINIMAL).published["b"].layout.model == "fomm"
    assert found in MINIMAL
    with pytest.raises(BadTable, match=message):
        parse(MINIMAL.replace(found, put, 1))


def test_sizes_are_for_people():
    assert PublishedFile("a", bytes=95_924_799).size == "96 MB"
    assert PublishedFile("a", megabytes=751).size == "about 751 MB"
    assert PublishedFile("a").size == "unknown"


@BY_NAME
def test_names_and_shapes_are_the_published_ones(layout, published):
    expected = published(layout.state_dict).modules
    networks = wanted(layout)
    for part, place in layout.networks.items():
        found = {name: list(shape) for name, shape in networks[part].items()}
        if place == "latent_avg":  # a tensor beside the state dicts, which the public list leaves out
            assert found == {"latent_avg": [18, 512]}
        else:
            assert found == expected[part]["state_dict"], part


def shrunk(layout):
    """The layout, of smaller networks."""
    if layout.architecture in SMALL:
        return replace(layout, switches={**layout.switches, **SMALL[layout.architecture]})
    return replace(layout, preset="mini")


class Case:
    """Small networks of a layout with random weights, and files that hold them as the published ones do."""

    def __init__(self, layout, folder):
        self.layout = shrunk(layout)
        torch.manual_seed(0)
        networks = models.create(layout.architecture, self.layout.preset, **self.layout.switches)
        self.folder = folder
        self.networks = {part: networks[part] for part in layout.networks}

    def write(self, wrap=lambda state: state, **more):
        """Paths, and whose state dict each file is."""
        apart = sum(not place for place in self.layout.networks.values()) > 1
        contents, content = {}, {}
        for part, place in self.layout.networks.items():
            key, _, prefix = place.partition(":")
            state = wrap({f"{prefix}{name}": tensor for name, tensor in self.networks[part].state_dict().items()})
            if apart:
                contents[part] = state
            elif key:
                content.setdefault(key, {}).update(state)
            else:
                content = state
        if not apart:
            bare = "" in self.layout.networks.values()
            contents[""] = {"state_dict": content, **more} if bare and more else {**content, **more}
        paths = []
        for part, value in contents.items():
            paths.append(self.folder / f"{part or 'all'}.pth")
            torch.save(value, paths[-1])
        return paths, list(contents)

    def check(self, paths, parts):
        found = read_published(paths, self.layout.model, layout=self.layout, parts=parts, verify=False)
        assert set(found.state) == set(self.layout.networks)
        for part, network in self.networks.items():
            expected = network.state_dict()
            assert set(found.state[part]) == set(expected)
            assert all(torch.equal(found.state[part][name], tensor) for name, tensor in expected.items())
        return found


def averaged(state):
    """As an exponential moving average wraps a model, inside a wrapper for several processes."""
    live = {f"module.module.{name}": tensor + 1 for name, tensor in state.items()}
    mean = {f"module.averaged_model.{name}": tensor for name, tensor in state.items()}
    return {**live, **mean, "module.num_updates_tracked": torch.tensor(3)}


@BY_NAME
def test_round_trip_through_a_file_with_the_published_layout(layout, tmp_path):
    case = Case(layout, tmp_path)
    found = case.check(*case.write())
    assert found.architecture == layout.architecture
    assert found.switches == dict(case.layout.switches)
    assert "ignored" not in found.details
    case.check(*case.write(lambda state: {f"module.{name}": tensor for name, tensor in state.items()}))
    if not any(":" in place for place in layout.networks.values()):
        case.check(*case.write(averaged))


@BY_NAME
def test_optimisers_and_counters_are_left_out_and_reported(layout, tmp_path):
    if "" in layout.networks.values() and len(layout.networks) > 1:
        pytest.skip("its files are bare state dicts")
    case = Case(layout, tmp_path)
    moments = {
        number: {"step": 1, "exp_avg": torch.zeros_like(parameter), "exp_avg_sq": torch.zeros_like(parameter)}
        for number, parameter in enumerate(case.networks[layout.required[0]].parameters())
    }
    optimiser = {"state": moments, "param_groups": [{"lr": 2e-4, "betas": (0.5, 0.999), "params": [*moments]}]}
    found = case.check(*case.write(optimizer_generator=optimiser, epoch=99))
    assert found.details["ignored"] == "epoch, optimizer_generator"


@BY_NAME
def test_a_file_without_the_counters_of_batch_normalisation_fits(layout, tmp_path):
    case = Case(layout, tmp_path)
    paths, parts = case.write(
        lambda state: {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}
    )
    assert read_published(paths, layout.model, layout=case.layout, parts=parts, verify=False).state


def small(name, tmp_path, **more):
    """A published file of the layout `name`, small, and the tables' layout."""
    case = Case(tables().layouts[name], tmp_path)
    return case, case.write(**more)[0][0]


@BY_NAME
def test_the_layout_of_an_unknown_file_is_found_by_its_keys(layout, tmp_path):
    paths, parts = Case(layout, tmp_path).write()
    layouts = [shrunk(other) for other in tables().of_model(layout.model)]
    contents = [(part, read_content(path)) for part, path in zip(parts, paths, strict=True)]
    found, state = recognise(contents, layouts)
    assert (found.layout.name, found.count) == (layout.name, 0)
    assert set(state) == set(layout.networks)


def test_what_does_not_fit_is_told_by_its_keys_and_by_what_it_is(tmp_path, monkeypatch):
    path = small("fomm", tmp_path)[1]
    content = read_content(path)
    del content["generator"]["final.weight"]
    content["kp_detector"]["kp.bias"] = torch.zeros(99)
    content["generator"]["new"] = torch.zeros(1)
    torch.save(content, tmp_path / "wrong.pth")
    small_tables = replace(tables(), layouts={name: shrunk(one) for name, one in tables().layouts.items()})
    monkeypatch.setattr("baselines.checkpoint.tables", lambda: small_tables)
    with pytest.raises(BadCheckpoint) as error:
        read(tmp_path / "wrong.pth", "fomm", verify=False)
    assert re.search(
        r"wrong\.pth does not fit fomm \(the nearest of 2 layouts\): 1 missing: generator\.final\.weight; "
        r"1 unexpected: generator\.new; 1 of another shape: kp_detector\.kp\.bias \(\[99\], expected \[10\]\)$",
        str(error.value),
    )
    with pytest.raises(BadCheckpoint, match=r"no network 'identity_embedder', .*; it is a checkpoint of fomm \(fomm\)"):
        read(path, "bilayer", verify=False)


def test_a_published_file_needs_a_pinned_hash_or_a_word(tmp_path, monkeypatch):
    case, path = small("fomm-adv", tmp_path)
    sha256 = sha256_file(path)
    with pytest.raises(BadCheckpoint, match=f"no file with its sha256 \\({sha256}\\) is known here.*verify=False"):
        read(path, "fomm")
    named = path.rename(tmp_path / "vox-adv-cpk.pth.tar")
    with pytest.raises(BadCheckpoint, match=f"its sha256 is {sha256}, not 6792d6810d"):
        read(named, "fomm")

    entry = tables().published["fomm-vox-adv"]
    pinned = replace(entry, layout=case.layout, files=(replace(entry.files[0], sha256=sha256),))
    monkeypatch.setattr("baselines.checkpoint.tables", lambda: replace(tables(), published={pinned.name: pinned}))
    found = read(named, "fomm")
    assert (found.details["published"], found.layout.name) == ("fomm-vox-adv", "fomm-adv")
    assert found.switches == {"align_corners": True, "disc_keypoints": True, "disc_spectral_norm": False}
    with pytest.raises(BadCheckpoint, match="is of model fomm, not bilayer"):
        read(named, "bilayer")


def test_a_model_without_published_weights_reads_files_of_its_own_architecture(tmp_path, monkeypatch):
    torch.manual_seed(0)
    networks = models.create("marionette", "mini")
    monkeypatch.setitem(models.marionette.PRESETS, "paper", models.marionette.PRESETS["mini"])
    torch.save({part: network.state_dict() for part, network in networks.items()}, tmp_path / "mine.pth")
    loaded, found = load_networks("marionette", "mini", Unverified(tmp_path / "mine.pth"), "cpu", ("generator",))
    assert found.details["published"] == "unknown"
    expected = networks["generator"].state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in loaded["generator"].state_dict().items())


def test_wrappers_come_off():
    state = {"a.weight": torch.zeros(1), "module.b": torch.ones(1)}
    assert set(unwrapped(state)) == {"a.weight", "module.b"}  # not of every name: no wrapper
    assert set(unwrapped({f"module.{name}": tensor for name, tensor in state.items()})) == set(state)
    layout = Layout("x", "x", "x", {"net": ""})
    assert set(networks_in({"state_dict": state}, layout)["net"]) == set(state)
