# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from contrib_semiseg.engine import sliding_window as sw


def to_chw(image):
    return image.astype(np.float32).transpose(2, 0, 1)


class Recorder:
    """A network that returns its input and remembers the shapes it saw."""

    def __init__(self):
        self.shapes = []

    def __call__(self, x):
        self.shapes.append(x.shape)
        return x + 1


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (7, 10, 3), np.uint8)


def test_last_window_ends_at_the_border():
    assert sw.starts(10, 4, 3) == [0, 3, 6]
    assert sw.starts(11, 4, 3) == [0, 3, 6, 7]
    assert sw.starts(4, 4, 3) == [0]
    assert sw.default_stride((512, 800)) == (342, 534)


def test_the_frames_of_cityscapes_have_2_by_4_windows():
    stride = sw.default_stride((800, 800))[0]
    assert sw.starts(1024, 800, stride) == [0, 224]
    assert sw.starts(2048, 800, stride) == [0, 534, 1068, 1248]


def test_logits_of_overlapping_windows_are_summed(image):
    net = Recorder()
    total = sw.score(image, net, to_chw, crop_size=(6, 4), stride=(4, 3))
    assert net.shapes == [(1, 3, 4, 6)] * 4  # rows 0, 3; columns 0, 4
    visits = np.ones((7, 10))
    visits[3] += 1
    visits[:, 4:6] *= 2
    np.testing.assert_allclose(total, (to_chw(image) + 1) * visits)


def test_a_small_image_has_one_window_with_the_mean_around_it(image):
    seen = []

    def net(x):
        seen.append(x)
        return x

    total = sw.score(image, net, lambda im: to_chw(im) - 9, crop_size=(12, 8))
    assert seen[0].shape == (1, 3, 8, 12)
    assert not seen[0][:, :, 7].any() and not seen[0][:, :, :, [0, 11]].any()
    np.testing.assert_array_equal(total, to_chw(image) - 9)


def test_one_short_side_is_padded_black_before_normalisation(image):
    seen = []

    def net(x):
        seen.append(x)
        return x

    total = sw.score(image, net, lambda im: to_chw(im) - 9, crop_size=(8, 9),
                     stride=(8, 9))
    assert (seen[0][:, :, 0] == -9).all() and (seen[0][:, :, 8] == -9).all()
    assert total.shape == (3, 7, 10)
    np.testing.assert_array_equal(total[:, :, :2], to_chw(image)[:, :, :2] - 9)


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_flips_are_undone_and_batches_change_nothing(image, batch):
    def net(x):  # marks where the pixel stood in the window
        return x[:, :1] * 0 + np.arange(x.shape[3], dtype=np.float32)

    assert sw.flip_axes(True, True) == [(), (-1,), (-2,), (-1, -2)]
    total = sw.score(image, net, to_chw, crop_size=(10, 4), stride=(10, 3),
                     flips=sw.flip_axes(True, False), batch=batch)
    expected = np.full((7, 10), 9.0)  # x + (9 - x)
    expected[3] *= 2
    np.testing.assert_array_equal(total[0], expected)


def test_scales_are_summed_at_the_size_of_the_image(image):
    net = Recorder()
    total = sw.multi_scale(image, net, to_chw, scales=(0.5, 1, 2))
    assert net.shapes == [(1, 3, 4, 5), (1, 3, 7, 10), (1, 3, 14, 20)]
    assert total.shape == (3, 7, 10)
    flat = np.full_like(image, 100)
    np.testing.assert_allclose(
        sw.multi_scale(flat, Recorder(), to_chw, scales=(0.5, 1, 2)), 303)


def test_argmax_takes_the_lowest_of_equals():
    maps = np.random.default_rng(1).integers(0, 3, (5, 6, 7)).astype("f")
    np.testing.assert_array_equal(sw.argmax(maps), maps.argmax(0))
    assert sw.argmax(maps).dtype == np.uint8
    many = np.zeros((300, 1, 1), np.float32)
    many[299] = 1
    assert sw.argmax(many)[0, 0] == 299


def test_windows_cut_by_the_border(image):
    net = Recorder()
    total = sw.score(image, net, to_chw, crop_size=(6, 4), stride=(4, 3),
                     border="cut")
    # Rows 0, 3, 6 and columns 0, 4, 8 of an image of 7 x 10.
    assert net.shapes == [(1, 3, h, w) for h in (4, 4, 1) for w in (6, 6, 2)]
    visits = np.ones((7, 10))
    visits[[3, 6]] += 1
    visits[:, [4, 5, 8, 9]] *= 2
    np.testing.assert_allclose(total, (to_chw(image) + 1) * visits)


def test_a_cut_window_may_be_the_whole_small_image(image):
    net = Recorder()
    total = sw.score(image, net, lambda im: to_chw(im) - 9, border="cut",
                     crop_size=(30, 30), stride=(20, 20))
    assert net.shapes == [(1, 3, 7, 10)]
    np.testing.assert_allclose(total, to_chw(image) - 8)


def test_windows_of_one_size_share_a_pass(image):
    net = Recorder()
    options = dict(crop_size=(6, 4), stride=(4, 3), border="cut")
    total = sw.score(image, net, to_chw, batch=3, **options)
    # In their order, so that no more than a batch of maps is ever kept.
    assert [s[0] for s in net.shapes] == [2, 1, 2, 1, 2, 1]
    np.testing.assert_array_equal(total, sw.score(image, Recorder(), to_chw,
                                                  **options))


def test_probabilities_are_summed(image):
    logits = to_chw(image) / 16
    powers = np.exp(logits.astype(np.float64))
    prob = powers / powers.sum(axis=0)
    flips = sw.flip_axes(True, False)
    total = sw.score(image, lambda x: x / 16, to_chw, crop_size=(6, 4),
                     stride=(6, 4), border="cut", sum_softmax=True,
                     flips=flips)
    np.testing.assert_allclose(total, 2 * prob, rtol=1e-5, atol=1e-12)
    huge = sw.softmax(np.array([[[[1e4]], [[1e4 - 1]]]], np.float32))
    np.testing.assert_allclose(huge.ravel(), [0.731059, 0.268941], rtol=1e-4)


def test_the_centre_of_an_array(image):
    np.testing.assert_array_equal(sw.center(image, (6, 4)), image[1:5, 2:8])
    np.testing.assert_array_equal(sw.center(image[..., 0], (5, 9)),
                                  image[:, 2:7, 0])


def test_inputs_are_resized_with_their_corners_aligned(image):
    """Corners stay corners, and sizes are cut to integers."""
    inputs = []

    def net(x):
        inputs.append(x)
        return x

    total = sw.multi_scale(image, net, to_chw, scales=(0.5, 1.4),
                           scaling="input")
    height, width = image.shape[:2]
    assert [x.shape[2:] for x in inputs] == [
        (int(height * s), int(width * s)) for s in (0.5, 1.4)]
    for x in inputs:
        np.testing.assert_allclose(x[0, :, [0, 0, -1, -1], [0, -1, 0, -1]],
                                   image[[0, 0, -1, -1], [0, -1, 0, -1]],
                                   rtol=1e-4, atol=1e-3)
    assert total.shape[1:] == (height, width)
    ramp = np.linspace(0, 1, 5, dtype=np.float32)[None, None].repeat(3, 1)
    np.testing.assert_allclose(sw.resize_aligned(ramp, (3, 9))[0, 0],
                               np.linspace(0, 1, 9), atol=1e-6)
