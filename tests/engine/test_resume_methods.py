# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Methods with more than their networks resume, views and teacher included."""

import pytest
import yaml
from safetensors import safe_open

import contrib_semiseg.components  # noqa: F401
from contrib_semiseg.cvlibs import manager
from contrib_semiseg.engine import checkpoint
from tests.support import tiny
from tests.support.resumed import assert_same_end

NORM = {"type": "Normalize", "mean": [0.5] * 3, "std": [0.5] * 3}
STRONG = [{"type": "ColorJitter"}, {"type": "RandomGaussianBlur"}, NORM]
VIEWS = {"views": {"weak": [NORM], "strong1": STRONG, "strong2": STRONG},
         "masks": {k: {"type": "RatioBoxMask"} for k in ("mask1", "mask2")},
         "transforms": [{"type": "RandomMirror"}, {"type": "RandomLongSide"},
                        {"type": "PadRandomCrop", "crop_size": [32, 32]}]}


PAIRS = {"views": {"view1": STRONG, "view2": STRONG},
         "crops": {"type": "OverlapCrops", "crop_size": [16, 24]},
         "transforms": [{"type": "RandomLongSide", "base_size": 40}]}


def config(folder, method, **model):
    """A run of two epochs of 4 steps with a checkpoint inside the first."""
    data = {"type": "ShapeScenes", "size": [32, 32], "labeled": 4,
            "unlabeled": 8, "val": 4, "cache_dir": str(folder / "scenes")}
    path = tiny.config(folder, save_interval=3, method=method,
                       unlabeled_dataset={**data, **VIEWS})
    tree = yaml.safe_load(path.read_text())
    if not any(v.startswith("unlabeled.strong") for v in
               manager.METHODS[method["type"]].requires):
        tree["unlabeled_dataset"]["transforms"].append(NORM)
        del tree["unlabeled_dataset"]["views"]
    if "unlabeled.view1" in manager.METHODS[method["type"]].requires:
        tree.update(iters_per_epoch=2, epoch_cycle="replay",
                    unlabeled_dataset={**data, **PAIRS})
    tree["model"].update(model)
    path.write_text(yaml.safe_dump(tree))
    return path


EMBEDDING = {"embedding": "representation", "embedding_channels": [8, 4]}
PROJECTION = {"embedding": "projection", "embedding_channels": [8, 6]}


@pytest.mark.parametrize("method, model, kept", [
    pytest.param({"type": "UniMatch", "conf_thresh": 0.1}, {}, (),
                 id="UniMatch"),
    pytest.param({"type": "DSSN", "selection": "threshold", "conf_thresh":
                  0.1}, {}, ("teacher",), id="DSSN"),
    # The memory is full, and its ring has gone round, when the run is left.
    pytest.param({"type": "CAC", "start_epoch": 0, "conf_thresh": 0.1,
                  "step_save": 1, "selected_num": 7}, PROJECTION,
                 ("memory.feature",), id="CAC"),
    # Memories that run over, a teacher in its copy epoch, mixed batches.
    pytest.param(
        {"type": "U2PL", "contrast_mode": "paper", "sup_only_epoch": 0,
         "low_rank": 2, "first_bank_rows": 90, "bank_rows": 50,
         "anchor_ema": True, "queries": 4, "negatives": 3}, EMBEDDING,
        ("teacher", "contrast.means", "contrast.memory.queues.7.feature"),
        id="U2PL")])
def test_resumed_inside_an_epoch(tmp_path, method, model, kept):
    path = config(tmp_path, method, **model)
    status, out, err = tiny.run("train.py", "--config", path)
    assert status == 0, err
    told = {"U2PL": "8 classes", "CAC": "at most 28 rows"}.get(
        method["type"])
    assert ("[TRAIN] memory: " in out) == bool(told)
    assert not told or f"[TRAIN] memory: {told}" in out
    with safe_open(str(tmp_path / "run" / "iter_3" / checkpoint.TRAINING),
                   "np") as f:
        for name in kept:
            found = [f.get_tensor(k) for k in f.keys()
                     if k.startswith(f"method/{name}")]
            assert any(value.any() for value in found), name
    assert_same_end(path, tmp_path / "run")
