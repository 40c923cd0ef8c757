# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Every network of the catalogue leaves Paddle's eager mode unchanged."""

import numpy as np
import paddle
import pytest
from paddle import inference, nn

from tests.support.networks import distinct, image, short


class Logits(nn.Layer):
    """The first output alone, as for a prediction."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network(x)[0]


def predictor(prefix):
    config = inference.Config(f"{prefix}.json", f"{prefix}.pdiparams")
    # With oneDNN, Paddle 3.3 refuses a bilinear enlargement.
    config.disable_mkldnn()
    config.disable_glog_info()
    return inference.create_predictor(config)


# The one network that is not shortened takes as long as five others.
@pytest.mark.parametrize("name", [
    pytest.param(name, marks=[pytest.mark.slow] * ("xception" in name))
    for name in distinct()])
def test_exported_logits(name, tmp_path):
    paddle.seed(0)
    net = short(name)
    with paddle.no_grad():  # statistics other than 0 and 1
        net(image(2, 3, 33, 49))
    net.eval()
    prefix = str(tmp_path / "network")
    paddle.jit.save(Logits(net), prefix, [paddle.static.InputSpec(
        [None, 3, None, None], "float32")])
    run = predictor(prefix).run
    for shape in ((1, 3, 33, 49), (2, 3, 40, 27)):
        x = image(*shape)
        with paddle.no_grad():
            eager = net(x)[0].numpy()
        exported, = run([x])
        assert eager.shape == (shape[0], 5, *shape[2:])
        np.testing.assert_allclose(exported.numpy(), eager, rtol=0,
                                   atol=1e-5 * max(1, abs(eager).max()))
