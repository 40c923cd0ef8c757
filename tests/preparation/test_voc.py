# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import io

import numpy as np
import pytest
from PIL import Image

from contrib_semiseg.cvlibs.errors import DataError, UserError
from contrib_semiseg.datasets.palettes import voc_palette
from contrib_semiseg.preparation import tool, voc
from tests.preparation.prepared import digests, files, lines, mask, prepare
from tests.support import official_trees as trees
from tests.support import tiny

pytest.importorskip("scipy")


@pytest.fixture()
def downloads(tmp_path):
    (tmp_path / "downloads").mkdir()
    return tmp_path / "downloads"


def check_masks(root, masks):
    found = sorted((root / "SegmentationClassAug").iterdir())
    assert [p.stem for p in found] == sorted(masks)
    for path in found:
        assert np.array_equal(mask(path), masks[path.stem]), path


def test_the_archives_become_indices_and_lists(downloads, tmp_path, capsys):
    masks = trees.voc(downloads)
    root = tmp_path / "voc"
    prepare("voc", downloads, root)
    check_masks(root, masks)
    row = "JPEGImages/{0}.jpg\tSegmentationClassAug/{0}.png"
    assert lines(root / "val.txt") == [row.format(i) for i in (
        "2007_000033", "2007_000061")]
    assert lines(root / "train_aug.txt") == [row.format(i) for i in (
        "2007_000032", "2007_000039", "2008_000002", "2008_000007")]
    # All images, as the archive has them.
    assert len(list((root / "JPEGImages").iterdir())) == 7
    out = capsys.readouterr().out
    assert "train_aug.txt: 4 images with masks of 10582 (partial)" in out
    assert digests(root)["val.txt"] in out


def test_unpacked_folders_and_processes_give_the_same(downloads, tmp_path):
    trees.voc(downloads)
    prepare("voc", downloads, tmp_path / "a")
    for name in ("VOCtrainval_11-May-2012.tar", "benchmark.tgz"):
        trees.unpack(downloads / name, downloads)
        (downloads / name).unlink()
    prepare("voc", downloads, tmp_path / "b", workers=2)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_the_known_zip_serves_for_sbd(downloads, tmp_path):
    masks = trees.voc(downloads)
    (downloads / "benchmark.tgz").unlink()
    zipped = {k: np.where(m == 255, 0, m).astype(np.uint8)
              for k, m in masks.items()}
    trees.voc_zip(downloads, zipped)
    prepare("voc", downloads, tmp_path / "voc")
    check_masks(tmp_path / "voc", masks)  # VOC's own ones win
    prepare("voc", downloads, tmp_path / "voc", "--overwrite")
    check_masks(tmp_path / "voc", masks)


def test_masks_of_colours_become_indices(downloads, tmp_path):
    masks = trees.voc(downloads)
    trees.unpack(downloads / "VOCtrainval_11-May-2012.tar", downloads)
    (downloads / "VOCtrainval_11-May-2012.tar").unlink()
    folder = downloads / "VOCdevkit/VOC2012/SegmentationClass"
    colors = np.vstack([voc_palette(21), np.zeros((235, 3), np.uint8)])
    colors[255] = (224, 224, 192)
    for path in folder.iterdir():
        Image.fromarray(colors[masks[path.stem]]).save(path)
    prepare("voc", downloads, tmp_path / "voc")
    check_masks(tmp_path / "voc", masks)
    Image.fromarray(np.full((36, 44, 3), 9, np.uint8)).save(path)
    with pytest.raises(DataError, match=f"{path.name}.*1584 pixels.*"
                       r"\(9, 9, 9\)"):
        prepare("voc", downloads, tmp_path / "other")


def test_a_folder_may_be_prepared_in_place(downloads, tmp_path):
    trees.voc(downloads)
    trees.unpack(downloads / "VOCtrainval_11-May-2012.tar", tmp_path)
    root = tmp_path / "VOCdevkit/VOC2012"
    (downloads / "VOCtrainval_11-May-2012.tar").unlink()
    prepare("voc", root, root, "--from", str(root), str(downloads))
    assert len(lines(root / "train_aug.txt")) == 4
    assert (root / "SegmentationObject").is_dir()


def test_a_missing_download_is_named_with_its_address(tmp_path):
    with pytest.raises(DataError, match="VOCtrainval_11-May-2012.tar.*"
                       "host.robots.ox.ac.uk.*--from"):
        prepare("voc", tmp_path, tmp_path / "voc")
    trees.voc(tmp_path)
    (tmp_path / "benchmark.tgz").unlink()
    with pytest.raises(DataError, match="benchmark.tgz or .*berkeley"):
        prepare("voc", tmp_path, tmp_path / "voc")


def test_the_command_answers_in_one_line(tmp_path):
    status, out, err = tiny.run("tools/prepare_voc.py", "--from", tmp_path)
    assert status == 2 and not out and len(err.splitlines()) == 1
    assert err.startswith("error: PASCAL VOC 2012 is missing")


def test_a_broken_mat_is_named(downloads, tmp_path):
    trees.voc(downloads)
    trees.unpack(downloads / "benchmark.tgz", downloads)
    (downloads / "benchmark.tgz").unlink()
    path = downloads / "benchmark_RELEASE/dataset/cls/2008_000002.mat"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match="2008_000002.mat: GTcls"):
        prepare("voc", downloads, tmp_path / "voc")


def test_a_mat_of_other_classes_is_refused():
    import scipy.io

    file = io.BytesIO()
    scipy.io.savemat(file, {"GTcls": {"Segmentation": np.full(
        (3, 4), 21, np.uint8)}})
    with pytest.raises(DataError, match="x.mat: .*up to 21; allowed: .*0..20"):
        voc.mask_of_mat(file.getvalue(), "x.mat")


def test_a_mask_without_its_image_is_named(downloads, tmp_path):
    trees.voc(downloads)
    trees.unpack(downloads / "VOCtrainval_11-May-2012.tar", downloads)
    (downloads / "VOCtrainval_11-May-2012.tar").unlink()
    next(downloads.rglob("JPEGImages/2008_000007.jpg")).unlink()
    with pytest.raises(DataError, match="1 images of train_aug.txt are "
                       "missing, first: JPEGImages/2008_000007.jpg"):
        prepare("voc", downloads, tmp_path / "voc")


def test_scipy_is_asked_for(monkeypatch, downloads, tmp_path):
    def missing(name):
        raise ImportError(name)

    trees.voc(downloads)
    monkeypatch.setattr(tool.importlib, "import_module", missing)
    with pytest.raises(UserError, match="scipy.*requirements-prepare.txt"):
        prepare("voc", downloads, tmp_path / "voc")
