# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""The picture of a comparison: what each method reaches, and why."""

from contrib_semiseg.reports.runs import mean_and_deviation
from contrib_semiseg.reports.svg import (
    COLORS,
    Axes,
    circle,
    line,
    picture,
    text,
)

_ROW, _LEFT, _MIDDLE = 26, 150, 560
_INK, _LIGHT = "#333333", "#9db8d6"


def _percent(values):
    mean, deviation = mean_and_deviation(values)
    return None if mean is None else 100 * mean, 100 * (deviation or 0.0)


def comparison(groups, *, baseline, full, title):
    """The plot of a comparison.

    Args:
        groups (dict): method -> list of Record, in their order.
        baseline, full (str): the methods whose mIoU a line shows.
        title (str): above it.

    Returns: SVG.
    """
    rows = []
    for name, runs in groups.items():
        mean, deviation = _percent([run.last for run in runs])
        if mean is not None:
            rows.append((name, mean, deviation,
                         _percent([run.best for run in runs])[0]))
    if not rows:
        return picture(400, 60, [text(20, 36, "no run is finished")], title)
    rows.sort(key=lambda row: -row[1])
    height = max(60 + _ROW * len(rows) + 50, 380)
    bottom = 60 + _ROW * len(rows)
    low = min(row[1] - row[2] for row in rows)
    high = max(max(row[3], row[1] + row[2]) for row in rows)
    margin = max(1.0, 0.08 * (high - low))
    axes = Axes((_LEFT, 60, _MIDDLE, bottom),
                (max(0, low - margin), min(100, high + margin)), (0, 1),
                "mIoU, % (ring: the best evaluation)")
    parts = [text(16, 24, title, size=15), *axes.frame(rows=False)]
    for name, mean, _, _ in rows:
        if name in (baseline, full):
            parts.append(line(axes.x(mean), 60, axes.x(mean), bottom,
                              COLORS[1], 1, 'stroke-dasharray="4 3"'))
    for k, (name, mean, deviation, best) in enumerate(rows):
        y = 60 + _ROW * (k + 0.5)
        color = COLORS[1] if name in (baseline, full) else COLORS[0]
        parts += [
            text(_LEFT - 8, y + 4, name, anchor="end"),
            line(axes.x(mean - deviation), y, axes.x(mean + deviation), y,
                 color, 2),
            f'<circle cx="{axes.x(best):.1f}" cy="{y:.1f}" r="5" fill="none" '
            f'stroke="{_LIGHT}" stroke-width="2"/>',
            circle(axes.x(mean), y, color, 4.5, f"{name}: {mean:.2f} %")]
    return picture(1000, height, [*parts, *_labels(groups, height)], title)


def _labels(groups, height):
    """The second half: precision of the pseudo-labels over their coverage."""
    points = []
    for name, runs in groups.items():
        found = [run.quality for run in runs if run.quality]
        coverage, _ = _percent([q["coverage"] for q in found])
        precision, _ = _percent([q["precision"] for q in found])
        if coverage is not None and precision is not None:
            points.append((name, coverage, precision, any(
                q["learned"] for q in found)))
    if not points:
        return []
    ys = [p[2] for p in points]
    axes = Axes((630, 60, 975, height - 50), (0, 100),
                (min(ys) - 2, min(100, max(ys) + 2)),
                "coverage of the pseudo-labels, %",
                "precision, % (grey: learned by nobody)")
    parts, taken = axes.frame(), []
    for name, coverage, precision, learned in sorted(
            points, key=lambda p: p[2]):
        x, y = axes.x(coverage), axes.y(precision)
        right = x > 850
        side = -8 if right else 8
        place = y + 4
        while any(abs(place - other) < 12 and right == there
                  for other, there in taken):
            place -= 3
        taken.append((place, right))
        color = COLORS[0] if learned else "#9a9a9a"
        parts += [circle(x, y, color, 4.5,
                         f"{name}: {precision:.1f} % of {coverage:.1f} %"),
                  line(x, y, x + side * 0.8, place - 4, "#b5b5b5"),
                  text(x + side, place, name, size=11, color=_INK,
                       anchor="end" if right else "start")]
    return parts
