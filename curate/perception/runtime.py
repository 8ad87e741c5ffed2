"""Inference engines behind one call: a float32 batch in, named float32 outputs out. CPU, a fixed number of threads.

A batch is cut into the batch size that the network was exported with, or into single faces where that is free, so that
the result for one face never depends on the others (and on one CPU thread single faces are faster: 1.9 ms a face
against 3.5 ms in a batch of 32, measured with a 112-pixel landmark network in ONNX Runtime 1.32).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.errors import MissingPrerequisite, UserError
from curate.perception import signal_stack

Array = NDArray[np.float32]
Shape = tuple[int | None, ...]  # None: the network takes any size here


class Session:
    """A network with one image input; call it with [N, ...] to get each output by name, its first axis N."""

    def __init__(self, run: Callable[[Array], dict[str, Array]], input_shape: Shape, outputs: tuple[str, ...]) -> None:
        self.input_shape = input_shape
        self.outputs = outputs
        self._run = run
        self._step = input_shape[0] or 1

    def __call__(self, batch: Array) -> dict[str, Array]:
        """Run the network on a batch of at least one face."""
        parts: list[dict[str, Array]] = []
        for start in range(0, len(batch), self._step):
            part = batch[start : start + self._step]
            missing = self._step - len(part)
            if missing:
                part = np.concatenate([part, np.zeros((missing, *part.shape[1:]), np.float32)])
            parts.append(self._run(np.ascontiguousarray(part)))
        return {name: np.concatenate([part[name] for part in parts])[: len(batch)] for name in self.outputs}


def open_session(runtime: str, path: Path, threads: int = 1) -> Session:
    """Open a network file with `runtime` ("onnx" or "openvino"); `UserError` unless it has exactly one input."""
    return {"onnx": _open_onnx, "openvino": _open_openvino}[runtime](path, threads)


def _open_onnx(path: Path, threads: int) -> Session:
    import onnxruntime as ort
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except (
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NotImplemented,
    ) as error:
        raise UserError(f"{path} cannot be opened with onnx: {error}") from error
    (given,) = _one_input(path, session.get_inputs())
    outputs = tuple(output.name for output in session.get_outputs())

    def run(batch: Array) -> dict[str, Array]:
        values = session.run(outputs, {given.name: batch})
        return {name: np.asarray(value, np.float32) for name, value in zip(outputs, values, strict=True)}

    return Session(run, tuple(size if isinstance(size, int) else None for size in given.shape), outputs)


def _open_openvino(path: Path, threads: int) -> Session:
    try:
        import openvino
    except ImportError as error:
        raise MissingPrerequisite(
            f"{path.name} needs the package openvino: pip install talkinghead-bench[openvino]"
        ) from error
    # float32 on every machine: on some processors the default is bfloat16, which moves angles and cosines
    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    try:
        with signal_stack.kept():
            model = openvino.Core().compile_model(str(path), "CPU", settings)
    except RuntimeError as error:
        raise UserError(f"{path} cannot be opened with openvino: {str(error).splitlines()[-1]}") from error
    (given,) = _one_input(path, model.inputs)
    outputs = tuple(output.get_any_name() for output in model.outputs)
    request = model.create_infer_request()

    def run(batch: Array) -> dict[str, Array]:
        request.infer({0: batch})
        return {name: np.array(request.get_tensor(name).data, np.float32) for name in outputs}

    shape = given.get_partial_shape()
    return Session(run, tuple(size.get_length() if size.is_static else None for size in shape), outputs)


def _one_input(path: Path, inputs: list[Any]) -> list[Any]:
    if len(inputs) != 1:
        raise UserError(f"{path.name} has {len(inputs)} inputs; a face network has one, the image")
    return inputs
