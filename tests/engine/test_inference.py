# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import paddle
import pytest
from paddle import nn
from paddleseg.transforms import Normalize, Padding, Resize

from contrib_semiseg.cvlibs.errors import ArgumentError, ConfigError
from contrib_semiseg.engine.inference import (
    Inferencer,
    confidence,
    eager_forward,
    eval_mode,
    merge_options,
)
from contrib_semiseg.engine.sliding_window import resize_maps

NORMALIZE = Normalize(mean=[0.5] * 3, std=[0.5] * 3)


class Seen:
    """A network that returns its input and keeps it."""

    def __init__(self):
        self.inputs = []

    def __call__(self, x):
        self.inputs.append(x)
        return x


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)


def test_a_pixel_keeps_its_place(image):
    net = Seen()
    classes, logits = Inferencer(forward=net, transforms=[NORMALIZE])(image)
    np.testing.assert_allclose(net.inputs[0][0],
                               image.transpose(2, 0, 1) / 127.5 - 1, atol=1e-6)
    np.testing.assert_array_equal(classes, image.argmax(2))
    assert logits.dtype == np.float32 and classes.dtype == np.uint8


def test_a_size_change_before_normalize_is_undone(image):
    net = Seen()
    run = Inferencer(forward=net, transforms=[
        Resize(target_size=[8, 6]), Padding(target_size=[10, 10]), NORMALIZE])
    classes, logits = run(image)
    assert net.inputs[0].shape == (1, 3, 10, 10)
    assert classes.shape == (12, 16) and logits.shape == (3, 12, 16)
    # The padding is cut before the logits are enlarged.
    np.testing.assert_allclose(logits, resize_maps(
        np.ascontiguousarray(net.inputs[0][0, :, :6, :8]), (12, 16)))
    assert run(image, (24, 20))[0].shape == (24, 20)


def test_small_images_are_padded_with_the_mean_and_cut_again(image):
    net = Seen()
    run = Inferencer(forward=net, transforms=[NORMALIZE], pad_to=[20, 10])
    classes, logits = run(image)
    assert net.inputs[0].shape == (1, 3, 12, 20)
    assert not net.inputs[0][..., 16:].any()
    assert logits.shape == (3, 12, 16)
    np.testing.assert_allclose(logits, net.inputs[0][0, :, :, :16])
    assert run.first_input(image).shape == (1, 3, 12, 20)
    with pytest.raises(ArgumentError, match="pad_to"):
        Inferencer(forward=net, is_slide=True, crop_size=[8, 8],
                   pad_to=[20, 10])


def test_scores_at_another_size(image):
    run = Inferencer(forward=Seen(), transforms=[NORMALIZE],
                     score_size=[8, 6])
    label = np.arange(12 * 16, dtype=np.uint8).reshape(12, 16)
    np.testing.assert_array_equal(run.evaluated(label), label[1::2, 1::2])
    assert run.evaluated(image) is image
    assert run(image)[0].shape == (12, 16)
    with pytest.raises(ArgumentError, match="score_size"):
        Inferencer(forward=Seen(), center_crop=True, crop_size=[8, 8],
                   score_size=[8, 6])


def test_size_changes_are_undone_from_the_last_to_the_first(image):
    net = Seen()
    _, logits = Inferencer(forward=net, transforms=[
        Padding(target_size=[20, 20]), Resize(target_size=[10, 10]),
        NORMALIZE])(image)
    np.testing.assert_allclose(
        logits, resize_maps(net.inputs[0][0], (20, 20))[:, :12, :16])


def test_a_size_change_after_normalize_is_refused(image):
    run = Inferencer(forward=Seen(), transforms=[
        NORMALIZE, Resize(target_size=[8, 6])])
    with pytest.raises(ConfigError, match="before Normalize.*Resize"):
        run(image)


def test_raw_images_where_there_is_no_normalize(image):
    net = Seen()
    Inferencer(forward=net)(image)
    np.testing.assert_array_equal(net.inputs[0][0], image.transpose(2, 0, 1))
    assert net.inputs[0].dtype == np.float32


