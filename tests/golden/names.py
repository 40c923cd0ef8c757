# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Parameter names of the vectors as ours, and the formulas of their values."""

import re
import zlib

import numpy as np

_STATISTICS = {"running_mean": "_mean", "running_var": "_variance"}
_FUSE = {"0": "0.0", "1": "0.1", "3": "1.0", "4": "1.1", "5": "1.1"}


def _pairs(match):
    """Index in a flat sequence of two convolutions, norms and ReLUs."""
    return f"{match['head']}.{_FUSE[match['i']]}."


def _pairs_dropout(match):
    """The same where a dropout follows each ReLU."""
    table = {"0": "0.0", "1": "0.1", "4": "1.0", "5": "1.1"}
    return f"{match['head']}.{table[match['i']]}."


def _minus(number, text):
    return lambda match: text.format(int(match[1]) - number)


_JOINT = (
    (r"^(head\.)?aspp\.map_convs", "aspp.branches"),
    (r"^(head\.)?aspp\.map_bn", "aspp.norm"),
    (r"^(head\.)?aspp\.red_conv", "aspp.project"),
    (r"^(head\.)?aspp\.global_pooling_conv", "aspp.pool_conv"),
    (r"^(head\.)?aspp\.global_pooling_bn", "aspp.pool_norm"),
    (r"^(head\.)?aspp\.pool_red_conv", "aspp.pool_project"),
    (r"^(head\.)?aspp\.red_bn", "aspp.out_norm"),
    (r"^head\.reduce\.", "reduce.0."),
    (r"^head\.(?P<head>last_conv)\.(?P<i>\d)\.", _pairs),
    (r"^head\.classifier", "classifier"),
)
_BRANCH = (
    (r"^head\.b4\.gap\.(\d)", _minus(1, "aspp.pool.{}")),
    (r"^head\.b(\d)\.", r"aspp.branches.\1."),
    (r"^head\.project\.", "aspp.project."),
    (r"^reduce\.", "reduce.0."),
    (r"^(?P<head>fuse)\.(?P<i>\d)\.", lambda m: _pairs(m).replace(
        "fuse", "last_conv")),
)
_FLAT_STEM = {"conv1": "conv1.0", "bn1": "conv1.1", "conv2": "conv1.3",
              "bn2": "conv1.4", "conv3": "conv1.6", "bn3": "bn1"}
