# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""From a user's folders to scores and predictions."""

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image

from tests.datasets.own_files import write_image, write_mask
from tests.support import tiny

COLORS = {"sky": [0, 0, 255], "road": [90, 90, 90], "car": [255, 0, 0]}


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """(folder, configuration) of 12-bit photos with masks of colours."""
    folder = tmp_path_factory.mktemp("own data")
    rng = np.random.default_rng(0)
    (folder / "images").mkdir()
    for i in range(9):
        cv2.imwrite(str(folder / "images" / f"ä {i}.PNG"),
                    rng.integers(0, 4096, (40, 50, 3), dtype=np.uint16))
    for i in range(5):
        write_mask(folder / "masks" / f"ä {i}_mask.png",
                   [*COLORS.values(), [7, 7, 7]], (50, 40))
    path = tiny.config(folder, iters=2, save_interval=2, num_classes=3,
                       val_split=0.4)
    tree = yaml.safe_load(path.read_text())
    data = {"type": "FolderDataset", "dataset_root": str(folder),
            "mask_dir": "masks", "mask_suffix": "_mask",
            "mask_colors": COLORS, "ignore_colors": [[7, 7, 7]],
            "image_range": [0, 4095]}
    for section in ("train_dataset", "unlabeled_dataset", "val_dataset"):
        kept = {k: v for k, v in tree[section].items()
                if k in ("transforms", "masks")}
        tree[section] = {**data, **kept}
    path.write_text(yaml.safe_dump(tree, sort_keys=False))
    return folder, path


def run(script, config, *arguments):
    status, out, err = tiny.run(script, "--config", config, *arguments)
    assert "Traceback" not in err, err
    return status, out, err


def test_train_val_and_predict(own):
    folder, config = own
    status, out, err = run("train.py", config, "--do_eval", "--num_workers", 1)
    assert status == 0, err
    assert "3 labeled images, 4 unlabeled images" in out
    best = folder / "run" / "best_model"
    status, out, err = run("val.py", config, "--model_path", best, "--engine",
                           "eager")
    assert status == 0, err
    assert "2 images, 3 classes" in out and "road" in out
    status, out, err = run(
        "predict.py", config, "--model_path", best, "--engine", "eager",
        "--image_path", folder / "images", "--save_dir", folder / "out")
    assert status == 0, err
    overlay = np.array(Image.open(folder / "out" / "overlay" / "ä 3.jpg"))
    photo = cv2.imread(str(folder / "images" / "ä 3.PNG"),
                       cv2.IMREAD_UNCHANGED)[..., ::-1]
    # Half of it is the photo, in all of the 8 bits that its 12 become; the
    # legend is below.
    height = len(photo)
    assert overlay.shape[1] == photo.shape[1] and len(overlay) > height
    assert overlay[:height].max() > 140
    color = np.array(Image.open(folder / "out" / "color" / "ä 3.png"))
    assert {tuple(c) for c in color.reshape(-1, 3)} <= {
        tuple(c) for c in COLORS.values()}


def test_pseudo_labels_read_photos_in_the_same_way(own):
    folder, config = own
    status, out, err = run(
        "tools/make_pseudo_labels.py", config, "--model_path",
        folder / "run" / "best_model", "--engine", "eager", "--image_path",
        folder / "images", "--save_dir", folder / "pseudo")
    assert status == 0, err
    tree = yaml.safe_load((folder / "pseudo" / "dataset.yml").read_text())
    section = tree["train_dataset"]
    assert section["type"] == "FolderDataset"
    assert section["image_range"] == [0, 4095]
    assert section["palette"] == list(COLORS.values())


def test_a_wrong_mask_stops_a_run_in_one_line(own, tmp_path):
    folder, config = own
    wrong = tmp_path / "masks"
    for i in range(5):
        write_mask(wrong / f"ä {i}_mask.png", [[1, 2, 3]], (50, 40))
    status, _, err = run(
        "train.py", config, "--num_workers", 1, "--save_dir",
        tmp_path / "run", "--opts",
        *(f"{s}_dataset.mask_dir={wrong}" for s in ("train", "val",
                                                    "unlabeled")))
    line, = err.splitlines()
    assert status == 2
    assert "_mask.png: the mask holds 1 colours that mask_colors lacks" in line


def test_a_wrong_section_is_named(own, tmp_path):
    folder, config = own
    write_image(tmp_path / "images" / "x.jpg")
    fresh = ("--save_dir", tmp_path / "run", "--opts")
    status, _, err = run("train.py", config, *fresh,
                         f"train_dataset.dataset_root={tmp_path}")
    line, = err.splitlines()
    assert status == 2 and "train_dataset.mask_dir = masks: there is no" in line
    status, _, err = run("train.py", config, *fresh, "val_split=1.5")
    assert status == 2 and "val_split = 1.5 is not allowed; allowed: a number "\
        "in (0, 0.9], or a text or null" in err
    status, _, err = run("train.py", config, *fresh,
                         "train_dataset.mask_colors.sky=[0, 0, 300]")
    assert status == 2 and "train_dataset.mask_colors" in err
