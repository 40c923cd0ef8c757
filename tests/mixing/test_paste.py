# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Pasting is exact and refuses shapes that do not fit."""

import numpy as np
import paddle
import pytest

from contrib_semiseg.mixing.paste import cut_out, paste, paste_next


@pytest.mark.parametrize("dtype", ["bool", "uint8", "float32"])
@pytest.mark.parametrize("channels", [None, 3])
def test_inside_the_mask_is_the_other(dtype, channels):
    rng = np.random.default_rng(0)
    shape = (2, 4, 5) if channels is None else (2, channels, 4, 5)
    own, other = rng.normal(size=(2, *shape)).astype("float32")
    mask = rng.integers(0, 2, size=(2, 1, 4, 5))
    got = paste(paddle.to_tensor(own), paddle.to_tensor(other),
                paddle.to_tensor(mask.astype(dtype))).numpy()
    wide = mask[:, 0] if channels is None else mask
    np.testing.assert_array_equal(got, np.where(wide, other, own))


def test_shapes_must_fit():
    image = paddle.zeros([2, 3, 4, 5])
    with pytest.raises(ValueError, match="do not fit"):
        paste(image, image, paddle.zeros([2, 1, 5, 4]))
    with pytest.raises(ValueError, match="do not fit"):
        paste(image, image[:1], paddle.zeros([2, 1, 4, 5]))


def test_the_next_image_and_a_value():
    label = paddle.to_tensor([[[0, 1]], [[2, 3]], [[4, 5]]])
    mask = paddle.to_tensor([[[[0, 1]]], [[[1, 0]]], [[[0, 1]]]])
    assert paste_next(label, mask).tolist() == [[[0, 3]], [[4, 3]], [[4, 1]]]
    assert cut_out(label, mask, 255).tolist() == [
        [[0, 255]], [[255, 3]], [[4, 255]]]
    image = paddle.ones([3, 2, 1, 2])
    assert cut_out(image, mask, 0).sum().item() == 6
