# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Losses: pure functions, and the components that configs name by type."""

from contrib_semiseg.losses import consistency, cross_entropy

__all__ = ["consistency", "cross_entropy"]
