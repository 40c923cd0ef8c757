# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""ClassMix: half of an image's classes are pasted onto the next image.

Olsson, Tranheden, Pinto, Svensson: ClassMix: Segmentation-Based Data
Augmentation for Semi-Supervised Learning. WACV 2021, arXiv 2007.07936.
"""

from contrib_semiseg.cvlibs import manager
from contrib_semiseg.methods.mean_teacher import MeanTeacher


@manager.register(manager.METHODS)
class ClassMix(MeanTeacher):
    """A mean teacher whose mask holds classes that it sees itself.

    Of the K classes that the teacher finds in an image, floor(K / 2) are
    drawn; everything else shows the next image. Arguments as in MeanTeacher.
    """

    own_mask = "class"
