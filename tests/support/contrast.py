# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""A recorded step of `ClassContrast`, and all that can be seen of it."""

from unittest import mock

import numpy as np
import paddle

from contrib_semiseg.methods import class_contrast
from contrib_semiseg.methods.class_contrast import ClassContrast


def build(case):
    """The contrast of a case, its memories filled as before the step."""
    p = case.params
    options = {k: p[k] for k in ("low_rank", "high_rank", "temperature")}
    found = ClassContrast(
        num_classes=p["C"], width=p["D"], **options,
        largest=p["current_class_negative_threshold"],
        by_label=case.kind != "contra_option_paper_negatives",
        by_position=not case.kind.startswith("contra_option"),
        anchor_thresh=p["current_class_threshold"], queries=p["num_queries"],
        negatives=p["num_negatives"], capacities=p["queue_size"],
        average="in_momentum_prototype" in case.arrays)
    for c, queue in enumerate(found.memory.queues):
        if len(case[f"in_bank_{c}"]):
            queue.append(feature=case.tensor(f"in_bank_{c}"))
    if found.average:
        kept = case["in_momentum_prototype"]
        assert (kept == kept[:, :1]).all(), "one mean of all anchors"
        found.means.set_value(kept[:, 0, 0])
    return found


def script(layer, anchors, negatives):
    """Let a contrast draw these places; returns the list of counts."""
    waiting = [row for pair in zip(anchors, negatives) for row in pair]
    counts = []

    def draw(count, n):
        counts.append(count)
        drawn = paddle.to_tensor(waiting.pop(0).astype(np.int64))
        assert drawn.shape == [n] and int(drawn.max()) < count
        return drawn

    layer.draw = draw
    return counts


def run(case):
    """Do the step: name -> array, as the case names them, and `pairs`."""
    p, layer = case.params, build(case)
    features = case.tensor("in_rep", grad=True)
    masks, probability = (paddle.concat([
        case.tensor(f"in_{name}_{part}") for part in "lu"])
        for name in ("label", "prob"))
    low, high = (case.tensor(f"in_{name}_mask").astype("bool")
                 for name in ("low", "high"))
    script(layer, case["in_anchor_idx"], case["in_neg_idx"])
    seen = {"means": [], "terms": [], "pairs": [], "anchors": []}
    inner, place = class_contrast.prototype_contrast, class_contrast

    def term(anchors, mean, negatives, temperature):
        value = inner(anchors, mean, negatives, temperature)
        seen["means"].append(mean.numpy())
        seen["terms"].append(float(value))
        return value

    def positives(means, pairs, count):
        seen["pairs"] = pairs
        return ClassContrast.positives(layer, means, pairs, count)

    def append(features, masks):
        seen["keys"] = masks.astype("int64").sum(axis=[0, 2, 3]).numpy()
        return type(layer.memory).append(layer.memory, features, masks)

    def pixels(masks):
        found = all_pixels(masks)
        seen["anchors"] = [len(row) for row in found]
        return found

    all_pixels = place.class_pixels
    layer.positives, layer.memory.append = positives, append
    with mock.patch.object(place, "prototype_contrast", term), \
            mock.patch.object(place, "class_pixels", pixels):
        loss = layer(features, case.tensor("in_rep_teacher"), probability,
                     masks.astype("bool"), low, high, labeled=p["Nl"],
                     count=p.get("i_iter", 0))
    loss.backward()
    valid = (masks.astype("bool") & low).any(axis=[0, 2, 3])
    found = {
        "pairs": np.array(seen["pairs"]).reshape(-1, 2),
        "out_valid_classes": valid.nonzero().flatten().numpy(),
        "out_new_keys": seen["keys"], "out_loss": loss.numpy(),
        "grad_rep": features.grad.numpy(),
        **{f"out_bank_{c}": queue.rows("feature").numpy()
           for c, queue in enumerate(layer.memory.queues)},
    }
    if seen["terms"]:
        rows = np.array(seen["means"])[:, None]
        found.update(
            out_n_anchor=np.array(seen["anchors"]),
            out_terms=np.array(seen["terms"]),
            out_pos=np.repeat(rows, p["num_queries"], axis=1))
    if layer.average:
        found["out_prototype"] = np.repeat(
            layer.means.numpy()[:, None, None], p["num_queries"], axis=1)
    return found
