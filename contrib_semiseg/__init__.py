# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Semi-supervised semantic segmentation on PaddlePaddle and PaddleSeg.

Importing this package imports nothing else, so that a command line can set
the process environment (`contrib_semiseg.environment`) before Paddle loads.
`contrib_semiseg.components` registers every component.
"""

__version__ = "0.1.0"
