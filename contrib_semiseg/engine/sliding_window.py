# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Score map of one image: whole, or window by window; flips and scales.

Arrays are numpy's. `forward` maps float32 [N, 3, h, w] to the logits
float32 [N, C, h, w]; `normalize` maps a raw image [h, w, 3] (RGB, 0..255) to
float32 [3, h, w].
Source: CPS (CVPR 2021), the evaluation of its release: the logits of
overlapping windows, flips and scales are summed, never averaged; of cut
windows and summed probabilities: the UniMatch release; of resized inputs: the
ST release.
"""

import itertools
import math

import cv2
import numpy as np
import paddle
import paddle.nn.functional as F


def default_stride(crop_size):
    """Two thirds of the crop (w, h), rounded up."""
    return tuple(-(-2 * side // 3) for side in crop_size)


def starts(size, crop, stride):
    """First pixels of the windows along one axis; the last ends at `size`.

    All in pixels; `size` >= `crop` and 0 < `stride` <= `crop`.
    """
    count = math.ceil((size - crop) / stride) + 1
    return [min(i * stride, size - crop) for i in range(count)]


def softmax(logits):
    """Probabilities float32 [N, C, h, w] over the C of logits."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def center(array, crop_size):
    """The middle (w, h) of an array [H, W, ...]; a shorter axis stays whole.

    Of an odd rest the smaller half is cut off at the top and left.
    """
    cuts = []
    for size, crop in zip(array.shape, crop_size[::-1]):
        start = max(0, size - crop) // 2
        cuts.append(slice(start, start + crop))
    return array[tuple(cuts)]


def flip_axes(horizontal, vertical):
    """The axes (of [..., h, w]) that each pass mirrors, () first."""
    one_way = [()] + ([(-1,)] if horizontal else [])
    return one_way + ([axes + (-2,) for axes in one_way] if vertical else [])


def resize_maps(maps, size):
    """Bilinear resize of float32 [C, h, w] to `size` (h, w).

    Pixel centres correspond (align_corners false). Returns `maps` itself
    where the size is right already.
    """
    if maps.shape[1:] == tuple(size):
        return maps
    out = np.empty((len(maps), *size), np.float32)
    # Channel by channel: three times as fast as one call with C channels.
    for source, target in zip(maps, out):
        cv2.resize(source, (size[1], size[0]), dst=target,
                   interpolation=cv2.INTER_LINEAR)
    return out


def resize_aligned(maps, size):
    """Bilinear resize of float32 [C, h, w] to `size`; corners correspond."""
    if maps.shape[1:] == tuple(size):
        return maps
    return F.interpolate(paddle.to_tensor(maps[None]), size, mode="bilinear",
                         align_corners=True)[0].numpy()


def argmax(maps):
    """Class map uint8 [H, W] (uint16 from 257 classes) of [C, H, W].

    The lowest class wins a tie.
    """
    best = maps[0].copy()
    classes = np.zeros(best.shape, np.uint8 if len(maps) <= 256 else np.uint16)
    for index in range(1, len(maps)):
        np.copyto(classes, index, where=maps[index] > best)
        np.maximum(best, maps[index], out=best)
    return classes


