# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Networks that answer without learning: frozen passes and EMA teachers."""

import contextlib

import paddle

from contrib_semiseg.cvlibs.errors import ArgumentError


@contextlib.contextmanager
def mode(network, *, training):
    """Inside, the network is in training or in eval mode."""
    before = network.training
    if before != training:
        network.train() if training else network.eval()
    try:
        yield network
    finally:
        if before != training:
            network.train() if before else network.eval()


@paddle.no_grad()
def predict(network, images, *, training=False):
    """Main logits [N, C, H, W] without gradient.

    Args:
        network (Layer): image to list of logits.
        images (Tensor): [N, 3, H, W] float32.
        training (bool): batch statistics and dropout, and the running
            statistics move; else running statistics.
    """
    with mode(network, training=training):
        return network(images)[0]


@paddle.no_grad()
def predict_outputs(network, images, outputs, *, training=False):
    """Outputs by name, see `predict`; a dict."""
    with mode(network, training=training):
        return network(images, outputs=outputs)


@paddle.no_grad()
def predict_rows(network, images, used):
    """Main logits in eval mode of those images that are used; others are 0.

    In eval mode an image's logits do not depend on the rest of the batch, so
    that leaving the others out changes nothing.

    Args:
        network (Layer): image to list of logits.
        images (Tensor): [N, 3, H, W] float32.
        used (Tensor): bool [N].

    Returns: float32 [N, C, H, W], or None if no image is used.
    """
    count = int(used.astype("int32").sum())
    if count == 0:
        return None
    if count == len(images):
        return predict(network, images)
    rows = used.nonzero().flatten()
    logits = predict(network, paddle.gather(images, rows))
    whole = paddle.zeros([len(images), *logits.shape[1:]], logits.dtype)
    return paddle.scatter(whole, rows, logits)


def as_teacher(network):
    """Freeze a network's parameters; returns it."""
    for parameter in network.parameters():
        parameter.stop_gradient = True
    return network


@paddle.no_grad()
def ema_update(teacher, student, keep, *, buffers=True):
    """teacher <- keep * teacher + (1 - keep) * student, entry by entry.

    Args:
        teacher, student (Layer): of one architecture; the first is changed.
        keep (float): in [0, 1]; 0 copies the student.
        buffers (bool): also BatchNorm's running statistics, which Paddle
            lists among the parameters.
    """
    source = student.state_dict()
    for name, own in teacher.state_dict().items():
        if not buffers and name.rpartition(".")[2] in ("_mean", "_variance"):
            continue
        if keep == 0:
            own.set_value(source[name])
        else:
            # In place: a third of the time that new tensors take.
            own.scale_(keep)
            own.add_((1 - keep) * source[name])


def rising_keep(updates, largest):
    """Share of the teacher that an update keeps, `updates` having gone before.

    min(1 - 1 / (updates + 1), largest): the first one copies the student,
    and until the limit is reached the teacher is the mean of all students.
    """
    return min(1 - 1 / (updates + 1), largest)


class TeacherRule:
    """How a teacher averages its student, and how it answers.

    Args:
        decay (float): largest share of the teacher that an update keeps.
        mode (str): "train", with batch statistics and dropout; or "eval".
        buffers (str): running statistics of BatchNorm: "averaged" with the
            student's, or the teacher's "own", of what it was shown.

    Raises: ArgumentError for own statistics that never move.
    """

    def __init__(self, decay, mode, buffers):
        if mode == "eval" and buffers == "own":
            raise ArgumentError("teacher_buffers", buffers, "averaged, where "
                                "teacher_mode is eval")
        self.decay, self.training = decay, mode == "train"
        self.averaged = buffers == "averaged"

    def make(self, make_model, student):
        """A teacher with the student's weights."""
        teacher = as_teacher(make_model())
        ema_update(teacher, student, 0.0, buffers=self.averaged)
        return teacher

    def update(self, teacher, student, step):
        """Average, after the student's update of a Step."""
        ema_update(teacher, student, rising_keep(step.it, self.decay),
                   buffers=self.averaged)
