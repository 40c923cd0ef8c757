# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""From a raw image to its class map, with any network and test options."""

import contextlib
import numbers
from typing import NamedTuple, Optional

import numpy as np
import paddle
from PIL import Image

from contrib_semiseg.cvlibs import check
from contrib_semiseg.cvlibs.errors import ArgumentError, ConfigError
from contrib_semiseg.engine import sliding_window

_SIZE = check.ListOf(check.Range(1, integer=True), 2, optional=True)
_SCALE = check.Range(0.0, exclude_low=True)


@contextlib.contextmanager
def eval_mode(network):
    """Put a network in eval mode; give each layer its own mode back after."""
    layers = [network] + network.sublayers()
    modes = [layer.training for layer in layers]
    network.eval()
    try:
        yield network
    finally:
        for layer, mode in zip(layers, modes):
            layer.training = mode


def eager_forward(network):
    """Wrap a network as `forward`: numpy in, main logits as numpy out.

    The mode of the network stays as it is: see `eval_mode`.

    Args:
        network (Layer): float32 [N, 3, h, w] to a list of logits.

    Returns: a callable, float32 [N, 3, h, w] to float32 [N, C, h, w].
    """

    def forward(x):
        with paddle.no_grad():
            logits = network(paddle.to_tensor(x))
        main = logits[0] if isinstance(logits, (list, tuple)) else logits
        return main.astype("float32").numpy()

    return forward


def confidence(scores, probabilities=True):
    """Largest probability of each pixel.

    Args:
        scores (ndarray): float32 [C, h, w], sums of probabilities.
        probabilities (bool): with False, logits of one pass.

    Returns: float32 [H, W] in (0, 1].
    """
    best = scores.max(axis=0)
    if probabilities:
        return best / scores.sum(axis=0)
    total = np.zeros_like(best)
    for part in scores:
        total += np.exp(part - best)
    return 1.0 / total


def merge_options(section, given):
    """Test options of the configuration, overridden by the command line.

    Args:
        section (dict): `test_config` of the configuration, may be None.
        given (dict): option -> value of a flag, None where not given.

    Returns: keyword arguments for `Inferencer`.
    Raises: ConfigError for a flag that another one must switch on.
    """
    options = dict(section or {})
    options.update({k: v for k, v in given.items() if v is not None})
    needs = dict(crop_size=("is_slide", "center_crop"), stride=("is_slide",),
                 border=("is_slide",), scales=("aug_eval",),
                 scaling=("aug_eval",),
                 flip_horizontal=("aug_eval",), flip_vertical=("aug_eval",))
    for name, switches in needs.items():
        if given.get(name) and not any(options.get(s) for s in switches):
            raise ConfigError(f"--{name} has no effect without "
                              f"{' or '.join(f'--{s}' for s in switches)}")
    return options


def _apply(ops, data):
    """Run transforms; PaddleSeg's own want float32 images."""
    for op in ops:
        if type(op).__module__.startswith("paddleseg."):
            data["img"] = data["img"].astype(np.float32, copy=False)
        data = op(data)
    return data


class Prepared(NamedTuple):
    """A picture on its way to the network.

    Attributes:
        array (ndarray): the canvas of `sliding_window.windows`, or at
            several scales the picture [h', w', 3] before `Normalize`.
        cut (list, optional): the boxes and margins of the canvas.
        info (list): how the transforms before `Normalize` are undone.
    """

    array: np.ndarray
    cut: Optional[list]
    info: list