def test_windows_flips_and_scales_reach_the_network(image):
    net = Seen()
    Inferencer(forward=net, transforms=[NORMALIZE], is_slide=True,
               crop_size=[8, 6], aug_eval=True, scales=[0.5, 1.0],
               flip_horizontal=True)(image)
    # Scale 0.5 fits one window; scale 1 has 3 x 3 (strides 6, 4 -> 4).
    assert len(net.inputs) == 2 * (1 + 3 * 3)
    assert {x.shape for x in net.inputs} == {(1, 3, 6, 8)}


def test_scales_and_flips_need_aug_eval(image):
    net = Seen()
    Inferencer(forward=net, scales=[0.5, 1.0], flip_vertical=True)(image)
    assert [x.shape for x in net.inputs] == [(1, 3, 12, 16)]


@pytest.mark.parametrize("options", [
    {}, dict(is_slide=True, crop_size=[8, 6], stride=[4, 4]),
    dict(is_slide=True, crop_size=[20, 6], border="cut"),
    dict(is_slide=True, crop_size=[20, 6]), dict(is_slide=True,
                                                 crop_size=[20, 20])])
def test_first_input_is_what_the_network_sees_first(image, options):
    net = Seen()
    run = Inferencer(forward=net, transforms=[
        Resize(target_size=[14, 10]), NORMALIZE], **options)
    first = run.first_input(image)
    run(image)
    np.testing.assert_array_equal(first, net.inputs[0])


def test_options_of_the_windows_reach_them(image):
    net, plain = Seen(), Seen()
    options = dict(transforms=[NORMALIZE], is_slide=True, crop_size=[10, 8],
                   stride=[8, 8])
    _, maps = Inferencer(forward=net, border="cut", sum_softmax=True,
                         **options)(image)
    assert [x.shape[2:] for x in net.inputs] == [(8, 10), (8, 8), (4, 10),
                                                 (4, 8)]
    visits = np.ones((12, 16))
    visits[:, 8:10] = 2
    np.testing.assert_allclose(maps.sum(axis=0), visits, rtol=1e-5)
    _, logits = Inferencer(forward=plain, **options)(image)
    assert {x.shape[2:] for x in plain.inputs} == {(8, 10)}
    assert abs(logits.sum(axis=0) - 1).max() > 0.1


def test_the_centre_is_what_scores_are_of(image):
    run = Inferencer(forward=Seen(), center_crop=True, crop_size=[6, 4])
    np.testing.assert_array_equal(run.evaluated(image), image[4:8, 5:11])
    np.testing.assert_array_equal(run.evaluated(image[..., 0]),
                                  image[4:8, 5:11, 0])
    assert run(image)[0].shape == (12, 16), "predictions are whole"
    whole = Inferencer(forward=Seen(), is_slide=True, crop_size=[6, 4])
    assert whole.evaluated(image) is image


def test_a_small_image_is_padded_to_the_centre(image):
    net = Seen()
    run = Inferencer(forward=net, center_crop=True, crop_size=[10, 15],
                     pad_label=9, transforms=[NORMALIZE])
    padded = run.evaluated(image)
    assert padded.shape == (15, 10, 3)
    np.testing.assert_array_equal(padded[1:13], image[:, 3:13])
    label = run.evaluated(image[..., 0])
    assert label.dtype == np.uint8 and (label[[0, 13, 14]] == 9).all()
    np.testing.assert_array_equal(label[1:13], image[:, 3:13, 0])
    run(padded)
    assert abs(net.inputs[0][:, :, [0, 13, 14]]).max() < 1e-6
    small = image[:4, :5]
    assert Inferencer(forward=Seen(), center_crop=True, crop_size=[6, 6],
                      ).evaluated(small).shape == small.shape


