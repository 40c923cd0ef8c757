# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Where a run stands, and goes on with other processes or batches."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Progress:
    """How a run counts its iterations and goes through its images.

    An iteration is counted as one, and an epoch as the iterations that it had
    at first, however many images they show. The order of the images, in
    which an epoch is one turn through them, goes on where it was.

    Attributes:
        epoch (int): iterations of an epoch, for the length of the run, the
            learning rate and what methods do by epochs.
        turn (int): batches of a process in a turn through its images.
        batches (int): of a process in an iteration.
        processes, batch_size (int): images of a batch of all processes.
        step (int): the iteration at which these began to hold.
        place (int): batches that come before it in the order of the images.
    """

    epoch: int
    turn: int
    batches: int
    processes: int
    batch_size: int
    step: int = 0
    place: int = 0

    @classmethod
    def begin(cls, *, turn, batches, processes, batch_size):
        """Of a new run."""
        return cls(max(1, turn // batches), turn, batches, processes,
                   batch_size)

    def batch(self, step):
        """The first batch of an iteration in the order of the images."""
        return self.place + (step - self.step) * self.batches

    def after(self, old, step):
        """This, as what goes on with an `old` Progress at an iteration.

        No batch of the old one is shown once more; where its turns were of
        another length, the rest of a batch is left out.
        """
        place = -(-old.batch(step) * self.turn // old.turn)
        return dataclasses.replace(self, epoch=old.epoch, step=step,
                                   place=place)

    @property
    def images(self):
        """Of each stream in an iteration."""
        return self.processes * self.batch_size * self.batches

    def change(self, old):
        """One line if it shows other images than `old`, or None."""
        if (old.processes, old.images) == (self.processes, self.images):
            return None
        told = " and now ".join(
            f"{p.processes} x {p.batch_size}" +
            (f" x {p.batches}" if p.batches > 1 else "") for p in (old, self))
        hint = ""
        size, rest = divmod(old.images, self.processes * self.batches)
        if self.images != old.images and not rest:
            hint = f"; --batch_size {size} would show as many as before"
        return (f"images of an iteration (processes x batch_size): {told}; "
                f"iterations and epochs are counted on{hint}")
