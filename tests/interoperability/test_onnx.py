"""ONNX: the default model exported by examples/onnx_export.py gives the same under onnxruntime, at other sizes too."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import dnsp

EXAMPLES = Path(__file__).parents[2] / "examples"
onnxruntime = pytest.importorskip(
    "onnxruntime", reason="onnxruntime is not installed; it is in the dependency group interoperability"
)
pytest.importorskip("onnxscript", reason="onnxscript is not installed; it is in the dependency group interoperability")


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "default.onnx"
    command = [sys.executable, EXAMPLES / "onnx_export.py", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("size", [(64, 48), (90, 110)])
def test_onnxruntime_gives_what_torch_gives(session, size):
    network = dnsp.load_model("default").network.eval()
    images = torch.nn.functional.avg_pool2d(
        torch.rand(1, 1, *size, generator=torch.Generator().manual_seed(0)), 3, 1, 1
    )
    belief = network.estimator.believe(images[0], (2.0, 2.0))
    condition = belief.vector()[None]
    with torch.inference_mode():
        expected = network(images, condition)
    (sharp,) = session.run(None, {"enlarged": images.numpy(), "condition": condition.numpy()})
    np.testing.assert_allclose(sharp, expected.numpy(), atol=2e-5)
    assert float((expected - images).abs().max()) > 1e-3  # the network changes something
