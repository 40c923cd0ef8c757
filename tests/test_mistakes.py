# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""The mistakes of a new user: one line, status 2, nothing written."""

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.support import tiny


@pytest.fixture
def own(tmp_path):
    """A configuration on the user's own folders; returns (folder, tree)."""
    rng = np.random.default_rng(0)
    for part in ("labeled", "unlabeled", "val"):
        for kind in ("images", "masks"):
            (tmp_path / part / kind).mkdir(parents=True)
        for i in range(3):
            image = rng.integers(0, 256, size=(32, 32, 3)).astype(np.uint8)
            mask = rng.integers(0, 3, size=(32, 32)).astype(np.uint8)
            Image.fromarray(image).save(tmp_path / part / "images" /
                                        f"{i}.png")
            Image.fromarray(mask).save(tmp_path / part / "masks" / f"{i}.png")
    tree = yaml.safe_load(tiny.config(tmp_path).read_text())
    for section, part in (("train_dataset", "labeled"),
                          ("unlabeled_dataset", "unlabeled"),
                          ("val_dataset", "val")):
        data = {"type": "ListDataset", "dataset_root": str(tmp_path),
                "image_dir": f"{part}/images",
                "transforms": tree[section]["transforms"]}
        if part == "unlabeled":
            data["masks"] = tree[section]["masks"]
        else:
            data["mask_dir"] = f"{part}/masks"
        tree[section] = data
    tree.update(num_classes=3, iters=1)
    return tmp_path, tree


def train(folder, tree, *arguments):
    path = folder / "my.yml"
    path.write_text(yaml.safe_dump(tree))
    return tiny.run("train.py", "--config", path, *arguments)


def check_line(folder, result, *said):
    status, out, err = result
    assert status == 2, out + err
    assert err.startswith("error: ") and err.count("\n") == 1, err
    for text in said:
        assert text in err
    assert not (folder / "run").exists(), "nothing is written"


def test_own_data_trains(own):
    folder, tree = own
    status, _, err = train(folder, tree)
    assert status == 0, err
    assert (folder / "run" / "iter_1" / "model.pdparams").is_file()


def test_grey_images_work(own):
    folder, tree = own
    for i in range(3):
        path = folder / "unlabeled" / "images" / f"{i}.png"
        Image.open(path).convert("L").save(path)
    assert train(folder, tree)[0] == 0


def test_misspelt_key(own):
    folder, tree = own
    tree["method"]["cps_weigth"] = 2.0
    check_line(folder, train(folder, tree), "my.yml", "method.cps_weigth",
               "did you mean 'cps_weight'")


def test_wrong_path(own):
    folder, tree = own
    check_line(folder, train(folder, tree, "--opts",
                             "train_dataset.image_dir=labeled/image"),
               "labeled/image")


def test_wrong_config_path(own):
    folder, tree = own
    result = tiny.run("train.py", "--config", folder / "mine.yml")
    check_line(folder, result, "mine.yml")


def test_ranks_that_no_class_has(own):
    folder, tree = own
    tree["method"] = {"type": "U2PL"}
    tree["model"].update(embedding="representation",
                         embedding_channels=[4, 4])
    check_line(folder, train(folder, tree), "my.yml: method.low_rank = 3",
               "allowed: 1 to 2 with num_classes = 3")


def test_missing_mask(own):
    folder, tree = own
    (folder / "labeled" / "masks" / "1.png").unlink()
    check_line(folder, train(folder, tree), "1 of 3 masks are missing",
               "masks/1.png")


def test_mask_of_colours(own):
    folder, tree = own
    for i in range(3):
        path = folder / "labeled" / "masks" / f"{i}.png"
        Image.open(path).convert("RGB").save(path)
    status, _, err = train(folder, tree)
    assert status == 2 and err.count("\n") == 1
    assert "labeled/masks/" in err and "convert it to class indices" in err


def test_mask_with_other_values(own):
    folder, tree = own
    for i in range(3):
        path = folder / "labeled" / "masks" / f"{i}.png"
        Image.fromarray(np.full((32, 32), 7, np.uint8)).save(path)
    status, _, err = train(folder, tree)
    assert status == 2 and err.count("\n") == 1
    assert "holds 7; allowed: 0..2 and 255" in err


def test_no_unlabelled_images(own):
    folder, tree = own
    for path in (folder / "unlabeled" / "images").iterdir():
        path.unlink()
    check_line(folder, train(folder, tree), "unlabeled_dataset", "0 images")


def test_fewer_images_than_the_batch(own):
    folder, tree = own
    check_line(folder, train(folder, tree, "--batch_size", 8),
               "fewer than the batch", "lower batch_size")


def test_a_gpu_where_there_is_none(own):
    folder, tree = own
    check_line(folder, train(folder, tree, "--device", "gpu"), "gpu",
               "allowed here: cpu, auto")


def test_weights_of_another_network(own):
    folder, tree = own
    assert train(folder, tree)[0] == 0
    status, _, err = tiny.run(
        "val.py", "--config", folder / "my.yml", "--model_path",
        folder / "run" / "iter_1", "--opts", "model.aspp_channels=12")
    assert status == 2 and err.count("\n") == 1
    assert "aspp" in err and "model.pdparams" in err
