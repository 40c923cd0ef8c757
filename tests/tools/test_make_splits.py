# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import json

import numpy as np
import pytest
import yaml
from PIL import Image

from contrib_semiseg.cvlibs.errors import DataError, UserError
from contrib_semiseg.datasets import split_lists
from tests.support import tiny
from tools import make_splits

SIZE = 16
FOLDERS = ["--images", "images", "--masks", "masks"]


def tool(*options):
    make_splits.main(list(map(str, options)))


@pytest.fixture()
def root(tmp_path):
    """40 images, 30 masks: class 1 in 10 of them, 2 in one, 3 in a pixel."""
    root = tmp_path / "own"
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for i in range(40):
        Image.new("RGB", (SIZE, SIZE), (i, 0, 0)).save(
            root / "images" / f"pic {i:02d}.png")
        mask = np.zeros((SIZE, SIZE), np.uint8)
        mask[:8] = i < 10
        mask[8:] += 2 * (i == 20)
        mask[15, 15] = 3 if i == 25 else mask[15, 15]
        if i < 30:
            Image.fromarray(mask).save(root / "masks" / f"pic {i:02d}.png")
    return root


@pytest.fixture()
def make(root, tmp_path):
    """Run the tool on these folders; {split: {part: images}}."""
    def run(*options, source=FOLDERS):
        tool("--root", root, *source, "--name", "mine", "--save_dir",
             tmp_path / "splits", "--num_workers", 1, *options)
        home = tmp_path / "splits/own"
        found = {}
        for name in split_lists.splits_in(home):
            lists = split_lists.read_split(str(home / name))
            found[name] = {part: [image for image, _ in rows]
                           for part, (_, rows) in lists.items()}
        return found
    return run


def test_splits_are_nested_balanced_and_apart(make, root, tmp_path):
    found = make("--labeled", "1/2", "3", "--val", "0.2", "--seed", 7)
    half, three = found["mine/1_2_7"], found["mine/3_7"]
    assert three["labeled"] == half["labeled"][:3] and len(
        half["labeled"]) == 12
    for split in (half, three):
        assert len(split["val"]) == 6 and split["val"] == half["val"]
        assert sorted(split["labeled"] + split["unlabeled"] + split["val"]
                      ) == [f"images/pic {i:02d}.png" for i in range(40)]
    masks = {2: "images/pic 20.png", 3: "images/pic 25.png"}
    assert set(masks.values()) < set(three["labeled"])
    assert any(n < "images/pic 10.png" for n in three["labeled"])
    rows = split_lists.dataset_rows(dataset="own", split="mine/3_7",
                                    role="labeled", root=str(root),
                                    folder=str(tmp_path / "splits"))
    assert rows[0].mask == rows[0].image.replace("images", "masks")
    notes = json.loads((tmp_path / "splits/own/mine/3_7/split.json"
                        ).read_text())
    assert notes["seed"] == 7 and notes["stratified"] and notes["nested"]
    assert notes["images"] == {"labeled": 3, "unlabeled": 31, "val": 6}


def test_what_cannot_appear_is_said(make, capsys):
    make("--labeled", "2", "1/1")
    two, all_of_them = capsys.readouterr().out.splitlines()
    assert two.endswith("no labeled image has: class 1 (10 images in all)")
    assert "labeled, 10 unlabeled, 0 val images" in all_of_them
    assert "no labeled" not in all_of_them


def test_the_same_seed_makes_the_same_split_in_any_run(make):
    first = make("--labeled", "1/3")
    assert make("--labeled", "1/3", "1/2")["mine/1_3_0"] == first["mine/1_3_0"]
    assert set(first["mine/1_3_0"]["labeled"]) < set(
        make("--labeled", "1/2")["mine/1_2_0"]["labeled"])
    other = make("--labeled", "1/3", "--seed", 1)["mine/1_3_1"]
    assert other["labeled"] != first["mine/1_3_0"]["labeled"]


def test_sizes_drawn_by_themselves_are_not_nested(make):
    found = make("--labeled", "8", "12", "--not_nested", "--val", "5",
                 "--plain")
    small, large = (set(found[f"mine/{n}_0"]["labeled"]) for n in (8, 12))
    assert len(small) == 8 and len(large) == 12 and not small <= large
    assert not (small | large) & set(found["mine/8_0"]["val"])


def test_a_list_and_an_order(make, root, tmp_path):
    names = [f"pic {i:02d}.png" for i in range(30)]
    listed = tmp_path / "all.txt"
    listed.write_text("".join(f"images/{n}\tmasks/{n}\n"
                              for n in reversed(names)))
    order = np.random.default_rng(0).permutation(30)
    np.savez(tmp_path / "orders.npz", one=order)
    np.savetxt(tmp_path / "order.txt", order, fmt="%d")
    for given in (f"{tmp_path}/orders.npz:one", f"{tmp_path}/order.txt"):
        found = make("--labeled", "6", "--order", given,
                     source=("--list", listed))["mine/6"]
        assert found["labeled"] == [f"images/{names[i]}" for i in order[:6]]
        assert found["unlabeled"] == [f"images/{names[i]}" for i in order[6:]]


