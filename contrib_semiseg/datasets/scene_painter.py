# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Paint one scene of ShapeScenes: textured, lit, overlapping shapes.

The class of an object is its shape (and for discs the texture). Its hue is a
clue but no proof: classes share hues, hues scatter, and some objects have any.
"""

import cv2
import numpy as np

CLASS_NAMES = ("background", "disc", "box", "triangle", "star", "ring",
               "striped disc", "wire")
PALETTE = ((60, 60, 60), (230, 80, 60), (70, 130, 230), (90, 190, 90),
           (240, 200, 60), (170, 90, 210), (240, 140, 40), (80, 210, 210))

# The knobs of the difficulty.
VERSION = 4  # part of the cache's name: raise it with any change below
FREQUENCY = {  # how often an object is of a class: two common, three rare
    "disc": 0.20, "box": 0.20, "triangle": 0.18, "star": 0.14, "ring": 0.10,
    "striped disc": 0.10, "wire": 0.08}
HUE = {  # the usual hue of a class, 0..179 round the colour circle
    "disc": 0, "striped disc": 0, "box": 32, "triangle": 64, "ring": 96,
    "wire": 120, "star": 150}
HUE_SPREAD = 10.0  # standard deviation about it
ANY_HUE = 0.15  # share of the objects with a hue of any class
SATURATION = (110, 240)  # of objects
BACKGROUND_SATURATION = (0, 90)
OBJECTS = (3, 7)  # objects of a scene, both included
RADIUS = (0.11, 0.26)  # of an object, in shares of the scene's side
STRETCH = 0.35  # sides differ by up to exp(+-this)
CONTRAST = (0.25, 0.8)  # of the two colours of a texture
NOISE = 7.0  # standard deviation of the pixel noise, grey levels
LIGHT = 0.35  # brightness and colour cast change by up to exp(+-this)
SHADING = 0.4  # light to dark across one object
SHADOW = (0.45, 0.8)  # brightness inside a cast shadow

_SUB = 4  # fraction bits of the corner coordinates given to cv2


def _color(rng, kind):
    """A colour of an object of a class, or of the background (None)."""
    hue, saturation = rng.integers(180), rng.integers(*BACKGROUND_SATURATION)
    if kind is not None:
        saturation = rng.integers(*SATURATION)
        if rng.random() >= ANY_HUE:
            hue = round(HUE[kind] + rng.normal(0, HUE_SPREAD)) % 180
    hsv = np.array([[[hue, saturation, rng.integers(60, 235)]]], np.uint8)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0].astype(np.float32)


def _blobs(rng, side, cells):
    """Smooth noise: float32 [side, side] in [0, 1]."""
    grid = rng.random((cells, cells)).astype(np.float32)
    return np.clip(cv2.resize(grid, (side, side),
                              interpolation=cv2.INTER_CUBIC), 0.0, 1.0)


def _waves(rng, side, period):
    """Stripes of a random direction: float32 [side, side] in [-1, 1]."""
    y, x = np.mgrid[:side, :side].astype(np.float32)
    angle = rng.uniform(0, np.pi)
    phase = (x * np.cos(angle) + y * np.sin(angle)) / period + rng.random()
    return np.sin(2 * np.pi * phase).astype(np.float32)


def texture(rng, side, kind=None, owner=None):
    """A surface: float32 [side, side, 3] in 0..255.

    `kind`: plain, blobs, grain, checks, stripes; None: any but stripes,
    which are kept for the striped disc and for backgrounds. `owner`: the
    class whose colours it has; None: the background.
    """
    kind = kind or ("plain", "blobs", "grain", "checks")[rng.integers(4)]
    first, second = _color(rng, owner), _color(rng, owner)
    second = first + (second - first) * rng.uniform(*CONTRAST)
    period = side * rng.uniform(0.05, 0.12)
    if kind == "blobs":
        mix = _blobs(rng, side, int(rng.integers(4, 14)))
    elif kind == "grain":
        mix = rng.random((side, side), dtype=np.float32)
    elif kind == "checks":
        wave = _waves(rng, side, period) * _waves(rng, side, period)
        mix = (wave > 0).astype(np.float32)
    elif kind == "stripes":
        mix = (_waves(rng, side, period) > 0).astype(np.float32)
    else:
        mix = 0.3 * _blobs(rng, side, 2)
    return first + (second - first) * mix[..., None]


def _outline(rng, kind):
    """Corners of a unit shape: list of float [n, 2] contours (x, y)."""
    if kind in ("disc", "striped disc", "ring"):
        angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        if kind == "ring":
            return [circle, circle * rng.uniform(0.5, 0.68)]
        return [circle]
    if kind == "box":
        return [np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * 0.85]
    points = 3 if kind == "triangle" else 5
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    outer = 1.15 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    if kind == "triangle":
        return [outer]
    angle = angle + np.pi / points
    inner = 0.48 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return [np.stack([outer, inner], axis=1).reshape(-1, 2)]


def _coverage(rng, kind, side):
    """Where an object lies: float32 [side, side] in [0, 1], soft edges."""
    out = np.zeros((side, side), np.uint8)
    centre = rng.uniform(0.05, 0.95, 2) * side
    radius = rng.uniform(*RADIUS) * side
    angle, stretch = rng.uniform(0, 2 * np.pi), rng.uniform(-1, 1) * STRETCH
    turn = np.array([[np.cos(angle), -np.sin(angle)],
                     [np.sin(angle), np.cos(angle)]])
    scale = radius * np.exp([stretch, -stretch])
    if kind == "wire":
        t = np.linspace(-1, 1, 24)
        bend, waves = rng.uniform(0.15, 0.6), rng.uniform(0.5, 1.3)
        line = np.stack([1.8 * t, bend * np.sin(np.pi * waves * t)], axis=1)
        points = (line * radius) @ turn.T + centre
        cv2.polylines(out, [np.rint(points * 2**_SUB).astype(np.int32)], False,
                      255, max(2, round(side / 40)), cv2.LINE_AA, _SUB)
    else:
        contours = [np.rint(((c * scale) @ turn.T + centre) * 2**_SUB)
                    .astype(np.int32) for c in _outline(rng, kind)]
        cv2.fillPoly(out, contours, 255, cv2.LINE_AA, _SUB)
    return out.astype(np.float32) / 255.0


def _background(rng, side):
    """Two surfaces behind a wavy border, stripes among them."""
    kinds = (None, None, "stripes")
    image = texture(rng, side, kinds[rng.integers(3)])
    if rng.random() < 0.7:
        other = texture(rng, side, kinds[rng.integers(3)])
        part = _blobs(rng, side, 4) > rng.uniform(0.35, 0.65)
        image = np.where(part[..., None], other, image)
    return image


def _slope(rng, side):
    """A ramp of a random direction: float32 [side, side, 1] in [-1, 1]."""
    y, x = np.mgrid[-1:1:side * 1j, -1:1:side * 1j].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    return ((x * np.cos(angle) + y * np.sin(angle)) / np.sqrt(2))[..., None]


def paint(rng, side):
    """Paint one scene with the draws of `rng`.

    Returns: (uint8 [side, side, 3] RGB, uint8 [side, side] class indices)
    """
    image = _background(rng, side)
    label = np.zeros((side, side), np.uint8)
    names, shares = list(FREQUENCY), list(FREQUENCY.values())
    shift = np.eye(2, 3)
    shift[:, 2] = rng.uniform(-0.06, 0.06, 2) * side
    for _ in range(int(rng.integers(OBJECTS[0], OBJECTS[1] + 1))):
        kind = names[rng.choice(len(names), p=shares)]
        cover = _coverage(rng, kind, side)
        shadow = cv2.warpAffine(cover, shift, (side, side))
        shadow = cv2.GaussianBlur(shadow, (0, 0), side / 60)[..., None]
        image = image * (1 - shadow * (1 - rng.uniform(*SHADOW)))
        surface = texture(rng, side,
                          "stripes" if kind == "striped disc" else None, kind)
        surface = surface * (1 + SHADING * _slope(rng, side))
        image = image + (surface - image) * cover[..., None]
        label[cover > 0.5] = CLASS_NAMES.index(kind)
    light = np.exp(rng.uniform(-LIGHT, LIGHT) +
                   rng.uniform(-LIGHT, LIGHT, 3) / 3)
    image = image * light * (1 + LIGHT * _slope(rng, side))
    if rng.random() < 0.3:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 0.9))
    image = image + rng.normal(0, NOISE, image.shape)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8), label