@pytest.mark.parametrize("options, name", [
    (dict(is_slide=True), "crop_size"),
    (dict(center_crop=True), "crop_size.*center_crop is true"),
    (dict(center_crop=True, is_slide=True, crop_size=[4, 4]), "center_crop"),
    (dict(is_slide=True, crop_size=[8, 8], border="shift"), "border"),
    (dict(is_slide=True, crop_size=[8, 8], stride=[8, 9]), "stride"),
    (dict(is_slide=True, crop_size=[8]), "crop_size"),
    (dict(scales=[1.0, 0.0]), "scales"), (dict(scales=[]), "scales")])
def test_options_that_do_not_fit(options, name):
    with pytest.raises(ArgumentError, match=name):
        Inferencer(forward=Seen(), **options)


def test_flags_override_the_configuration():
    section = dict(is_slide=True, crop_size=[8, 8])
    given = dict(is_slide=None, crop_size=[4, 4], scales=None)
    assert merge_options(section, given) == dict(is_slide=True,
                                                 crop_size=[4, 4])
    with pytest.raises(ConfigError, match="--scales.*--aug_eval"):
        merge_options(section, dict(scales=[0.5]))
    assert merge_options(None, dict(aug_eval=True, scales=[0.5]))
    with pytest.raises(ConfigError, match="--border .* without --is_slide"):
        merge_options(None, dict(border="cut", center_crop=True))
    with pytest.raises(ConfigError, match="--crop_size has no effect without "
                       "--is_slide or --center_crop"):
        merge_options(None, dict(crop_size=[4, 4]))
    assert merge_options(None, dict(center_crop=True, crop_size=[4, 4]))


def test_eager_forward_takes_the_main_output_without_gradient():
    class Two(nn.Layer):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2D(3, 2, 1)

        def forward(self, x):
            self.out = self.conv(x)
            return [self.out, self.out * 2]

    net = Two()
    x = np.ones((2, 3, 4, 5), np.float32)
    np.testing.assert_allclose(eager_forward(net)(x),
                               net(paddle.to_tensor(x))[0].numpy())
    eager_forward(net)(x)
    assert net.out.stop_gradient


def test_eval_mode_gives_every_layer_its_own_mode_back():
    net = nn.Sequential(nn.BatchNorm2D(2), nn.Dropout())
    net.train()
    net[0].eval()
    with pytest.raises(KeyError), eval_mode(net):
        assert not net[1].training
        raise KeyError
    assert [net.training, net[0].training, net[1].training] == [
        True, False, True]


@pytest.mark.parametrize("multiple, size", [(8, (16, 16)), (5, (15, 20)),
                                            (4, (12, 16)), (1, (12, 16))])
def test_padding_to_a_multiple_is_a_reflection_and_cut_again(image, multiple,
                                                             size):
    net = Seen()
    run = Inferencer(forward=net, transforms=[NORMALIZE],
                     pad_multiple=multiple)
    classes, logits = run(image)
    plain = (image / 127.5 - 1).transpose(2, 0, 1)
    assert net.inputs[0].shape == (1, 3, *size)
    np.testing.assert_allclose(net.inputs[0][0], np.pad(
        plain, [(0, 0), (0, size[0] - 12), (0, size[1] - 16)], "reflect"),
        atol=1e-6)
    np.testing.assert_allclose(logits, plain, atol=1e-6)
    np.testing.assert_array_equal(classes, image.argmax(2))
    np.testing.assert_array_equal(run.first_input(image), net.inputs[0])


def test_padding_to_a_multiple_is_of_whole_images():
    with pytest.raises(ArgumentError, match="pad_multiple = 8 .*1 where "
                       "is_slide is true"):
        Inferencer(forward=Seen(), is_slide=True, crop_size=[8, 8],
                   pad_multiple=8)


def test_confidence_is_the_largest_probability():
    logits = np.random.default_rng(0).normal(0, 9, (4, 3, 5)).astype("f")
    powers = np.exp(logits.astype(np.float64))
    wanted = powers.max(axis=0) / powers.sum(axis=0)
    np.testing.assert_allclose(confidence(logits + 200, False), wanted, 1e-4)
    np.testing.assert_allclose(confidence(powers / powers.sum(axis=0) * 3),
                               wanted, 1e-6)