def test_files_that_nobody_reads_need_not_be_there(make, tmp_path):
    listed = tmp_path / "all.txt"
    listed.write_text("".join(f"{i}.jpg\t{i}.png\n" for i in range(8)))
    found = make("--labeled", "1/4", "--plain", source=("--list", listed))
    assert len(found["mine/1_4_0"]["unlabeled"]) == 6
    with pytest.raises(DataError, match="8 of 8 images are missing"):
        make("--labeled", "1/2", source=("--list", listed))


def test_replacement_repeats_within_each_list(make):
    found = make("--labeled", "15", "--plain")["mine/15_0"]
    again = make("--labeled", "15", "--plain", "--replace", "--overwrite"
                 )["mine/15_0"]
    assert len(again["labeled"]) == 15 > len(set(again["labeled"]))
    assert set(again["labeled"]) < set(found["labeled"])
    assert set(again["unlabeled"]) < set(found["unlabeled"])


def test_a_configuration(root, tmp_path, capsys):
    def section(folder, **more):
        return {"type": "ListDataset", "dataset_root": str(root),
                "image_dir": folder, "transforms": [], **more}

    (root / "val").mkdir()
    for i in (3, 20):
        (root / "images" / f"pic {i:02d}.png").rename(root / f"val/{i}.png")
        (root / "masks" / f"pic {i:02d}.png").rename(root / f"masks/{i}.png")
    (root / "more").mkdir()
    for i in range(30, 40):
        (root / f"images/pic {i}.png").rename(root / f"more/{i}.png")
    tree = yaml.safe_load(tiny.config(tmp_path).read_text())
    tree.update(num_classes=4, train_dataset=section(
        "images", mask_dir="masks", class_names=["a", "b", "c", "d"]),
        unlabeled_dataset=section("more"),
        val_dataset=section("val", mask_dir="masks"))
    path = tmp_path / "own.yml"
    path.write_text(yaml.safe_dump(tree))
    tool("--config", path, "--name", "mine", "--labeled", "1/4", "--save_dir",
         tmp_path / "splits")
    assert "7 labeled, 31 unlabeled, 2 val images; no labeled image has: " \
        "c (0 images in all)" in capsys.readouterr().out
    lists = split_lists.read_split(str(tmp_path / "splits/own/mine/1_4_0"))
    assert lists["val"][1] == [("val/20.png", "masks/20.png"),
                               ("val/3.png", "masks/3.png")]
    tree["val_dataset"] = tree["train_dataset"]
    path.write_text(yaml.safe_dump(tree))
    with pytest.raises(DataError, match="labeled and val images share 28, "):
        tool("--config", path, "--name", "leak", "--labeled", "1/4",
             "--save_dir", tmp_path / "splits")
    assert not (tmp_path / "splits/own/leak").exists()


@pytest.mark.parametrize("options, said", [
    ([*FOLDERS, "--labeled", "31"], "--labeled = '31' is not allowed; allowed:"
     " a part such as 1/8 or 0.1, or a number from 1 to 30"),
    ([*FOLDERS, "--labeled", "5", "--val", "30"], "--val = '30'"),
    ([*FOLDERS, "--labeled", "5", "--seed", -1], "--seed = -1"),
    ([*FOLDERS, "--labeled", "5", "--order", "none.npy"],
     "--order = 'none.npy'"),
    ([*FOLDERS, "--labeled", "5", "--order",
      "tests/golden/data/ctt/splits.npz:out_voc_split0"],
     "the numbers 0 to 29, each once"),
    ([*FOLDERS, "--labeled", "5", "--order",
      "tests/golden/data/ctt/splits.npz:none"], "FILE.npz:NAME"),
    (["--labeled", "5"], "null with --root and --list"),
    (["--images", "images", "--masks", "mask", "--labeled", "5"],
     "there is no folder"),
    (["--images", "masks", "--masks", "images", "--labeled", "5"],
     "10 masks have no image"),
    (["--list", "LIST", "--labeled", "1"], "hold one twice"),
    (["--list", "LIST", "--labeled", "1", "--val", "LIST"], "hold one twice"),
    (["--list", "GONE", "--labeled", "1"], "1 of 1 images are missing")])
def test_mistakes_are_one_line(root, tmp_path, options, said):
    line = "images/pic 00.png\tmasks/pic 00.png\n"
    (tmp_path / "LIST").write_text(2 * line)
    (tmp_path / "GONE").write_text("a.png\tb.png\n")
    options = [str(tmp_path / o) if o in ("LIST", "GONE") else o
               for o in options]
    with pytest.raises(UserError) as error:
        tool("--root", root, "--name", "mine", "--save_dir", tmp_path / "out",
             *options)
    assert said in str(error.value) and not (tmp_path / "out").exists()


def test_it_is_a_command(root):
    status, _, err = tiny.run("tools/make_splits.py", "--root", root,
                              "--name", "mine", "--labeled", "5")
    assert status == 2 and err.count("\n") == 1
    assert "null with --root and --list" in err


def test_another_split_is_not_overwritten(make, tmp_path):
    make("--labeled", "5")
    path = tmp_path / "splits/own/mine/5_0/labeled.txt"
    before = path.read_text()
    make("--labeled", "5")
    with pytest.raises(DataError, match="holds another split already"):
        make("--labeled", "5", "--plain")
    assert path.read_text() == before
    make("--labeled", "5", "--plain", "--overwrite")
    assert path.read_text() != before
