# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""The CutMix box of given area and ratio: from draws, and its law."""

import re

import numpy as np

from contrib_semiseg.mixing.boxes import (
    RatioBoxMask,
    boxes_to_mask,
    fit_ratio_box,
)
from tests.golden.case import handles


class _Drawn:
    """A generator of one recorded box, counting the attempts it gave."""

    def __init__(self, gate, area, attempts):
        self.gate, self.area = gate, area
        self.attempts, self.next = attempts, 0

    def random(self):
        return self.gate

    def uniform(self, low, high):
        if self.area is not None:
            value, self.area = self.area, None
        else:
            value = self.attempts[self.next][0]
            self.next += 1
        assert low <= value <= high
        return value

    def integers(self, stop):
        # Of an attempt the column comes first, then the row.
        ratio, x, y = self.attempts[self.next - 1]
        self.attempts[self.next - 1] = ratio, y, x
        assert 0 <= x < stop
        return x


@handles("unimatch", "cutmix_box_fixed")
def box_from_draws(case):
    op, side = RatioBoxMask(prob=case.params["p"]), case.params["S"]
    boxes, counts = [], []
    for i, gate in enumerate(case["in_gate_f64"]):
        rng = _Drawn(gate, case["in_size_u_f64"][i], list(zip(
            case["in_ratio_f64"][i], case["in_x"][i], case["in_y"][i])))
        top, left, tall, wide = op.draw(rng, side, side) or (0, 0, 0, 0)
        boxes.append([left, top, left + wide, top + tall])
        counts.append(rng.next)
    case.check("out_box", boxes)
    case.check("out_n_attempts", counts)


@handles("dssn", "cutmix_box")
def box_mask(case):
    op, side = RatioBoxMask(prob=case.params["p"]), case.params["S"]
    masks = []
    for row in case.params["draws"]:
        rng = _Drawn(row["coin"], row.get("area_u"), [
            (a["ratio"], a["x"], a["y"]) for a in row["attempts"]])
        masks.append(op(rng, side, side)[0])
        assert rng.next == len(row["attempts"])
    case.check("out_boxes", np.array(masks))
    law = case.params["law"]
    side = int(re.search(r"boxes at S=(\d+)", case.entry["what"])[1])
    boxes, share = _draw_many(op, side, 10000)
    top, left = boxes["y0/S"], boxes["x0/S"]
    tall, wide = boxes["h/S"], boxes["w/S"]
    found = {"area": tall * wide, "h": tall, "w": wide, "hw_ratio":
             boxes["h/w"], "y0": top, "x0": left, "cy": top + tall / 2,
             "cx": left + wide / 2}
    assert abs(share - law["p_box"]) < 0.02
    for name, values in found.items():
        # As the manifest says; never less than what two samples differ by.
        stated = 0.006 if name == "area" else 0.02
        allowed = max(stated, _error(values.std(), len(values)))
        assert abs(values.mean() - law[f"{name}_mean"]) < allowed, name
        for extreme in ("min", "max"):
            if f"{name}_{extreme}" in law:
                np.testing.assert_allclose(
                    getattr(values, extreme)(), law[f"{name}_{extreme}"],
                    rtol=0.02 + 8 / side, err_msg=f"{name} {extreme}")
    np.testing.assert_allclose(found["area"].std(), law["area_std"], rtol=0.05)


def _error(std, n):
    """4 standard errors of the difference of two means of `n`."""
    return 4 * std * np.sqrt(2 / n)


def _draw_many(op, side, n):
    """Columns of the boxes among `n` draws, and the share of boxes."""
    rng = np.random.default_rng(0)
    drawn = [op.draw(rng, side, side) for _ in range(n)]
    top, left, tall, wide = np.array([b for b in drawn if b is not None]).T
    return {"area": tall * wide / side**2, "w/S": wide / side,
            "h/S": tall / side, "x0/S": left / side, "y0/S": top / side,
            "h/w": tall / wide}, len(top) / n


@handles("unimatch", "cutmix_box_law")
def box_law(case):
    p = case.params
    columns, share = _draw_many(RatioBoxMask(prob=p["p"]), p["S"],
                                2 * p["n_draws"])
    values = np.array([columns[name] for name in (
        "area", "w/S", "h/S", "x0/S", "y0/S", "h/w")])
    their_n, n = int(case["out_n"]), values.shape[1]
    case.check("out_p_nonempty_f64", share, rtol=0,
               atol=_error(np.sqrt(p["p"] * (1 - p["p"])), p["n_draws"]))
    np.testing.assert_allclose(n / 2, their_n, rtol=0.1)
    case.mark("out_n")
    error = 4 * values.std(axis=1) * np.sqrt(1 / n + 1 / their_n)
    assert (abs(values.mean(axis=1) - case["out_mean_f64"]) < error).all()
    case.mark("out_mean_f64")
    case.check("out_std_f64", values.std(axis=1))
    # A quantile of a spread-out column varies more than its mean.
    levels = np.array([5, 25, 50, 75, 95]) / 100
    slack = case.entry["atol"] + 2 * error
    found = np.quantile(values, levels, axis=1)
    assert (abs(found - case["out_quantiles_f64"]) < slack).all()
    case.mark("out_quantiles_f64")
    # No attempt is taken after the first that fits.
    attempts = iter([(1.0, 0, 0), (1.0, 0, 0)])
    box = fit_ratio_box(4, attempts, p["S"], p["S"])
    assert boxes_to_mask([[box]], p["S"], p["S"]).sum() == 4
    assert len(list(attempts)) == 1