def _margins(size, least):
    """(before, after) of each axis, centred, that make `size` >= `least`."""
    lacks = [max(0, wanted - side) for side, wanted in zip(size, least)]
    return [(lack // 2, lack - lack // 2) for lack in lacks]


def pad_center(array, least, value):
    """An array [H, W, ...] padded to at least (w, h), centred, see `center`.

    Args:
        value (number or array): of the padding; an array (one per channel)
            makes the result float32.
    """
    (top, bottom), (left, right) = _margins(array.shape, least[::-1])
    height, width, *channels = array.shape
    if not any((top, bottom, left, right)):
        return array
    out = np.empty((top + height + bottom, left + width + right, *channels),
                   np.float32 if np.ndim(value) else array.dtype)
    out[...] = value
    out[top:top + height, left:left + width] = array
    return out


def windows(image, normalize, crop_size=None, stride=None, border="move",
            pad_multiple=1, pad_to=None):
    """The inputs of the network for one raw image.

    Args:
        image (ndarray): [h, w, 3] RGB, uint8 or float32 in 0..255.
        normalize (callable): see the module.
        crop_size (tuple, optional): (w, h) in pixels; None = whole image.
        stride (tuple, optional): (w, h) in pixels.
        border (str): "move": the last window is moved back to end at the
            border, and a small image is padded; "cut": windows start at
            every multiple of the stride and the border cuts them, however
            little is left.
        pad_multiple (int): of a whole image, height and width are padded to
            multiples of it by reflection at the bottom and right.
        pad_to (tuple, optional): of a whole image, the least (w, h); it is
            padded with 0 at the bottom and right, after `normalize`.

    Returns: (canvas, boxes, margins): float32 [3, H, W] normalised and
        padded; (top, left, height, width) of each window in it; and the
        ((top, bottom), (left, right)) that were padded.
    """
    size = image.shape[:2]
    if crop_size is None:
        margins = [(0, max(0, least - side) if pad_to else
                    -side % pad_multiple)
                   for least, side in zip((pad_to or (0, 0))[::-1], size)]
        canvas = normalize(image)
        if any(map(any, margins)):
            canvas = np.pad(canvas, [(0, 0)] + margins,
                            mode="constant" if pad_to else "reflect")
        return canvas, [(0, 0, *canvas.shape[1:])], margins
    crop = (crop_size[1], crop_size[0])
    stride = stride or default_stride(crop_size)
    if border == "cut":
        places = itertools.product(range(0, size[0], stride[1]),
                                   range(0, size[1], stride[0]))
        return normalize(image), [
            (top, left, min(crop[0], size[0] - top),
             min(crop[1], size[1] - left)) for top, left in places
        ], [(0, 0), (0, 0)]
    margins = _margins(size, crop)
    padded = any(map(any, margins))
    if size[0] <= crop[0] and size[1] <= crop[1]:
        canvas = normalize(image)
        if padded:
            canvas = np.pad(canvas, [(0, 0)] + margins)
        return canvas, [(0, 0, *crop)], margins
    # The margin of a window that slides is black, one alone has the mean.
    if padded:
        image = np.pad(image, margins + [(0, 0)])
    canvas = normalize(image)
    rows = starts(image.shape[0], crop[0], stride[1])
    columns = starts(image.shape[1], crop[1], stride[0])
    return canvas, [(top, left, *crop) for top, left in
                    itertools.product(rows, columns)], margins


def _groups(passes, batch):
    """Cut (place, box, axes) into lists of at most `batch`, of equal size."""
    for _, run in itertools.groupby(passes, lambda one: one[1][2:]):
        run = list(run)
        for first in range(0, len(run), batch):
            yield run[first:first + batch]


def sums(cuts, forward, *, sum_softmax=False, flips=((),), batch=1):
    """Of each image, the sum of the logits of its windows and flips.

    Each window is mirrored by itself, so the result does not depend on
    where a mirrored image would have been cut.

    Args:
        cuts (list): what `windows` returned for each image.
        forward (callable): see the module.
        sum_softmax (bool): sum probabilities instead of logits.
        flips (sequence): see `flip_axes`.
        batch (int): windows of one size per forward pass, of one image or
            of several.

    Returns: list of float32 [C, h, w] at the sizes of the images.
    """
    passes = [(n, box, axes) for n, (_, boxes, _) in enumerate(cuts)
              for box, axes in itertools.product(boxes, flips)]
    totals = [None] * len(cuts)
    for group in _groups(passes, batch):
        logits = forward(np.stack([
            np.flip(cuts[n][0][:, top:top + h, left:left + w], axes)
            for n, (top, left, h, w), axes in group]))
        if sum_softmax:
            logits = softmax(logits)
        for (n, (top, left, h, w), axes), part in zip(group, logits):
            canvas, boxes, _ = cuts[n]
            part = np.flip(part, axes)
            if len(boxes) * len(flips) == 1:
                totals[n] = part
                continue
            if totals[n] is None:
                totals[n] = np.zeros((len(part), *canvas.shape[1:]),
                                     np.float32)
            totals[n][:, top:top + h, left:left + w] += part
    return [total[:, top:total.shape[1] - bottom,
                  left:total.shape[2] - right]
            for total, (_, _, ((top, bottom), (left, right)))
            in zip(totals, cuts)]


def scores(images, forward, normalize, *, crop_size=None, stride=None,
           border="move", pad_multiple=1, pad_to=None, **options):
    """`sums` of the windows of raw images.

    Args:
        images (list of ndarray), normalize, crop_size, stride, border,
            pad_multiple, pad_to: see `windows`.
        forward, **options: see `sums`.
    """
    return sums([windows(image, normalize, crop_size, stride, border,
                         pad_multiple, pad_to) for image in images],
                forward, **options)


def score(image, forward, normalize, **options):
    """`scores` of one image: float32 [C, h, w]."""
    return scores([image], forward, normalize, **options)[0]


def multi_scales(images, forward, normalize, *, scales=(1.0,),
                 scaling="image", **options):
    """Of each image, the sum of `scores` of it resized, brought back.

    Args:
        images (list of ndarray): see `windows`.
        scales (sequence[float]): factors of the size.
        scaling (str): what is resized, bilinear: "image", the raw one, to
            the rounded size; "input", the normalised one, to the size cut
            to integers, its corners and those of its map aligned.
        **options: passed to `scores`.

    Returns: list of float32 [C, h, w] at the sizes of `images`.
    """
    totals = [None] * len(images)
    for scale in scales:
        if scaling == "input":
            back, as_input = resize_aligned, _as_input
            scaled = [_resized_input(image, normalize, scale)
                      for image in images]
        else:
            back, as_input = resize_maps, normalize
            scaled = [image if scale == 1 else cv2.resize(
                image, None, fx=scale, fy=scale,
                interpolation=cv2.INTER_LINEAR) for image in images]
        for n, part in enumerate(scores(scaled, forward, as_input,
                                        **options)):
            part = back(part, images[n].shape[:2])
            totals[n] = part if totals[n] is None else totals[n] + part
    return totals


def multi_scale(image, forward, normalize, **options):
    """`multi_scales` of one image: float32 [C, h, w]."""
    return multi_scales([image], forward, normalize, **options)[0]


def _as_input(x):
    return np.ascontiguousarray(x.transpose(2, 0, 1))


def _resized_input(image, normalize, scale):
    """The normalised image resized: float32 [h', w', 3]."""
    size = [max(1, int(side * scale)) for side in image.shape[:2]]
    return resize_aligned(normalize(image), size).transpose(1, 2, 0)
