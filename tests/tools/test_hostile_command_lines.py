# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Files that mean harm, from the command line: one line and status 2."""

import pickle

import pytest
import yaml

from tests.cvlibs.test_hostile_config import LAUGHS
from tests.datasets.files import write_files
from tests.support import hostile, tiny


def fails(*command):
    status, out, err = tiny.run(*command)
    assert status == 2, out + err
    assert err.startswith("error: ") and err.count("\n") == 1, err
    return err


def test_a_configuration_that_swells(tmp_path):
    (tmp_path / "c.yml").write_text(LAUGHS)
    assert "c.yml, line 4: it has more than" in fails(
        "train.py", "--config", tmp_path / "c.yml")


@pytest.mark.slow
@pytest.mark.parametrize("option, said", [
    ("seed=" + "9" * 5000, "the number is too large"),
    ("model=!!bool x", "the tag"),
    (".".join("a" * 100) + "=1", "allowed: key=value"),
    ("device=gpu:\u00b2", "allowed: cpu"),
    ("model.backbone.channels=[1000000000000, 4, 8, 8, 8]", "error"),
])
def test_options(tmp_path, option, said):
    assert said in fails("train.py", "--config", tiny.config(tmp_path),
                         "--opts", option)


def test_weights_that_run_code(tmp_path):
    mark, path = tmp_path / "mark", tmp_path / "w.pdparams"
    path.write_bytes(hostile.entry(hostile.text("w"), hostile.call(
        hostile.name("os", "system"), hostile.text(f"touch {mark}"))))
    with open(path, "rb") as file:
        assert pickle.load(file) == {"w": 0} and mark.exists()
    mark.unlink()
    assert "it holds os.system" in fails("tools/convert_weights.py", path,
                                         "--list")
    assert not mark.exists()


@pytest.mark.slow
def test_pictures_of_a_run(tmp_path):
    root = write_files(tmp_path / "data")
    (root / "imgs" / "0.png").write_bytes(hostile.png(100_000, 100_000))
    path = tiny.config(tmp_path, num_classes=3, iters=1)
    tree = yaml.safe_load(path.read_text())
    tree["train_dataset"] = {
        "type": "ListDataset", "dataset_root": str(root),
        "list_file": "list.txt",
        "transforms": tree["train_dataset"]["transforms"]}
    for section in ("unlabeled_dataset", "val_dataset"):
        tree[section] = {**tree["train_dataset"], "transforms":
                         tree[section]["transforms"], **{
                             key: tree[section][key] for key in ("masks",)
                             if key in tree[section]}}
    path.write_text(yaml.safe_dump(tree))
    assert "imgs/0.png: the image cannot be read" in fails(
        "train.py", "--config", path)
