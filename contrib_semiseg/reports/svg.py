# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Charts as SVG, made of text alone. All text is escaped."""

import html
import math

COLORS = ("#2a6fbb", "#c8553d", "#3b8b5a", "#8a5fb0", "#b8860b", "#4a9a9a",
          "#a0527f", "#6b6b6b", "#7d9a2d", "#d07f2e", "#5560a8", "#996644")
_GREY, _INK = "#d9d9d9", "#333333"


def escape(text):
    """A text for XML, without the characters that XML 1.0 forbids."""
    return html.escape("".join(c if c >= " " or c in "\t\n" else "?"
                               for c in str(text)), quote=True)


def text(x, y, words, *, anchor="start", size=12, color=_INK, more=""):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" '
            f'text-anchor="{anchor}" fill="{color}" {more}>{escape(words)}'
            "</text>")


def line(x1, y1, x2, y2, color=_GREY, width=1, more=""):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'stroke="{color}" stroke-width="{width}" {more}/>')


def circle(x, y, color, radius=4, title=None):
    inside = f"<title>{escape(title)}</title>" if title else ""
    return (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" '
            f'fill="{color}">{inside}</circle>')


def picture(width, height, parts, title):
    """A complete SVG of so many pixels."""
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
            f'height="{height}" viewBox="0 0 {width} {height}" role="img" '
            'font-family="Helvetica, Arial, sans-serif">'
            f"<title>{escape(title)}</title>"
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>'
            + "".join(parts) + "</svg>\n")


def ticks(low, high, count=5):
    """Round numbers between two numbers, both included where they are round.
    """
    if not high > low:
        high = low + (abs(low) or 1.0)
    step = 10.0**math.floor(math.log10((high - low) / count))
    while (high - low) / step > count:
        step *= 2 if (high - low) / step <= 2 * count else \
            (5 if (high - low) / step <= 5 * count else 10)
    first = math.ceil(low / step - 1e-9)
    return [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]


def short(value):
    """A number as a short text."""
    return f"{value:.4g}"


class Axes:
    """A frame with ticks that places numbers in it.

    Args:
        box (tuple): left, top, right, bottom in pixels.
        x, y (tuple): (low, high) of the numbers.
        x_label, y_label (str): under and above it.
        log (bool): the vertical axis is logarithmic; y is greater than 0.
    """

    def __init__(self, box, x, y, x_label="", y_label="", log=False):
        self.box, self.log = box, log
        self.x_range = x if x[1] > x[0] else (x[0] - 0.5, x[0] + 0.5)
        if log:
            y = math.log10(y[0]), math.log10(y[1])
        self.y_range = y if y[1] > y[0] else (
            y[0] - (abs(y[0]) / 10 or 0.5), y[0] + (abs(y[0]) / 10 or 0.5))
        self.labels = x_label, y_label

    def x(self, value):
        low, high = self.x_range
        left, _, right, _ = self.box
        return left + (value - low) / (high - low) * (right - left)

    def y(self, value):
        value = math.log10(value) if self.log else value
        low, high = self.y_range
        _, top, _, bottom = self.box
        return bottom - (value - low) / (high - low) * (bottom - top)

    def frame(self, rows=True):
        """The ticks and lines; without `rows` none for the heights."""
        left, top, right, bottom = self.box
        parts = []
        for value in ticks(*self.x_range):
            parts += [line(self.x(value), top, self.x(value), bottom),
                      text(self.x(value), bottom + 15, short(value),
                           anchor="middle", size=11)]
        for value in ticks(*self.y_range) if rows else ():
            shown = 10**value if self.log else value
            parts += [line(left, self.y(shown), right, self.y(shown)),
                      text(left - 5, self.y(shown) + 4, short(shown),
                           anchor="end", size=11)]
        return [*parts, line(left, bottom, right, bottom, _INK),
                text((left + right) / 2, bottom + 31, self.labels[0],
                     anchor="middle"),
                text(left, top - 8, self.labels[1])]


def curves(title, series, *, width=460, height=250, log=False, percent=False):
    """Curves over iterations.

    Args:
        title (str): above it.
        series (list): (name, iterations, values) of each; None and values
            that are not finite, or with `log` not above 0, are left out.
        log (bool): see `Axes`.
        percent (bool): the values are shares, shown as 0 to 100.

    Returns: SVG, or "" if there is nothing to draw.
    """
    factor, found = 100 if percent else 1, []
    for k, (name, xs, ys) in enumerate(series):
        points = [(x, factor * y) for x, y in zip(xs, ys) if y is not None
                  and math.isfinite(y) and (y > 0 or not log)]
        if points:
            found.append((name, points, COLORS[k % len(COLORS)]))
    if not found:
        return ""
    below = 20 * -(-len(found) // 3)
    xs = [x for _, points, _ in found for x, _ in points]
    ys = [y for _, points, _ in found for _, y in points]
    axes = Axes((58, 34, width - 14, height - 42), (min(0, *xs), max(xs)),
                (min(ys), max(ys)), "iteration", title, log)
    parts = axes.frame()
    for k, (name, points, color) in enumerate(found):
        path = " ".join(f"{axes.x(x):.1f},{axes.y(y):.1f}" for x, y in points)
        parts.append(f'<polyline class="curve" points="{path}" fill="none" '
                     f'stroke="{color}" stroke-width="1.6"/>')
        if len(points) < 30:
            parts += [circle(axes.x(x), axes.y(y), color, 2.5,
                             f"{name}: {short(y)} at {short(x)}")
                      for x, y in points]
        left = 20 + (k % 3) * (width - 30) / 3
        top = height + 20 * (k // 3)
        parts += [line(left, top - 4, left + 16, top - 4, color, 3),
                  text(left + 20, top, name[:24], size=11)]
    return picture(width, height + below, parts, title)
