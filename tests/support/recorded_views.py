# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""CAC on recorded vectors and scores of two views."""

from unittest import mock

import numpy as np
import paddle
from paddle import nn

from contrib_semiseg.losses.directional_contrast import contrast, masked_sums
from contrib_semiseg.methods import cac
from contrib_semiseg.methods.base import Step
from contrib_semiseg.methods.pseudo_labels import confidence
from contrib_semiseg.mixing import overlap
from contrib_semiseg.transforms.crops import OverlapCrops

FIRST = Step(it=0, total=1)
CELL = 8


class RecordedViews(nn.Layer):
    """A network whose features are vectors [N, C, h, w] that were recorded.

    In training mode one call after the other gives the next view's; scores
    [N, K, h, w] belong to them. In eval mode, features have a stride of 8.
    """

    def __init__(self, vectors, scores):
        super().__init__()
        self.vectors, self.scores, self.calls = vectors, scores, 0

    def forward(self, images, outputs=None):
        if outputs is None:
            return [paddle.zeros([1])]
        if not self.training:
            return {"feature": paddle.zeros(
                [1, self.vectors[0].shape[1], 8, 8])}
        self.calls += 1
        return {"feature": self.vectors[self.calls - 1]}

    @staticmethod
    def embedding(feature):
        return feature

    def score(self, feature):
        return self.scores[self.calls - 1]


def make(network, *, count, rows, columns, **options):
    """A CAC that contrasts from the first step on; no supervised loss."""
    method = cac.CAC(
        model=network, criterion=lambda *_: paddle.zeros([]),
        crops=OverlapCrops(crop_size=[CELL * columns, CELL * rows]),
        batch_size=count, start_epoch=0, **options)
    method.train()
    return method


def whole(count, rows, columns):
    """Geometry of views that are the same, not mirrored window."""
    return {f"{view}_{key}": value for view in cac.VIEWS for key, value in (
        ("overlap", np.tile([0, 0, CELL * rows, CELL * columns], (count, 1))),
        ("mirrored", np.zeros(count, bool)))}


def advance(method, vectors, scores, picks, geometry=None):
    """One step of a method on these arrays.

    Args:
        vectors, scores, picks: of both views: [N, C, h, w], [N, K, h, w] and
            the cells that go to the memory [selected_num].
        geometry (dict, optional): see `whole`, the default.

    Returns: dict of numpy arrays: what the vectors of golden cases name.
    """
    vectors, scores = ([paddle.to_tensor(v, stop_gradient=False)
                        for v in pair] for pair in (vectors, scores))
    network = RecordedViews(vectors, scores)
    method.model = network
    count, _, rows, columns = vectors[0].shape
    image = paddle.zeros([count, 3, CELL * rows, CELL * columns])
    unlabeled = {k: paddle.to_tensor(v) for k, v in (
        geometry or whole(count, rows, columns)).items()}
    waiting = [paddle.to_tensor(p) for p in picks]
    method.draw = lambda cells: waiting.pop(0)
    batch = {"labeled": {"img": image, "label": None},
             "unlabeled": {"view1": image, "view2": image, **unlabeled}}
    result, seen = {}, []

    def overlap_cells(*given):
        seen.append(overlap.overlap_cells(*given))
        return seen[-1]

    with mock.patch.object(cac, "directional_contrast",
                           side_effect=cac.directional_contrast) as spy, \
            mock.patch.object(cac, "overlap_cells", overlap_cells):
        terms = method(batch, FIRST)
    assert network.calls == 2 and not waiting
    for k, index in enumerate(seen):
        conf, _ = confidence(scores[k])
        result[f"conf{k + 1}"] = conf.flatten().gather(index)
    for k, call in enumerate(spy.call_args_list, 1):
        own, other, label, learns, bank, bank_label = call.args
        assert bank.stop_gradient
        rows = own, other, label, bank, bank_label
        _, most, total, _ = masked_sums(*rows, **call.kwargs)
        result.update({
            f"feat{k}": own, f"pl{k}": label, f"mask{k}": learns,
            f"nll{k}": contrast(*rows, **call.kwargs),
            f"max{k}": most.squeeze(1), f"den{k}": total.squeeze(1),
            f"loss{k}": terms[f"loss_contrast{k}"] / method.contrast_weight})
    result.update(bank_feat=method.memory.rows("feature"),
                  bank_label=method.memory.rows("label"),
                  loss_unsup=method.total_loss(terms))
    method.total_loss(terms).backward()
    for k, view, score in zip("12", vectors, scores):
        assert score.grad is None, "the classifier learns nothing here"
        result[f"grad_z{k}"] = view.grad
    return {k: v.numpy() for k, v in result.items()}


def arrays_of(arrays, suffix="", at=...):
    """The recorded arrays of a case's process or iteration."""
    return [[arrays[f"in_{name}{k}{suffix}"][at] for k in "12"]
            for name in ("z", "logits", "idx")]


def method_of(arrays, params, suffix="", **changes):
    """The method of a case; `step_save`, `weight` and `sel` may be absent."""
    z = arrays[f"in_z1{suffix}"]
    count, _, rows, columns = z.shape[-4:]
    options = dict(
        temperature=params["T"], conf_thresh=params["thr"],
        contrast_weight=params.get("weight", 1.0),
        step_save=params.get("step_save", 0),
        selected_num=arrays[f"in_idx1{suffix}"].shape[-1])
    network = RecordedViews([paddle.zeros(z.shape[-4:])], [])
    return make(network, count=count, rows=rows, columns=columns,
                **{**options, **changes})
