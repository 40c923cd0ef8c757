# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import subprocess

import numpy as np
import paddle
import pytest
from paddle import nn
from paddle.nn import functional as F

from contrib_semiseg.cvlibs.errors import UserError
from contrib_semiseg.engine import onnx_engine
from contrib_semiseg.engine.inference import eager_forward

X = np.random.default_rng(0).standard_normal((1, 3, 20, 27)).astype("f")


class Net(nn.Layer):
    """Down to half the size and back; `pool` averages over a fixed grid."""

    def __init__(self, pool=False):
        super().__init__()
        self.conv = nn.Conv2D(3, 4, 3, stride=2, padding=1)
        self.pool = pool

    def forward(self, x):
        out = self.conv(x)
        if self.pool:
            out = out + F.interpolate(F.adaptive_avg_pool2d(out, 3),
                                      out.shape[2:], mode="bilinear")
        out = F.interpolate(out, x.shape[2:], mode="bilinear",
                            align_corners=True)
        return [out, out * 2]


@pytest.fixture
def net():
    paddle.seed(0)
    net = Net()
    net.eval()
    return net


def fake_child(monkeypatch, returncode, output=""):
    def run(command, **options):
        return subprocess.CompletedProcess(command, returncode, output)

    monkeypatch.setattr(onnx_engine.subprocess, "run", run)


def test_eager_never_looks_at_a_picture(net):
    forward, note = onnx_engine.choose_engine(net, "eager", None)
    assert note == "engine: eager"
    np.testing.assert_array_equal(forward(X), eager_forward(net)(X))


def test_export_of_a_small_network(net):
    pytest.importorskip("paddle2onnx")
    pytest.importorskip("onnxruntime")
    forward, note = onnx_engine.choose_engine(net, "auto", lambda: X)
    assert note == "engine: onnxruntime"
    batch = np.concatenate([X[:, :, :16], X[:, :, 4:]], axis=0)
    np.testing.assert_allclose(forward(batch), eager_forward(net)(batch),
                               atol=1e-5)
    # The network itself stays what it was.
    assert len(net(paddle.to_tensor(X))) == 2 and not net.training


@pytest.mark.slow
def test_an_exporter_that_aborts_leaves_this_process_alive():
    pytest.importorskip("paddle2onnx")
    pytest.importorskip("onnxruntime")
    _, note = onnx_engine.choose_engine(Net(pool=True), "auto", lambda: X)
    assert note.startswith("engine: eager (the export ")


def test_auto_falls_back_with_the_reason(net, monkeypatch):
    monkeypatch.setattr(onnx_engine, "EXTRA", ("json",))
    fake_child(monkeypatch, -6)
    forward, note = onnx_engine.choose_engine(net, "auto", lambda: X)
    assert note == "engine: eager (the export was ended by SIGABRT)"
    assert forward(X).shape == (1, 4, 20, 27)
    fake_child(monkeypatch, 1, "Traceback\nValueError: no such operator\n\n")
    _, note = onnx_engine.choose_engine(net, "auto", lambda: X)
    assert note.endswith("(the export failed: ValueError: no such operator)")


def test_a_missing_extra_is_named(net, monkeypatch):
    monkeypatch.setattr(onnx_engine, "EXTRA", ("json", "no_such_package"))
    _, note = onnx_engine.choose_engine(net, "auto", lambda: X)
    assert note == "engine: eager (pip install no_such_package is needed)"
    with pytest.raises(UserError, match="not possible: pip install no_such"):
        onnx_engine.choose_engine(net, "onnxruntime", lambda: X)


def test_an_unknown_engine_is_refused(net):
    with pytest.raises(UserError, match="did you mean 'onnxruntime'"):
        onnx_engine.choose_engine(net, "onnxruntim", lambda: X)


def test_a_wrong_export_is_refused(net, monkeypatch):
    right = eager_forward(net)
    monkeypatch.setattr(onnx_engine, "EXTRA", ("json",))
    monkeypatch.setattr(onnx_engine, "write_onnx", lambda *_: "file")

    def at_odd_sizes(x):  # right on the picture, wrong on the second trial
        return right(x) * (1.0 if x.shape == X.shape else 1.01)

    monkeypatch.setattr(onnx_engine.deployed, "onnx_forward",
                        lambda path: at_odd_sizes)
    _, note = onnx_engine.choose_engine(net, "auto", lambda: X)
    assert "the export is wrong: at 25x19 its logits differ by 0.01" in note


def test_difference_looks_at_logits_classes_and_errors():
    reference = np.zeros((1, 2, 10, 10), np.float32)
    reference[:, 0] = 1e-4
    reference[0, 0, 0, 0] = 10.0

    def compare(found):
        return onnx_engine.difference(lambda x: found, lambda x: reference, X)

    assert compare(reference + 1e-3) is None
    assert "differ by 0.005" in compare(reference + 0.05)
    swapped = reference.copy()
    swapped[:, 1, 5] = 2e-4
    assert "10.00% of the classes" in compare(swapped)
    assert "instead of" in compare(reference[:, :, 1:])

    def broken(x):
        raise RuntimeError("bad node")

    assert "fails at 27x20: bad node" in onnx_engine.difference(
        broken, lambda x: reference, X)
