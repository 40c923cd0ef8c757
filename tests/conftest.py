# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Options that the test folders share."""

from contrib_semiseg import environment

environment.prepare()


def pytest_addoption(parser):
    group = parser.getgroup("golden vectors")
    group.addoption("--golden-root", metavar="DIR",
                    help="folder searched for manifest.json files "
                    "(default: tests/golden/data)")
    group.addoption("--golden-methods", metavar="A,B",
                    help="only these methods, by folder name")
