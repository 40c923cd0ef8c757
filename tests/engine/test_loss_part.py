# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""The cost of a step beside its networks, and how it grows."""

import re

import paddle
import pytest
import yaml

import contrib_semiseg.components  # noqa: F401
from contrib_semiseg.cvlibs.config import Config
from contrib_semiseg.engine import loss_part
from contrib_semiseg.losses import directional_contrast
from contrib_semiseg.methods.base import Step
from tests.support import tiny

STEP = Step(it=10, total=100, epoch=1, epochs=10, iters_per_epoch=10)
SHAPES = tiny.ROOT / "configs"


def config(name, **method):
    found = Config.load(SHAPES / name / f"{name}_shapescenes.yml")
    found.tree["method"].update(method)
    found.tree["batch_size"] = 2
    return found


CONTRASTS = [
    # All cells of the overlap learn.
    ("cac", {"conf_thresh": 0.0, "start_epoch": 0, "step_save": 0}),
    ("u2pl", {"sup_only_epoch": 0, "queries": 4, "negatives": 2})]


@pytest.mark.parametrize("name, method", CONTRASTS, ids=["CAC", "U2PL"])
def test_memory_grows_with_the_pixels_and_not_with_their_square(
        name, method, monkeypatch):
    # Tiles so small that they do not hide the rest.
    monkeypatch.setattr(directional_contrast, "BLOCK", 64)
    monkeypatch.setattr(directional_contrast, "_CHUNK", 64)
    small, large = (loss_part.measure(config(name, **method), side, step=STEP,
                                      repeat=1) for side in (96, 192))
    assert large.pixels == 4 * small.pixels == 2 * 192 * 192
    # All pairs of pixels at once would be 16 times as many.
    assert small.bytes < large.bytes < 4.4 * small.bytes
    assert 0 < large.share < 1


def test_networks_answer_at_once_and_count_as_what_they_would_cost():
    """Four images are shown with a gradient, two without."""
    net = paddle.nn.Conv2D(3, 2, 1)
    replay = loss_part.Replay(net)
    x = paddle.rand([4, 3, 8, 8])
    first = net(x)
    assert first.shape == [4, 2, 8, 8] and not first.stop_gradient
    with paddle.no_grad():
        net(x[:2])
    assert [(learns, rows) for *_, learns, rows in replay.asked] == [
        (True, 4), (False, 2)]
    first.sum().backward()
    replay.next_step()
    assert net(x) is first and not first.grad.any()
    assert net.weight.grad is None
    replay._seconds = lambda x, outputs, learns: 3.0 if learns else 1.0
    net(x[:2])
    assert replay.cost() == 6 * 3.0


def test_every_method_gets_what_it_reads(monkeypatch):
    for name in ("cps", "unimatch", "dssn", "fixmatch", "supervised"):
        cost = loss_part.measure(config(name), 64, step=STEP, repeat=1)
        assert cost.pixels == 2 * 64 * 64 and cost.bytes > 0


def test_the_table(tmp_path):
    path = tiny.config(tmp_path, method={"type": "CPS"})
    tree = yaml.safe_load(path.read_text())
    del tree["unlabeled_dataset"]["masks"]
    path.write_text(yaml.safe_dump(tree))
    status, out, err = tiny.run("tools/benchmark.py", "--config", path,
                                "--loss_part", 32, 48)
    assert status == 0, err
    assert re.search(r"^  48 +4608 +\d+ ms +\d+\.\d\d s +\d+\.\d\d % +\d+\.\d "
                     r"MiB +\d+$", out, re.M), out