class Inferencer:
    """Class map of a raw image.

    The transforms before `Normalize` act once on the raw image; `Normalize`
    and what follows act on each scale of it. Size changes are undone.

    Args:
        forward (callable): float32 [N, 3, h, w] to logits [N, C, h, w], both
            numpy; see `eager_forward` and `onnx_engine.choose_engine`.
        transforms (list): built transforms of the validation set.
        is_slide (bool): cut the image into overlapping windows.
        crop_size (list, optional): window (w, h) in pixels, of is_slide or
            center_crop.
        stride (list, optional): step of the windows (w, h) in pixels, at
            most `crop_size`; default two thirds of it, rounded up.
        border (str): "move": the last window is moved back to end at the
            border of the image; "cut": the border cuts the windows.
        sum_softmax (bool): sum the probabilities of windows, flips and
            scales instead of their logits.
        center_crop (bool): scores are of the middle alone: see `evaluated`.
        pad_label (int, optional): of center_crop: smaller images are padded
            to `crop_size`, with the mean of `Normalize`, and their masks
            with this label. None: they are not.
        pad_to (list, optional): smaller whole images are padded to this
            (w, h) on the right and at the bottom, with the mean.
        score_size (list, optional): masks are brought to this (w, h) before
            they are compared: the score is of that size.
        aug_eval (bool): sum over `scales` and the flips; without it they
            have no effect.
        scales (float|list): factors on the size of the image, > 0.
        scaling (str): "image" or "input": see `sliding_window.multi_scale`.
        flip_horizontal, flip_vertical (bool): add the mirrored images.
        pad_multiple (int): of whole images: sides are padded to multiples of
            it by reflection.
        batch (int): windows (and flips) per forward pass.

    Raises: ArgumentError for values that do not fit together.
    """

    @check.arguments
    def __init__(self, *, forward, transforms=(), is_slide: check.BOOL = False,
                 crop_size: _SIZE = None, stride: _SIZE = None,
                 border: check.OneOf("move", "cut") = "move",
                 sum_softmax: check.BOOL = False,
                 center_crop: check.BOOL = False,
                 pad_label: check.Range(0, 255, integer=True,
                                        optional=True) = None,
                 pad_to: _SIZE = None, score_size: _SIZE = None,
                 aug_eval: check.BOOL = False, scales=1.0,
                 scaling: check.OneOf("image", "input") = "image",
                 flip_horizontal: check.BOOL = False,
                 flip_vertical: check.BOOL = False,
                 pad_multiple: check.Range(1, integer=True) = 1,
                 batch: check.Range(1, integer=True) = 1):
        scales = [scales] if isinstance(scales, numbers.Real) else scales
        if not check.ListOf(_SCALE).accepts(scales) or not scales:
            raise ArgumentError("scales", scales, "numbers greater than 0")
        if is_slide and center_crop:
            raise ArgumentError("center_crop", True,
                                "false where is_slide is true")
        if is_slide and pad_multiple > 1:
            raise ArgumentError("pad_multiple", pad_multiple,
                                "1 where is_slide is true")
        if pad_to and (is_slide or pad_multiple > 1):
            raise ArgumentError("pad_to", pad_to, "null where is_slide is "
                                "true or pad_multiple is set")
        if score_size and center_crop:
            raise ArgumentError("score_size", score_size, "null where "
                                "center_crop is true")
        if (is_slide or center_crop) and crop_size is None:
            raise ArgumentError(
                "crop_size", None, "[width, height] where "
                f"{'is_slide' if is_slide else 'center_crop'} is true")
        if is_slide and stride is not None and (
                stride[0] > crop_size[0] or stride[1] > crop_size[1]):
            raise ArgumentError("stride", stride,
                                f"at most the crop_size {list(crop_size)}")
        self.forward = forward
        first = next((i for i, op in enumerate(transforms)
                      if type(op).__name__ == "Normalize"), len(transforms))
        self._before, self._after = transforms[:first], transforms[first:]
        self._center = tuple(crop_size) if center_crop else None
        self._pad_label = pad_label
        self._mean = 255 * np.float32(getattr(
            transforms[first], "mean", 0)) if first < len(transforms) else 0
        self._score_size = score_size
        self._scales = tuple(scales) if aug_eval else (1.0,)
        self._options = dict(
            crop_size=tuple(crop_size) if is_slide else None,
            stride=tuple(stride) if is_slide and stride else None,
            border=border, pad_multiple=pad_multiple, pad_to=pad_to,
            sum_softmax=sum_softmax, scaling=scaling,
            flips=sliding_window.flip_axes(aug_eval and flip_horizontal,
                                           aug_eval and flip_vertical),
            batch=batch)

    def __call__(self, image, out_size=None):
        """Label every pixel.

        Args:
            image (ndarray): uint8 [h, w, 3], RGB.
            out_size (tuple, optional): (H, W) of the result, default (h, w).

        Returns: (uint8 [H, W] classes, float32 [C, H, W] summed logits).
        """
        prepared = self.prepare(image)
        return self.finish(self.maps([prepared])[0], prepared.info,
                           out_size or image.shape[:2])

    def prepare(self, image):
        """The first part, which needs no network: Prepared."""
        image, info = self._resized(image)
        if self._scales != (1.0,) or self._options["scaling"] != "image":
            return Prepared(image, None, info)
        canvas, *cut = self._windows(image)
        return Prepared(canvas, cut, info)

    def maps(self, prepared):
        """The part with the network.

        Args:
            prepared (list of Prepared): inputs of one size are run together,
                at most `batch` of them.

        Returns: list of float32 [C, h', w'], summed logits.
        """
        if all(one.cut is not None for one in prepared):
            return sliding_window.sums(
                [(one.array, *one.cut) for one in prepared], self.forward,
                **{k: self._options[k] for k in ("sum_softmax", "flips",
                                                 "batch")})
        return sliding_window.multi_scales(
            [one.array for one in prepared], self.forward, self._normalize,
            scales=self._scales, **self._options)

    def finish(self, maps, info, out_size):
        """The last part: as a call returns it.

        Args:
            maps (ndarray): one of `maps`.
            info (list): see `Prepared`.
            out_size (tuple): (H, W) of the result.
        """
        maps = self._undo(maps, info, tuple(out_size))
        return sliding_window.argmax(maps), maps

    @property
    def one_pass(self):
        """Whether each pixel is of a single forward pass."""
        return (self._options["crop_size"] is None and
                len(self._scales) == len(self._options["flips"]) == 1)

    @property
    def sums_probabilities(self):
        """Whether results are sums of probabilities, not of logits."""
        return self._options["sum_softmax"]

    def evaluated(self, array):
        """The part of an image or mask [h, w, ...] that scores are of.

        With a `score_size` a mask of this size: the image stays whole.
        """
        if self._score_size is not None and array.ndim == 2:
            return np.array(Image.fromarray(array).resize(
                self._score_size, Image.Resampling.NEAREST))
        if self._center is None:
            return array
        array = sliding_window.center(array, self._center)
        if self._pad_label is None:
            return array
        return sliding_window.pad_center(
            array, self._center, self._mean if array.ndim > 2 else
            self._pad_label)

    def first_input(self, image):
        """What the network gets first for an image: float32 [1, 3, h, w]."""
        canvas, boxes, _ = self._windows(self._resized(image)[0])
        top, left, h, w = boxes[0]
        return np.ascontiguousarray(canvas[None, :, top:top + h,
                                           left:left + w])

    def _resized(self, image):
        """The image after the transforms before `Normalize`, and how to
        undo them."""
        data = _apply(self._before, {
            "img": image, "trans_info": [], "gt_fields": [],
            "rng": np.random.default_rng(0)})
        return data["img"], data["trans_info"]

    def _windows(self, image):
        return sliding_window.windows(
            image, self._normalize, *(self._options[name] for name in (
                "crop_size", "stride", "border", "pad_multiple", "pad_to")))

    def _normalize(self, image):
        data = _apply(self._after, {"img": image, "trans_info": [],
                                    "gt_fields": [],
                                    "rng": np.random.default_rng(0)})
        if data["img"].shape != image.shape:
            names = ", ".join(type(op).__name__ for op in self._after)
            raise ConfigError(
                "val_dataset.transforms: what changes the size has to stand "
                f"before Normalize; the end of the list is: {names}")
        return np.ascontiguousarray(
            data["img"].astype(np.float32, copy=False).transpose(2, 0, 1))

    @staticmethod
    def _undo(maps, trans_info, out_size):
        """Bring logits to `out_size` through the recorded size changes."""
        wanted = None
        for kind, size in reversed(trans_info):
            if kind == "resize":  # resized once, to the last size in a row
                wanted = tuple(size)
                continue
            if wanted:
                maps, wanted = sliding_window.resize_maps(maps, wanted), None
            maps = np.ascontiguousarray(maps[:, :size[0], :size[1]])
        return sliding_window.resize_maps(maps, out_size)
