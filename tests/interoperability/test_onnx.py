"""ONNX: the default model exported by examples/onnx_export.py gives the same under onnxruntime, at other sizes too."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import dnsp
from dnsp.networks import with_neighbours

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
    small = torch.rand(3, size[0] // 2, size[1] // 2, generator=torch.Generator().manual_seed(0))
    belief = network.estimator.believe(small, (2.0, 2.0))
    starts, condition = network.begin(with_neighbours(small), size, belief)[1:2], belief.vector()[None]
    with torch.inference_mode():
        expected = network(starts, condition)
    (sharp,) = session.run(None, {"starts": starts.numpy(), "condition": condition.numpy()})
    np.testing.assert_allclose(sharp, expected.numpy(), atol=2e-5)
    assert float((expected - starts[:, :1]).abs().max()) > 1e-3  # the network changes something
