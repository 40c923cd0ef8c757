# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Strong changes of a batch with its pseudo-labels, drawn in the step."""

import numpy as np
import paddle

from contrib_semiseg.mixing.boxes import boxes_to_mask, draw_half_boxes
from contrib_semiseg.mixing.class_mask import (
    choose_half,
    class_mask,
    classes_present,
)
from contrib_semiseg.mixing.cow import cow_mask, draw_cow
from contrib_semiseg.mixing.paste import cut_out, paste_next


class BatchMixing:
    """Mixes each image of a batch with the next one, or cuts a part out.

    Args:
        kind (str): "cutmix" (a box of half the image shows the next image),
            "cutout" (it is black after normalisation and has no label),
            "classmix" (half of the classes stay, the rest shows the next
            image), "cowmix" (blotches show it) or "none".
        prob (float): how often; one draw decides for a whole batch.
        num_classes, ignore_index (int): of the labels.
        whole_width (bool): see `half_box_widths`.
    """

    def __init__(self, kind, prob, *, num_classes, ignore_index=255,
                 whole_width=False):
        self.kind, self.prob = kind, prob
        self.num_classes, self.ignore_index = num_classes, ignore_index
        self.whole_width = whole_width

    def draw(self, label):
        """A mask [N, 1, H, W] of what changes, or None.

        Draws from the global generators, which the trainer seeds.

        Args:
            label (Tensor): int64 [N, H, W].
        """
        if self.kind == "none" or np.random.random() >= self.prob:
            return None
        if self.kind == "classmix":
            present = classes_present(label, self.num_classes)
            chosen = choose_half(present, paddle.rand(present.shape))
            return ~class_mask(label, chosen)
        rng = np.random.default_rng(np.random.randint(2**31))
        if self.kind == "cowmix":
            drawn = [draw_cow(rng, *label.shape[1:]) for _ in label]
            return paddle.to_tensor(np.stack(
                [1 - cow_mask(*one)[None] for one in drawn]))
        boxes = draw_half_boxes(rng, *label.shape, whole=self.whole_width)
        return paddle.to_tensor(boxes_to_mask(boxes[:, None],
                                              *label.shape[1:]))

    def apply(self, images, label, mask):
        """Images [N, 3, H, W] and label [N, H, W], changed in the mask.

        Where images are mixed, probabilities [N, C, H, W] may take the place
        of the label.
        """
        if mask is None:
            return images, label
        if self.kind == "cutout":
            return (cut_out(images, mask, 0),
                    cut_out(label, mask, self.ignore_index))
        return paste_next(images, mask), paste_next(label, mask)

    def __call__(self, images, label):
        return self.apply(images, label, self.draw(label))
