# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""CAC: where two crops overlap, the less sure one learns from the other.

Lai, Tian, Jiang, Liu, Zhao, Wang, Jia: Semi-supervised Semantic Segmentation
with Directional Context-aware Consistency. CVPR 2021, arXiv 2106.14133.
"""

import paddle

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.cvlibs.errors import ArgumentError
from contrib_semiseg.losses.directional_contrast import directional_contrast
from contrib_semiseg.methods.base import Method
from contrib_semiseg.methods.cells import cells_of, projection_of
from contrib_semiseg.methods.memory import (
    RowQueue,
    gather_rows,
    processes,
    restart_if_resized,
)
from contrib_semiseg.methods.pseudo_labels import sure_labels
from contrib_semiseg.methods.teacher import predict
from contrib_semiseg.mixing.overlap import overlap_cells

VIEWS = ("view1", "view2")


@manager.register(manager.METHODS)
class CAC(Method):
    """One network; a cell of less confidence is drawn to its partner's vector.

    Two crops of an unlabelled image show their overlap in two contexts. Where
    they are not equally sure of it, the vector of the less sure one learns
    from the other's, against the cells of other classes in a memory of the
    latest steps. No pseudo-label is learned.

    Args:
        model (Layer): network with a projection head.
        criterion (callable): (list of logits, label) to a scalar.
        crops: how the views are cut; `crops.stride` is the side of a cell.
        batch_size (int): unlabelled images of one process and step.
        contrast_weight (float): of each direction.
        temperature (float): of the contrast.
        conf_thresh (float): the partner has to be surer than this.
        start_epoch (int): until this epoch, from 0, only labelled images are
            shown.
        step_save (int): steps before the present one that stay in memory.
        selected_num (int, optional): cells that each view of one process
            gives to the memory in a step; null: all of them.
        numerics (str): "release" or "logsumexp", see `contrast`.
    """

    requires = ("labeled.img", "labeled.label", *(
        f"unlabeled.{view}{key}" for view in VIEWS
        for key in ("", "_overlap", "_mirrored")))

    @check.arguments
    def __init__(self, *, model, criterion, crops, batch_size,
                 contrast_weight: check.Range(0) = 0.1,
                 temperature: check.Range(0, exclude_low=True) = 0.1,
                 conf_thresh: check.PROBABILITY = 0.75,
                 start_epoch: check.Range(0, integer=True) = 5,
                 step_save: check.Range(0, integer=True) = 1,
                 selected_num: check.Range(1, integer=True,
                                           optional=True) = None,
                 numerics: check.OneOf("release", "logsumexp") = "release"):
        super().__init__()
        self.model, self.criterion, self.cell = model, criterion, crops.stride
        self.pool, width = projection_of(model, self.cell)
        rows, columns = crops.cells
        cells = batch_size * rows * columns
        if selected_num is not None and selected_num > cells:
            raise ArgumentError(
                "selected_num", selected_num, f"null or at most {cells}: "
                f"{batch_size} views of {rows} x {columns} cells")
        self.selected_num = selected_num or cells
        self.memory = RowQueue(
            capacity=(step_save + 1) * 2 * self.selected_num * processes(),
            columns={"feature": ([width], "float32"), "label": ([], "int64")})
        self.contrast_weight, self.conf_thresh = contrast_weight, conf_thresh
        self.start_epoch = start_epoch
        self.options = dict(temperature=temperature, numerics=numerics)

    def forward(self, batch, step):
        x, u = batch["labeled"], batch["unlabeled"]
        terms = {"loss_sup": self.criterion(self.model(x["img"]), x["label"])}
        if step.epoch < self.start_epoch:
            return terms
        # A pass for each view: BatchNorm normalises the three batches apart.
        views = [cells_of(self.model, u[view], self.pool) for view in VIEWS]
        memory = self.remember([cells for cells, _ in views])
        one, two = (cells.take(overlap_cells(
            u[f"{view}_overlap"], u[f"{view}_mirrored"], *shape[1:],
            self.cell)) for view, (cells, shape) in zip(VIEWS, views))
        learns1, loss1 = self.direct(one, two, memory)
        learns2, loss2 = self.direct(two, one, memory)
        cells, shape = views[0]
        return {**terms,
                "loss_contrast1": self.contrast_weight * loss1,
                "loss_contrast2": self.contrast_weight * loss2,
                "mask_ratio": share(learns1 | learns2),
                "show_image": u["view1"],
                "show_pseudo_label": cells.label.reshape(shape)}

    def direct(self, own, other, memory):
        """Which of a view's cells learn (bool [n]), and their loss."""
        learns = (other.conf > self.conf_thresh) & (own.conf < other.conf)
        return learns, directional_contrast(
            own.feature, other.feature, own.label, learns, *memory,
            **self.options)

    def pseudo_labels(self, images, step):
        """Those that choose partners and negatives; none is learned."""
        return [] if step.epoch < self.start_epoch else [
            sure_labels(predict(self.model, images), self.conf_thresh)]

    @paddle.no_grad()
    def remember(self, views):
        """Put cells of both views, of all processes, into the memory.

        Returns: its features [M, E] and labels [M].
        """
        some = [cells.take(self.draw(len(cells.label))) for cells in views]
        self.memory.append(
            feature=gather_rows(paddle.concat([c.feature for c in some])),
            label=gather_rows(paddle.concat([c.label for c in some])))
        return self.memory.rows("feature"), self.memory.rows("label")

    def draw(self, count):
        """Which of a view's cells are remembered: int64 [selected_num]."""
        return paddle.randperm(count)[:self.selected_num]

    def notes(self):
        return [self.memory.note()]

    def adopt(self, state):
        return restart_if_resized(self.memory, "memory", state)

    def eval_network(self):
        return self.model


def share(selected):
    """Share of True in bool [n], 0 of none."""
    return selected.astype("float32").sum() / max(1, len(selected))