RULES = {
    "cps": _JOINT,
    "ctt_v3": _JOINT,
    "st": _BRANCH + (
        (r"^head\.conv5\.0\.conv(\d)\.", _minus(1, "pyramid.levels.{}.")),
        (r"^head\.conv5\.([12])\.", _minus(1, "last_conv.{}.")),
        (r"^head\.conv5\.5\.", "classifier."),
    ),
    "dssn": _BRANCH,
    "unimatch": _BRANCH,
    "cac": (
        (r"^encoder\.backbone\.", "backbone."),
        (r"^encoder\.aspp\.aspp(\d)\.atrous_conv",
         _minus(1, "aspp.branches.{}.0")),
        (r"^encoder\.aspp\.aspp(\d)\.bn", _minus(1, "aspp.branches.{}.1")),
        (r"^encoder\.aspp\.global_avg_pool\.(\d)", _minus(1, "aspp.pool.{}")),
        (r"^encoder\.aspp\.conv1", "aspp.project.0"),
        (r"^encoder\.aspp\.bn1", "aspp.project.1"),
        (r"^encoder\.decoder\.conv1", "reduce.0.0"),
        (r"^encoder\.decoder\.bn1", "reduce.0.1"),
        (r"^encoder\.decoder\.(?P<head>last_conv)\.(?P<i>\d)\.",
         _pairs_dropout),
        (r"^encoder\.base\.0\.0\.(\w+)",
         lambda m: "backbone." + _FLAT_STEM[m[1]]),
        (r"^encoder\.base\.([1-4])\.", r"backbone.layer\1."),
        (r"^encoder\.psp\.stages\.(\d)\.(\d)\.",
         lambda m: f"pyramid.levels.{m[1]}.{int(m[2]) - 1}."),
        (r"^encoder\.psp\.bottleneck\.", "last_conv."),
        (r"^classifier\.1\.", "classifier."),
        (r"^project\.", "embedding."),
    ),
    "ctt_v2": (
        (r"^(conv1|bn1|layer[1-4])\.", r"backbone.\1."),
        (r"^(layer5\.)?conv2d_list\.", "pyramid.branches."),
        (r"^(layer5\.)?bottleneck\.0\.se\.", "pyramid.gate."),
        (r"^(layer5\.)?bottleneck\.(\d)\.",
         lambda m: f"pyramid.project.{int(m[2]) - 1}."),
        (r"^(layer5\.)?head\.1\.", "classifier."),
    ),
    "u2pl": (
        (r"^low_conv\.", "reduce.0."),
        (r"^aspp\.conv1\.(\d)\.", _minus(1, "aspp.pool.{}.")),
        (r"^aspp\.conv([2-5])\.", _minus(2, "aspp.branches.{}.")),
        (r"^head\.", "aspp.project."),
        (r"^(classifier|representation)\.8\.",
         lambda m: {"c": "classifier.", "r": "embedding.2."}[m[1][0]]),
        (r"^(?P<head>classifier|representation)\.(?P<i>\d)\.",
         lambda m: _pairs_dropout(m).replace(
             "classifier", "last_conv").replace(
                 "representation", "embedding")),
        (r"^aux\.4\.", "aux.1."),
        (r"^aux\.", "aux.0."),
    ),
}


def our_name(family, name):
    """A name of the vectors ("head.aspp.map_bn.weight") as ours."""
    for pattern, replacement in RULES[family]:
        name, found = re.subn(pattern, replacement, name)
        if found:
            break
    head, _, last = name.rpartition(".")
    return f"{head}.{_STATISTICS.get(last, last)}"


def our_state(family, state):
    return {our_name(family, name): value for name, value in state.items()}


def shapes(case):
    """(name, shape) of a case's parameters, in the vectors' order."""
    names = next(case[k] for k in ("in_names", "in_param_names")
                 if k in case.arrays)
    sizes = next(case[k] for k in ("in_shapes", "in_param_shapes")
                 if k in case.arrays)
    return [(str(name), [int(n) for n in re.findall(r"\d+", str(size))])
            for name, size in zip(names, sizes)]


def fan_in(shape):
    return int(np.prod(shape[1:]))


def crc_normal(name, shape, mask=0xffffffff):
    """Standard normal draw whose seed is the name's checksum."""
    seed = zlib.crc32(name.encode()) & mask
    return np.random.RandomState(seed).standard_normal(shape)


def murmur(count, number):
    """u(0..count-1, number) of the ST vectors, in [0, 1), float64."""
    m = np.uint64(0xffffffff)
    x = (np.arange(1, count + 1, dtype=np.uint64) * np.uint64(2654435761) +
         np.uint64((number + 1) * 2246822519 % 2 ** 32)) & m
    x ^= x >> np.uint64(16)
    x = x * np.uint64(2246822519) & m
    x ^= x >> np.uint64(13)
    x = x * np.uint64(3266489917) & m
    x ^= x >> np.uint64(16)
    return x / 2.0 ** 32


def mixed(count, number):
    """hash(0..count-1, number) of the CAC vectors, in [0, 1), float64."""
    m = np.uint64(0xffffffff)
    x = (np.arange(count, dtype=np.uint64) +
         np.uint64(number * 1000003)) & m
    for _ in range(2):
        x = (x ^ (x >> np.uint64(16))) * np.uint64(0x45d9f3b) & m
    x ^= x >> np.uint64(16)
    return x / 2.0 ** 32
