# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""A student that first learns from labels alone, then with its teacher."""

from contrib_semiseg.cvlibs.errors import ConfigError
from contrib_semiseg.methods.base import Method
from contrib_semiseg.methods.teacher import (
    as_teacher,
    ema_update,
    predict_outputs,
    rising_keep,
)


class WarmTeacher(Method):
    """Student and teacher with embeddings, and how the teacher follows.

    In the first `sup_only_epoch` epochs the teacher keeps its own weights,
    and only its BatchNorm statistics move. Through the next epoch it equals
    the student, and then averages it. Its statistics stay its own.

    Args:
        make_model (callable): makes a network; called for both.
        criterion (callable): (list of logits, label) to a scalar.
        sup_only_epoch (int): see above.
        ema_decay (float): largest share of the teacher that an update keeps.

    Raises: ConfigError for a network without an embedding.
    """

    def __init__(self, *, make_model, criterion, sup_only_epoch, ema_decay):
        super().__init__()
        self.student, self.teacher = make_model(), as_teacher(make_model())
        self.criterion = criterion
        self.sup_only_epoch, self.ema_decay = sup_only_epoch, ema_decay
        self.width = getattr(self.student, "embedding_width", None)
        if self.width is None:
            raise ConfigError(
                f"model.type = {type(self.student).__name__} has no "
                "embedding; allowed with this method: DeepLabV3Plus with "
                "model.embedding: representation")
        self.outputs = [name for name in ("scores", "embedding", "aux")
                        if name in self.student.output_names()]
        self.warmed_up = False

    def since_warm_up(self, step):
        """Iterations since the warm-up; negative in it."""
        return step.it - step.iters_per_epoch * self.sup_only_epoch

    def warm_up(self, x):
        """The terms of a step in the warm-up."""
        out = self.student(x["img"], outputs=self.outputs)
        self.ask_teacher(x["img"], "scores")
        return {
            "loss_sup": self.supervised(out, x["label"]),
            # No gradient for this head, but weight decay, as in the release.
            "loss_contrast": 0.0 * out["embedding"].sum(),
        }

    def supervised(self, out, label):
        """The criterion of the first images' scores and auxiliary scores."""
        return self.criterion([
            self.student.enlarge(out[name][:len(label)], label.shape[1:])
            for name in self.outputs if name != "embedding"], label)

    def ask_teacher(self, images, *outputs):
        """Outputs by name, with batch statistics and dropout."""
        return predict_outputs(self.teacher, images, outputs, training=True)

    def start_teacher(self, step):
        """Copy the student as the warm-up ends."""
        if self.since_warm_up(step) == 0:
            ema_update(self.teacher, self.student, 0.0, buffers=False)

    def keep_rate(self, step):
        """Share of the teacher that an average after this step keeps."""
        return rising_keep(self.since_warm_up(step), self.ema_decay)

    def after_step(self, step):
        self.warmed_up = step.epoch >= self.sup_only_epoch
        if self.warmed_up:
            copies = step.epoch == self.sup_only_epoch
            ema_update(self.teacher, self.student,
                       0.0 if copies else self.keep_rate(step), buffers=False)

    def eval_network(self):
        """The student in the warm-up, then the teacher."""
        return self.teacher if self.warmed_up else self.student
