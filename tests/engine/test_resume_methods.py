# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Methods with more than their networks resume, views and teacher included."""

import shutil

import pytest
import yaml

from contrib_semiseg.engine import checkpoint
from tests.engine.test_resume import final_bytes
from tests.support import tiny

NORM = {"type": "Normalize", "mean": [0.5] * 3, "std": [0.5] * 3}
STRONG = [{"type": "ColorJitter"}, {"type": "RandomGaussianBlur"}, NORM]
VIEWS = {"views": {"weak": [NORM], "strong1": STRONG, "strong2": STRONG},
         "masks": {k: {"type": "RatioBoxMask"} for k in ("mask1", "mask2")},
         "transforms": [{"type": "RandomMirror"}, {"type": "RandomLongSide"},
                        {"type": "PadRandomCrop", "crop_size": [32, 32]}]}


PAIRS = {"views": {"view1": STRONG, "view2": STRONG},
         "crops": {"type": "OverlapCrops", "crop_size": [16, 24]},
         "transforms": [{"type": "RandomLongSide", "base_size": 40}]}


def config(folder, method):
    """A run of two epochs of 4 steps with a checkpoint inside the first."""
    data = {"type": "ShapeScenes", "size": [32, 32], "labeled": 4,
            "unlabeled": 8, "val": 4, "cache_dir": str(folder / "scenes")}
    if method["type"] != "CAC":
        return tiny.config(folder, save_interval=3, method=method,
                           unlabeled_dataset={**data, **VIEWS})
    return tiny.config(
        folder, save_interval=3, method=method, model={
            **yaml.safe_load(tiny.config(folder).read_text())["model"],
            "embedding": "projection", "embedding_channels": [8, 6]},
        unlabeled_dataset={**data, **PAIRS}, iters_per_epoch=2,
        epoch_cycle="replay")


@pytest.mark.parametrize("method", [
    {"type": "UniMatch", "conf_thresh": 0.1},
    {"type": "DSSN", "selection": "threshold", "conf_thresh": 0.1},
    # The memory is full, and its ring has gone round, when the run is left.
    {"type": "CAC", "start_epoch": 0, "conf_thresh": 0.1, "step_save": 1,
     "selected_num": 7}],
    ids=lambda m: m["type"])
def test_resumed_inside_an_epoch(tmp_path, method):
    path = config(tmp_path, method)
    status, _, err = tiny.run("train.py", "--config", path)
    assert status == 0, err
    again = tmp_path / "again"
    shutil.copytree(tmp_path / "run" / "iter_3", again / "iter_3")
    shutil.copy(tmp_path / "run" / "config.yml", again)
    status, out, err = tiny.run("train.py", "--config", path, "--save_dir",
                                again, "--resume_model", "auto")
    assert status == 0, err
    assert "iter: 4/8" in out and "iter: 2/8" not in out
    assert [p.name for p in checkpoint.checkpoints(again)][-1] == "iter_8"
    assert final_bytes(again) == final_bytes(tmp_path / "run")
