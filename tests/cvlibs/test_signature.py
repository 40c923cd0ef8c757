# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Arguments are read off constructors, also through `**kwargs`."""

from paddleseg.models.backbones import resnet_vd

from contrib_semiseg.cvlibs import check, signature


class Base:

    @check.arguments
    def __init__(self, *, width: check.Range(1) = 4, depth, name="base"):
        pass


class Child(Base):

    def __init__(self, own, **kwargs):
        super().__init__(name="child", **kwargs)


class Pair:

    def __init__(self, first, second, third=3):
        pass


def pair_of_one(**args):
    return Pair(1, second=2, **args)


class Unclear:

    def __init__(self, **kwargs):
        self.all = kwargs


def test_checks_and_defaults():
    found = signature.of(Base)
    assert list(found.arguments) == ["width", "depth", "name"]
    assert found.arguments["width"].default == 4
    assert found.arguments["width"].check.low == 1
    assert found.arguments["depth"].default is signature.REQUIRED
    assert found.arguments["name"].check is None
    assert not found.is_open


def test_keywords_reach_the_parent():
    found = signature.of(Child)
    assert list(found.arguments) == ["own", "width", "depth"]
    assert not found.is_open


def test_keywords_reach_the_class_that_a_function_builds():
    found = signature.of(resnet_vd.ResNet50_vd)
    assert "output_stride" in found.arguments
    assert "layers" not in found.arguments
    assert not found.is_open


def test_what_a_function_sets_itself_is_no_argument():
    assert list(signature.of(pair_of_one).arguments) == ["third"]


def test_keywords_that_go_nowhere_known_are_open():
    assert signature.of(Unclear).is_open
