# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Networks that answer without learning: frozen passes and EMA teachers."""

import contextlib

import paddle


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
