# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest
from PIL import Image

from contrib_semiseg.cvlibs.config import Config
from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.datasets.image_files import (
    find_images,
    first_readable,
    image_reader,
    is_video,
)


@pytest.fixture
def folder(tmp_path):
    for name in ("b.png", "a.jpg", "sub/c.png", "out/color/a.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((4, 5, 3), len(name), np.uint8))
    (tmp_path / "notes.md").write_text("no picture")
    return tmp_path


def names(found):
    return [name for _, name in found]


def test_a_folder_with_sub_folders_but_without_the_results(folder):
    found = find_images(str(folder), str(folder / "out"))
    assert names(found) == ["a.jpg", "b.png", "sub/c.png"]
    assert found[2][0] == str(folder / "sub/c.png")
    assert len(find_images(str(folder), str(folder / "o"))) == 4


def test_a_file_and_a_list(folder):
    assert names(find_images(str(folder / "sub/c.png"))) == ["c.png"]
    (folder / "list.txt").write_text("a.jpg\n\n./sub/c.png mask.png\n")
    assert names(find_images(str(folder / "list.txt"))) == ["a.jpg",
                                                            "sub/c.png"]


def test_a_pattern_of_any_depth(folder):
    found = find_images(str(folder / "**/*.png"), str(folder / "out"))
    assert names(found) == ["b.png", "sub/c.png"]
    assert names(find_images(str(folder / "s?b/*"))) == ["sub/c.png"]
    assert names(find_images(str(folder / "sub/[a-c].png"))) == ["c.png"]
    with pytest.raises(DataError, match="0 images; allowed: .jpg"):
        find_images(str(folder / "*.md"))
    (folder / "x[1].png").write_bytes((folder / "b.png").read_bytes())
    assert names(find_images(str(folder / "x[1].png"))) == ["x[1].png"]


def test_videos_and_cameras_where_they_are_asked_for(folder):
    (folder / "v.MP4").write_bytes(b"")
    found = find_images(str(folder / "*.*"), videos=True)
    assert [is_video(path) for path, _ in found] == [False, False, True]
    assert names(find_images(str(folder / "v.MP4"), videos=True)) == ["v.MP4"]
    assert len(find_images(str(folder / "*.*"))) == 2
    assert find_images("0", videos=True) == [(0, "camera0")]
    assert is_video(0)
    for path in ("0", "\u00b2"):
        with pytest.raises(DataError, match="missing"):
            find_images(path, videos=path != "0")


def test_missing_images_and_empty_folders_are_named(folder):
    with pytest.raises(DataError, match=r"1 of 1 .* first: .*nix\.png"):
        find_images(str(folder / "nix.png"))
    (folder / "list.txt").write_text("a.jpg\ngone.jpg\n")
    with pytest.raises(DataError, match=r"1 of 2 .*gone\.jpg"):
        find_images(str(folder / "list.txt"))
    (folder / "empty").mkdir()
    with pytest.raises(DataError, match="0 images; allowed: .jpg"):
        find_images(str(folder / "empty"))


def test_the_first_readable_picture(folder):
    (folder / "a.jpg").write_bytes(b"no picture")
    found = find_images(str(folder))
    assert first_readable(found)[0, 0, 0] == len("b.png")
    with pytest.raises(DataError, match="a.jpg"):
        first_readable(found[:1])


def test_pictures_are_read_as_those_of_the_validation_set(tmp_path):
    path = str(tmp_path / "deep.png")
    cv2.imwrite(path, np.full((4, 5), 4095, np.uint16))
    assert image_reader(Config({}))(path).max() == 16
    config = Config({"val_dataset": {"image_range": [0, 4095]}})
    assert image_reader(config)(path).max() == 255
    image = Image.fromarray(np.zeros((4, 6, 3), np.uint8))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "t.jpg", exif=exif)
    assert image_reader(config)(tmp_path / "t.jpg").shape == (6, 4, 3)
    config = Config({"val_dataset": {"exif_rotation": False}})
    assert image_reader(config)(tmp_path / "t.jpg").shape == (4, 6, 3)
