# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Masks of many images: what is written, and what a kill leaves."""

import numpy as np
import pytest
from PIL import Image

from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.engine import distributed, labeling
from contrib_semiseg.engine.labeling import Lines


def probabilities(image):
    """[3, H, W] whose class is the pixel's value / 100, sure by its rest."""
    value = image[..., 0]
    sure = (value % 100 / 100.0).astype(np.float32)
    scores = np.repeat((1 - sure)[None] / 2, 3, axis=0)
    np.put_along_axis(scores, (value // 100)[None].astype(int), sure[None], 0)
    return scores


class Told:
    """Stands for an inferencer that sums two passes."""

    def __init__(self):
        self.seen = []

    def __call__(self, image):
        self.seen.append(int(image[0, 0, 0]))
        scores = 2 * probabilities(image)
        return scores.argmax(axis=0).astype(np.uint8), scores


IMAGES = [(f"p{v}", f"a/{v}.jpg") for v in (40, 190, 250, 199)]


def read(path):
    if path == "broken":
        raise DataError("broken: the image cannot be read")
    image = np.full((2, 4, 3), int(path[1:]), np.uint8)
    image[0, 1] = 60
    return image


def write(folder, inferencer=None, images=IMAGES, **options):
    inferencer = inferencer or Told()
    return labeling.write_labels(inferencer, images, read=read,
                                 folder=folder, **options)


def test_masks_and_their_list(tmp_path):
    labels, broken = write(tmp_path, palette=[[1, 2, 3]] * 3)
    assert not broken
    assert [row.image for row in labels] == [name for _, name in IMAGES]
    assert labels == labeling.read_labels(tmp_path)
    mask = Image.open(tmp_path / labels[1].mask)
    assert labels[1].mask == "masks/a/190.png"
    assert np.array(mask).tolist() == [[1, 0, 1, 1], [1, 1, 1, 1]]
    assert mask.getpalette()[:9] == [1, 2, 3] * 3
    assert labels[1].confidence == pytest.approx((7 * 0.9 + 0.6) / 8)
    assert labels[1].labeled == 1
    assert not list(tmp_path.glob(".*"))


def test_unsure_pixels_are_ignored(tmp_path):
    labels, _ = write(tmp_path, min_confidence=0.8, ignore_index=7)
    assert [row.labeled for row in labels] == [0, 7 / 8, 0, 7 / 8]
    mask = np.array(Image.open(tmp_path / labels[1].mask))
    assert mask.tolist() == [[1, 7, 1, 1], [1, 1, 1, 1]]
    mask, sure = labeling.mask_of(Told(), read("p80"), min_confidence=0.8)
    assert mask[0, 0] == 0 and mask[0, 1] == 255  # the limit is inclusive
    assert sure[0, 0] == np.float32(0.8)


def test_a_killed_run_goes_on_with_the_image_in_hand(tmp_path):
    whole, _ = write(tmp_path / "whole")
    expected = (tmp_path / "whole" / labeling.LABELS).read_bytes()
    killed = tmp_path / "killed"

    def stopping(path):
        if path == "p250":
            raise KeyboardInterrupt
        return read(path)

    with pytest.raises(KeyboardInterrupt):
        labeling.write_labels(Told(), IMAGES, read=stopping, folder=killed)
    part, = killed.glob(".*.part")
    lines = part.read_text().splitlines()
    # Killed while it wrote the second line, and once before a mask.
    part.write_text(lines[0] + "\n" + lines[1][:-2])
    told = Told()
    labels, _ = write(killed, told)
    assert sorted(told.seen) == [190, 199, 250] and labels == whole
    assert (killed / labeling.LABELS).read_bytes() == expected
    (killed / labels[0].mask).unlink()
    told = Told()
    write(killed, told)
    assert told.seen == [40]
    assert (killed / labeling.LABELS).read_bytes() == expected


def test_broken_pictures_end_the_run_or_are_passed_over(tmp_path):
    images = [*IMAGES[:1], ("broken", "b.jpg"), *IMAGES[1:]]
    with pytest.raises(DataError, match="broken"):
        write(tmp_path / "a", images=images)
    labels, broken = write(tmp_path / "b", images=images, skip_broken=True)
    assert broken == ["broken"] and len(labels) == 4


def test_a_damaged_list_is_named(tmp_path):
    with pytest.raises(DataError, match="labels.csv: no list of labels"):
        labeling.read_labels(tmp_path)
    for text in ("image\nx,y\n", f"image\n{'x' * 200_000}\n"):
        (tmp_path / labeling.LABELS).write_text(text)
        with pytest.raises(DataError, match="labels.csv: no list of labels"):
            labeling.read_labels(tmp_path)


def test_names_with_commas_and_quotes_survive(tmp_path):
    lines = Lines(tmp_path / "x.csv", ["name", "value"])
    for name in ('a,b "c"', "grün.png"):
        lines.append([name, "1"])
    assert set(lines.read()) == {'a,b "c"', "grün.png"}
    lines.finish(["grün.png", 'a,b "c"'])
    assert list(lines.read()) == ["grün.png", 'a,b "c"']
    with pytest.raises(KeyError):
        lines.finish(["another"])


def test_no_process_begins_before_all_have_looked(monkeypatch):
    order = []
    monkeypatch.setattr(distributed, "fence", lambda: order.append("fence"))
    pictures = labeling.share_out(
        [("p", "a.jpg")], {}, lambda path: order.append("read"), title="t")
    assert list(pictures) == [(0, None)] and order == ["fence", "read"]


def test_processes_share_out_what_is_left(monkeypatch):
    seen = {}
    monkeypatch.setattr(distributed, "fence", lambda: None)
    for rank in range(3):
        monkeypatch.setattr(labeling.distributed, "rank", lambda r=rank: r)
        monkeypatch.setattr(labeling.distributed, "world", lambda: 3)
        seen[rank] = [i for i, _ in labeling.share_out(
            IMAGES, {"a/190.jpg"}, read, title="labelling")]
    assert seen == {0: [0], 1: [2], 2: [3]}
