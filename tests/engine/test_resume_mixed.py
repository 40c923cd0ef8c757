# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Methods on mixed batches resume: teachers, memories and draws included."""

import pytest
import yaml
from safetensors import safe_open

from contrib_semiseg.engine import checkpoint
from tests.datasets.files import write_files
from tests.support import tiny
from tests.support.resumed import assert_same_end


def config(folder, method):
    """A run of 8 steps on pictures of noise, a checkpoint after 3 and 6."""
    path = tiny.config(folder, save_interval=3, log_iters=1, method=method)
    write_files(folder / "noise", count=6, size=(40, 36), classes=2)
    tree = yaml.safe_load(path.read_text())
    tree["num_classes"] = 2
    for section in ("train_dataset", "unlabeled_dataset", "val_dataset"):
        tree[section] = {
            "type": "ListDataset", "dataset_root": str(folder / "noise"),
            "list_file": "list.txt",
            "transforms": tree[section]["transforms"]}
    path.write_text(yaml.safe_dump(tree))
    return path


ALWAYS = {"mixed_transforms": [{"type": "BatchColorJitter", "prob": 1.0},
                               {"type": "BatchGaussianBlur"}],
          "pixel_weight": "confidence_power", "mirror_prob": 0.5}


@pytest.mark.parametrize("method", [
    {"type": "MeanTeacher", "mask": "cow", "consistency": "mse",
     "pixel_weight": "sigmoid", "ramp_iters": 8, "evaluated": "teacher",
     "teacher_mode": "eval", "teacher_buffers": "averaged"},
    {"type": "ClassMix", **ALWAYS},
    {"type": "CTT", **ALWAYS, "bank_rows": 2, "bank_quota": 1,
     "bank_thresh": -9.0, "evaluated": "student_r"}], ids=lambda m: m["type"])
def test_resumed_inside_an_epoch(tmp_path, method):
    path = config(tmp_path, method)
    status, out, err = tiny.run("train.py", "--config", path)
    assert status == 0, err
    if method["type"] == "CTT":
        # The banks are full, and their rings have gone round, by then.
        before = [line for line in out.splitlines() if "iter: 3/8" in line]
        assert "loss_low_r" in before[0]
        with safe_open(str(tmp_path / "run/iter_3" / checkpoint.TRAINING),
                       "np") as f:
            counts = [int(f.get_tensor(name).item()) for name in f.keys()
                      if name.endswith("appended")]
        assert len(counts) == 4 and max(counts) > 2
    assert_same_end(path, tmp_path / "run")
