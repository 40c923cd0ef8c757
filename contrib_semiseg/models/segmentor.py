# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""What the networks share: taps of a backbone, outputs by name."""

import paddle
import paddle.nn.functional as F
from paddle import nn

from contrib_semiseg.cvlibs.errors import ArgumentError
from contrib_semiseg.models.heads import auxiliary_head, projection_head

_OUTPUTS = ("logits", "scores", "feature", "embedding", "aux", "backbone")


class Segmentor(nn.Layer):
    """A backbone, a decoder on some of its features, and heads.

    A subclass sets `classifier` and says in `decode` what the taps become.

    Args:
        backbone (Layer): has `feat_channels`, returns a list of features.
        taps (list of int or int): the features that the decoder reads,
            earliest first; or the only one.
        align_corners (bool): of the enlargement of the logits.

    Names of outputs, for `forward`:
        logits: [N, C, H, W], at the size of the picture.
        scores: [N, C, h, w], the logits before they are enlarged.
        feature: [N, D, h, w], what the classifier reads, before its dropout.
        embedding: [N, E, h, w], if the network has that head.
        aux: [N, C, h', w'], if the network has that head.
        backbone: list of the backbone's features.
    """

    def __init__(self, *, backbone, taps, align_corners):
        super().__init__()
        self.taps = [taps] if isinstance(taps, int) else list(taps)
        last = len(backbone.feat_channels) - 1
        if not self.taps or max(self.taps) > last:
            raise ArgumentError(
                "backbone_index" if isinstance(taps, int) else
                "backbone_indices", taps, f"0 to {last}, the features of "
                f"{type(backbone).__name__}")
        self.backbone = backbone
        self.align_corners = align_corners
        self.embedding = self.aux = None

    def add_auxiliary(self, index, num_classes, *, hidden, drop, norm, init):
        """Give the backbone's feature `index` a classifier of its own."""
        channels = self.backbone.feat_channels
        if index is None:
            return
        if index >= len(channels):
            raise ArgumentError("aux_index", index,
                                f"null or 0 to {len(channels) - 1}")
        self.aux_index = index
        self.aux = auxiliary_head(channels[index], hidden, num_classes,
                                  drop=drop, norm=norm, init=init)

    def add_projection(self, in_channels, widths):
        """Give the decoder's feature a projection head of (hidden, out)."""
        if widths is not None:
            self.embedding = projection_head(in_channels, *widths)

    @property
    def embedding_width(self):
        """Channels of the embedding, or None without that head."""
        return None if self.embedding is None else \
            self.embedding[-1].weight.shape[0]

    def decode(self, taps):
        """The decoder's feature and what an embedding head reads.

        Args:
            taps (list of Tensor): the features named by `self.taps`.

        Returns: (feature, source), both [N, *, h, w].
        """
        raise NotImplementedError

    def score(self, feature):
        """The decoder's feature to scores [N, C, h, w]."""
        return self.classifier(feature)

    def enlarge(self, x, size):
        """Bilinear, to `size` (height, width)."""
        return F.interpolate(x, size, mode="bilinear",
                             align_corners=self.align_corners)

    @property
    def feature_width(self):
        """Channels of the output `feature`."""
        return next(p for name, p in self.classifier.named_parameters()
                    if name.endswith("weight")).shape[1]

    def output_names(self):
        """Names of the outputs that this network has."""
        return [name for name in _OUTPUTS
                if not hasattr(self, name) or getattr(self, name) is not None]

    def forward(self, x, outputs=None, perturb=()):
        """Logits, or the outputs asked for.

        Args:
            x (Tensor): [N, 3, H, W] float32.
            outputs (list of str, optional): names of outputs, see the class.
            perturb (list of callable): feature to feature. For each, the
                decoder reads another copy of every tap, perturbed by it; the
                copies follow the clean ones along the batch, so that one
                pass (and one BatchNorm batch) covers all, and logits,
                scores, feature and embedding have (1 + P) * N rows.

        Returns:
            list of Tensor: logits, and in training those of the auxiliary
            head, if there is one, at the same size; or, with `outputs`, a
            dict of what they name.

        Raises: ArgumentError: the network has no such output.
        """
        size = x.shape[2:]
        features = self.backbone(x)
        taps = [features[i] for i in self.taps]
        if perturb:
            taps = [paddle.concat([t] + [p(t) for p in perturb]) for t in taps]
        feature, source = self.decode(taps)
        if outputs is None:
            logits = [self.enlarge(self.score(feature), size)]
            if self.aux is not None and self.training:
                aux = self.aux(features[self.aux_index])
                logits.append(self.enlarge(aux, size))
            return logits
        for name in outputs:
            if name not in self.output_names():
                raise ArgumentError("outputs", name,
                                    ", ".join(self.output_names()))
        result = {"feature": feature, "backbone": features}
        if "scores" in outputs or "logits" in outputs:
            result["scores"] = self.score(feature)
        if "logits" in outputs:
            result["logits"] = self.enlarge(result["scores"], size)
        if "embedding" in outputs:
            result["embedding"] = self.embedding(source)
        if "aux" in outputs:
            result["aux"] = self.aux(features[self.aux_index])
        return {name: result[name] for name in outputs}
