# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import numpy as np
from paddleseg.transforms import Normalize

from contrib_semiseg.datasets.palettes import voc_palette
from contrib_semiseg.engine import pictures
from contrib_semiseg.transforms.color import ReverseChannels


def test_colours_of_pascal_voc():
    palette = voc_palette(21)
    assert palette[[0, 1, 2, 8, 15, 20]].tolist() == [
        [0, 0, 0], [128, 0, 0], [0, 128, 0], [64, 0, 0], [192, 128, 128],
        [0, 64, 128]]


def test_ignored_pixels_are_grey():
    palette = np.array([[10, 20, 30], [40, 50, 60]], np.uint8)
    color = pictures.colorize(np.array([[1, 0, 255]]), palette)
    assert color.tolist() == [[[40, 50, 60], [10, 20, 30],
                               list(pictures.UNLABELED)]]


def test_overlay_blends_by_the_share_of_the_colour():
    image = np.full((1, 1, 3), 100, np.uint8)
    color = np.full((1, 1, 3), 200, np.uint8)
    assert pictures.overlay(image, color, 0.75)[0, 0].tolist() == [175] * 3


def test_reversed_channels_are_shown_as_they_were():
    ops = [ReverseChannels(), Normalize(mean=[.1, .2, .3], std=[.5, .6, .7])]
    raw = np.random.default_rng(0).integers(0, 256, (5, 6, 3), np.uint8)
    data = {"img": raw.astype(np.float32)}
    for op in ops:
        data = op(data)
    np.testing.assert_array_equal(pictures.denormalize(
        data["img"].transpose(2, 0, 1), ops), raw)


def test_training_panel_undoes_the_normalisation():
    op = Normalize(mean=[0.5, 0.4, 0.3], std=[0.2, 0.3, 0.4])
    raw = np.random.default_rng(0).integers(0, 256, (2, 5, 6, 3), np.uint8)
    images = np.stack([op({"img": im.astype(np.float32)})["img"]
                       .transpose(2, 0, 1) for im in raw])
    label = np.ones((2, 5, 6), np.int64)
    out = pictures.training_panel(images, label, label * 0, None, [op])
    assert out.shape == (2 * 5 + 4, 3 * 6 + 8, 3)
    np.testing.assert_array_equal(out[:5, :6], raw[0])
    np.testing.assert_array_equal(out[9:, :6], raw[1])
    assert (out[9:, 10:16] == [128, 0, 0]).all()
    assert (out[9:, 20:] == 0).all() and (out[5:9] == 255).all()
