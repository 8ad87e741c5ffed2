"""Reference outputs and state dict lists of public code, and how they are compared with."""

import json

import numpy as np

NOISE = (
    "float32_vs_float64_max_abs",
    "max_change_when_inputs_move_by_1e-7_relative",
    "max_change_when_codes_move_by_1e-7_relative",
)


class Golden:
    """One case: `about` is its description, `stored` its arrays."""

    def __init__(self, case):
        self.about = json.loads(case.with_suffix(".json").read_text())
        self.stored = np.load(case.with_suffix(".npz"))
        self.names = set(self.about["outputs"])

    def check(self, name, found):
        """The output `name` equals `found` (a tensor of the full shape) to 1e-4, or to ten noise floors."""
        about = self.about["outputs"][name]
        value = np.asarray(found.detach() if hasattr(found, "detach") else found)
        assert list(value.shape) == about["full_shape"], name
        stride = about["stride_of_trailing_dims"]
        if stride:
            value = value[(..., *(slice(None, None, step) for step in stride))]
        noise = max((about[key] for key in NOISE if key in about), default=0.0)
        np.testing.assert_allclose(value, self.stored[name], rtol=0, atol=max(1e-4, 10 * noise), err_msg=name)


class Published:
    """A public checkpoint: `modules` by top-level key."""

    def __init__(self, path):
        self.modules = json.loads(path.read_text())["modules"]

    def check(self, part, network):
        """`network` has exactly the names, shapes and number of parameters of the published `part`."""
        expected = self.modules[part]
        found = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
        assert found == expected["state_dict"], part
        assert sum(p.numel() for p in network.parameters()) == expected["params"], part
