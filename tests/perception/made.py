"""Tiny networks, specs and faces made by the tests."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from curate.files import sha256_file
from curate.perception.interface import Faces


def one_face(box, points=None, score=0.9):
    """`Faces` with one face; points default to a plausible upright set inside the box."""
    left, top, right, bottom = box
    if points is None:
        fractions = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
        points = fractions * (right - left, bottom - top) + (left, top)
    return Faces(np.array([box], np.float32), np.array([score], np.float32), np.array([points], np.float32))


def linear_network(path: Path, weights: np.ndarray, *, size: int, batch: int | str = "N", layout="NCHW") -> None:
    """ONNX network: values = weights @ flattened input, [N, 3 * size * size] to [N, len(weights)], output "values"."""
    shape = [batch, 3, size, size] if layout == "NCHW" else [batch, size, size, 3]
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["image"], ["flat"], axis=1),
            helper.make_node("MatMul", ["flat", "weights"], ["values"]),
        ],
        "linear",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("values", TensorProto.FLOAT, [batch, len(weights)])],
        [numpy_helper.from_array(np.ascontiguousarray(weights.T.astype(np.float32)), "weights")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))


def write_spec(folder: Path, name: str, text: str, model: str = "tiny.onnx") -> Path:
    """A spec whose first lines (runtime, licence, source, files) are the same for all tests."""
    digest = sha256_file(folder / model) if (folder / model).exists() else "0" * 64
    head = f"""runtime = "onnx"
licence = "MIT"
source = "made here"
files.model = {{ name = "{model}", sha256 = "{digest}" }}
"""
    path = folder / f"{name}.toml"
    path.write_text(head + text)
    return path
