# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Charts of classes: bars of several runs, and a confusion matrix."""

from contrib_semiseg.reports.svg import (
    COLORS,
    Axes,
    escape,
    line,
    picture,
    text,
)


def bars(title, series):
    """A bar for each class and series.

    Args:
        title (str): above it.
        series (list): (name, {class: share in [0, 1] or None}).

    Returns: SVG, or "" without a class.
    """
    series = [(name, values) for name, values in series if values]
    classes = list(dict.fromkeys(c for _, values in series for c in values))
    if not classes:
        return ""
    thick = 12 if len(series) == 1 else max(4, 9 - len(series) // 4)
    row = thick * len(series) + 8
    bottom = 40 + row * len(classes)
    axes = Axes((130, 40, 560, bottom), (0, 100), (0, 1), "%")
    parts = [text(10, 20, title, size=14), *axes.frame(rows=False)]
    for c, name in enumerate(classes):
        top = 44 + row * c
        parts.append(text(122, top + row / 2 - 1, name[:18], anchor="end"))
        for k, (label, values) in enumerate(series):
            if values.get(name) is None:
                continue
            share = 100 * values[name]
            parts.append(
                f'<rect class="bar" x="130" y="{top + thick * k}" '
                f'width="{axes.x(share) - 130:.1f}" height="{thick - 1}" '
                f'fill="{COLORS[k % len(COLORS)]}"><title>{escape(label)}, '
                f'{escape(name)}: {share:.2f} %</title></rect>')
    for k, (label, _) in enumerate(series if len(series) > 1 else ()):
        left, top = 20 + (k % 3) * 185, bottom + 52 + 20 * (k // 3)
        parts += [line(left, top - 4, left + 16, top - 4,
                       COLORS[k % len(COLORS)], 5),
                  text(left + 20, top, label[:24], size=11)]
    legend = 20 * -(-len(series) // 3) if len(series) > 1 else 0
    return picture(580, bottom + 42 + legend, parts, title)


def confusion(title, matrix, classes):
    """Rows of shares: what the pixels of each true class were taken for.

    Args:
        title (str): above it.
        matrix (list): [C][C] counts; rows the truth, columns the prediction.
        classes (list of str): C names.

    Returns: SVG, or "" if the matrix does not fit the names.
    """
    count = len(classes)
    if not count or len(matrix) != count or any(
            len(row) != count for row in matrix):
        return ""
    cell = 34 if count <= 12 else 24
    left, top = 120, 120
    side = cell * count
    parts = [text(10, 20, title, size=14),
             text(10, 38, "rows: truth, columns: prediction; % of the row",
                  size=11)]
    for i, row in enumerate(matrix):
        y, total = top + cell * i, sum(row)
        parts.append(text(left - 6, y + cell / 2 + 4, classes[i][:16],
                          anchor="end", size=11))
        x = left + cell * (i + 0.5)
        parts.append(text(x, top - 6, classes[i][:14], size=11, more=(
            f'transform="rotate(-45 {x:.1f} {top - 6})"')))
        for j, value in enumerate(row):
            share = value / total if total else 0.0
            light = 255 - int(190 * share)
            color = (f"rgb({light},255,{light})" if i == j else
                     f"rgb(255,{light},{light})")
            words = f"{100 * share:.0f}" if share >= 0.005 else ""
            parts.append(
                f'<rect class="cell" x="{left + cell * j}" y="{y}" '
                f'width="{cell}" height="{cell}" fill="{color}" '
                f'stroke="#eeeeee"><title>{escape(classes[i])} as '
                f'{escape(classes[j])}: {100 * share:.2f} %</title></rect>')
            if words and count <= 24:
                parts.append(text(left + cell * (j + 0.5), y + cell / 2 + 4,
                                  words, anchor="middle", size=10))
    return picture(left + side + 70, top + side + 12, parts, title)
