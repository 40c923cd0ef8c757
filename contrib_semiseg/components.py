# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Import the component folders, so that their classes register by name."""

from contrib_semiseg import datasets, losses, methods, models, transforms
from contrib_semiseg.engine import (
    labeling_stages,
    optimizer,
    schedules,
    training_stage,
)
from contrib_semiseg.mixing import batch_color, boxes

__all__ = [
    "batch_color", "boxes", "datasets", "labeling_stages", "losses", "methods",
    "models", "optimizer", "schedules", "training_stage", "transforms"
]
