"""What the runtimes refuse, and that nothing heavy is imported before a network is loaded."""

import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from curate.errors import MissingPrerequisite, UserError
from curate.perception import load_identifier, load_pose, signal_stack
from curate.perception.runtime import open_session

from .made import write_spec

ROOT = Path(__file__).parents[2]


def test_openvino_absent(real_networks, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingPrerequisite, match=r"pip install talkinghead-bench\[openvino\]"):
        load_pose("head-pose-estimation-adas-0001")


AFTERWARDS = """
import gc, signal, subprocess, sys
from curate.perception import load_pose, signal_stack
before = signal_stack.current()
network = load_pose("head-pose-estimation-adas-0001")
assert signal_stack.current() == before, signal_stack.current()
del network
gc.collect()
assert signal_stack.current() == before, signal_stack.current()
signal.signal(signal.SIGCHLD, lambda *_: None)
for _ in range(5):
    subprocess.run([sys.executable, "-c", ""], check=True)
print("well")
"""


def test_signals_are_handled_on_the_stack_of_before_openvino(real_networks):
    done = subprocess.run([sys.executable, "-c", AFTERWARDS], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stdout) == (0, "well\n"), done.stderr


def test_the_signal_stack_is_put_back_whatever_happens():
    before = signal_stack.current()
    with pytest.raises(RuntimeError), signal_stack.kept():
        raise RuntimeError
    assert signal_stack.current() == before


def test_network_with_two_inputs(tmp_path):
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 8, 8]) for name in ("a", "b")]
    output = helper.make_tensor_value_info("sum", TensorProto.FLOAT, [1, 3, 8, 8])
    graph = helper.make_graph([helper.make_node("Add", ["a", "b"], ["sum"])], "two", inputs, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(tmp_path / "two.onnx"))
    with pytest.raises(UserError, match=r"two\.onnx has 2 inputs"):
        open_session("onnx", tmp_path / "two.onnx")


def test_file_that_is_no_network(tmp_path, monkeypatch):
    monkeypatch.setenv("TALKINGHEAD_WEIGHTS", str(tmp_path))
    (tmp_path / "tiny.onnx").write_bytes(b"not a network")
    text = """kind = "identity"
        input = { width = 8, height = 8 }
        alignment = { method = "box" }
        output = { name = "values" }"""
    write_spec(tmp_path, "mine", text)
    with pytest.raises(UserError, match=r"tiny\.onnx cannot be opened with onnx"):
        load_identifier("mine")


def test_openvino_file_that_is_no_network(tmp_path):
    (tmp_path / "tiny.xml").write_text("<net/>")
    with pytest.raises(UserError, match=r"tiny\.xml cannot be opened with openvino") as caught:
        open_session("openvino", tmp_path / "tiny.xml")
    assert "\n" not in str(caught.value)


def test_import_is_light():
    heavy = "{'torch', 'facenet_pytorch', 'cv2', 'onnxruntime', 'openvino', 'pydantic', 'numpy'}"
    code = f"import sys, curate.perception; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
