# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Predict many pictures and videos: other processes read, prepare, finish
and write while this one runs the network.
"""

import collections
import contextlib
import dataclasses
import glob
import os
import signal
import time
from typing import Optional, Union

from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.engine import predictor, video, work_pool
from contrib_semiseg.engine.evaluator import progress
from contrib_semiseg.engine.inference import Prepared, confidence

STREAMED = ("color", "overlay")  # kinds that can be videos


@dataclasses.dataclass(frozen=True)
class Item:
    """A picture, or a frame of a video.

    Attributes:
        path (str or int): the file, or the number of a camera.
        name (str): of its outputs, without suffix.
        picture (str): its own name, for the polygons.
        frame (int, optional): its number in the video.
        stream (int, optional): which video of the run.
        video (str): name of the outputs that are videos.
    """

    path: Union[str, int]
    name: str
    picture: str
    frame: Optional[int] = None
    stream: Optional[int] = None
    video: str = ""


class Items:
    """What is to be predicted, in order; videos until their `ended`.

    Args:
        entries (list): (path, relative name, whether it is a video).
        outputs (Outputs): what is written.
        streamed (sequence of str): kinds that videos get as videos.
        resume (bool): leave out what is there already.
        frames (int, optional): of each video, at most.

    Attributes:
        skipped (int): pictures and frames left out so far, or videos.
        passed (list of int): streams that were gone through.
        names (list of str): of the items' outputs so far, skipped as well.
    """

    def __init__(self, entries, outputs, *, streamed=(), resume=False,
                 frames=None):
        self._entries, self._outputs = entries, outputs
        self._streamed = tuple(k for k in streamed if k in outputs.kinds)
        self._resume, self._frames = resume, frames
        self._stems = predictor.output_names([name for _, name, _ in entries])
        self.ended, self.stopped = set(), False
        self.skipped, self.passed, self.names = 0, [], []

    def __len__(self):
        return len(self._entries)

    @property
    def counted(self):
        """Whether their number is known: no video is among them."""
        return not any(moving for _, _, moving in self._entries)

    def clear(self):
        """Remove what another run wrote of them, which would pass for this
        one's after a kill.
        """
        for stem, (_, _, moving) in zip(self._stems, self._entries):
            paths = self._outputs.paths(stem)
            if moving:
                paths = [video_path(self._outputs, kind, stem)
                         for kind in STREAMED] + [
                    file for path in paths for file in glob.glob(os.path.join(
                        glob.escape(os.path.splitext(path)[0]), "[0-9]*"))]
            for path in paths:
                with contextlib.suppress(FileNotFoundError):
                    os.remove(path)

    def _is_done(self, paths):
        return self._resume and bool(paths) and all(map(os.path.isfile,
                                                        paths))

    def _known(self, item, leave_out=()):
        """Note an item; whether it has to be predicted."""
        self.names.append(item.name)
        paths = self._outputs.paths(item.name, leave_out)
        if not leave_out and self._is_done(paths):
            self.skipped += 1
            return False
        return True

    def __iter__(self):
        for stream, (path, name, moving) in enumerate(self._entries):
            if self.stopped:
                return
            if moving:
                yield from self._of_video(stream, path, self._stems[stream])
                self.passed.append(stream)
                continue
            item = Item(path, self._stems[stream], name)
            if self._known(item):
                yield item

    def _of_video(self, stream, path, stem):
        videos = [video_path(self._outputs, kind, stem)
                  for kind in self._streamed]
        if self._is_done(videos):
            self.skipped += 1
            return
        number = 0
        while stream not in self.ended and not self.stopped and \
                number != self._frames:
            name = f"{stem}/{number:06d}"
            item = Item(path, name, f"{name}.png", number, stream, stem)
            if self._known(item, self._streamed):
                yield item
            number += 1


def video_path(outputs, kind, stem):
    """The file of a kind that is a video."""
    return os.path.join(outputs.save_dir, kind, stem + video.SUFFIX)


class PredictionJob(work_pool.Job):
    """Read and prepare; finish and write.

    Args:
        read (callable): path to uint8 [H, W, 3]; DataError if it cannot.
        inferencer (Inferencer): its parts without the network.
        outputs (Outputs): what is written.
        streamed (sequence of str): see `Items`.
    """

    def __init__(self, read, inferencer, outputs, streamed=()):
        self._read, self._inferencer = read, inferencer
        self._outputs, self._streamed = outputs, tuple(
            k for k in streamed if k in outputs.kinds)
        self._readers, self._writers, self._failed = {}, {}, set()

    def open(self, item):
        image = (self._read(item.path) if item.frame is None else
                 self._frame(item))
        prepared = self._inferencer.prepare(image)
        return prepared.array, prepared.cut, (image, prepared.info)

    def _frame(self, item):
        if item.stream not in self._readers:
            if item.stream in self._failed:
                raise work_pool.Ended
            self._failed.add(item.stream)  # unless it can be opened
            self._readers[item.stream] = video.Reader(item.path)
            self._failed.remove(item.stream)
        frame = self._readers[item.stream].frame(item.frame)
        if frame is None:
            raise work_pool.Ended
        return frame

    def close(self, item, kept, array):
        image, info = kept
        classes, maps = self._inferencer.finish(array, info, image.shape[:2])
        sure = confidence(maps, self._inferencer.sums_probabilities) \
            if "confidence" in self._outputs.kinds else None
        streamed = self._streamed if item.frame is not None else ()
        self._outputs.save(item.name, item.picture, image, classes, sure,
                           leave_out=streamed)
        for kind in streamed:
            key = item.stream, kind
            if key not in self._writers:
                self._writers[key] = video.Writer(
                    video_path(self._outputs, kind, item.video),
                    self._readers[item.stream].rate)
            self._writers[key].add(self._outputs.shown(kind, image, classes))

    def end(self, stream):
        for kind in self._streamed:
            writer = self._writers.pop((stream, kind), None)
            if writer is not None:
                writer.close()
        reader = self._readers.pop(stream, None)
        if reader is None:
            return None
        reader.close()
        return reader.lacks()


@dataclasses.dataclass
class Result:
    """What a run did.

    Attributes:
        done, skipped (int): pictures and frames.
        broken (list of str): a line for each file that could not be read.
        forward_seconds, seconds (float): in the network, and in all.
    """

    done: int = 0
    skipped: int = 0
    broken: list = dataclasses.field(default_factory=list)
    forward_seconds: float = 0.0
    seconds: float = 0.0

    @property
    def busy(self):
        """Share of the time that the network ran."""
        return self.forward_seconds / max(self.seconds, 1e-9)


class Run:
    """Predict items with a network; see the module.

    Args:
        inferencer (Inferencer): complete.
        items (Items): what.
        job (Job): of `open` and `close`.
        workers (int): see `work_pool.Pool`.
        batch (int): pictures that the network gets together, if there are
            so many of one size.
    """

    def __init__(self, inferencer, items, job, *, workers=1, batch=1):
        self.items, self.batch = items, batch
        self.result = Result()
        self._inferencer, self._plain = inferencer, inferencer.forward
        # One batch is read, one is written, one is in the network.
        self._pool = work_pool.Pool(job, workers,
                                    2 + -(-2 * batch // max(1, workers)))
        self._ready = collections.deque()
        self._at_work = {}  # (worker, slot): item
        self._ended = set()

    def _timed(self, x):
        started = time.perf_counter()
        try:
            return self._plain(x)
        finally:
            self.result.forward_seconds += time.perf_counter() - started

    def __call__(self):
        """Predict everything: Result.

        Raises: UserError, OSError of a process that failed.
        """
        started = time.perf_counter()
        self._inferencer.forward = self._timed
        total = len(self.items) if self.items.counted else None
        try:
            for _ in progress(self._closed(), total, "predicting"):
                self.result.done += 1
        finally:
            self._inferencer.forward = self._plain
            self._pool.shut()
        self.result.skipped = self.items.skipped
        self.result.seconds = time.perf_counter() - started
        return self.result

    def _closed(self):
        """Yield once for each item that was written."""
        waiting = iter(self.items)
        following = next(waiting, None)
        while True:
            while following is not None:
                place = self._pool.place(following.stream)
                if place is None:
                    break
                if following.stream not in self.items.ended or \
                        following.stream is None:
                    slot = self._pool.open(place, following)
                    self._at_work[place, slot] = following
                following = next(waiting, None)
            self._end_streams()
            enough = len(self._ready) >= self.batch
            last = self._ready and not self._pool.opening
            if not self._at_work and not self._pool.closing and \
                    following is None:
                return
            # Answers that are there are taken in any case: they make room.
            for answer in self._pool.answers(not enough and not last):
                yield from self._take(*answer)
            if enough or last:
                self._forward()

    def _take(self, kind, worker, slot, details):
        item = self._at_work.get((worker, slot))
        if kind == work_pool.OPENED:
            self._ready.append((worker, slot, Prepared(*details, None)))
            return
        self._at_work.pop((worker, slot), None)
        if kind == work_pool.BROKEN:
            self.result.broken.append(str(details[0]))
        if kind in (work_pool.BROKEN, work_pool.ENDED) and \
                item.stream is not None:
            self.items.ended.add(item.stream)
        if kind == work_pool.CLOSED and item is not None:
            yield item
        elif kind == work_pool.CLOSED and details[0]:
            self.result.broken.append(details[0])

    def _forward(self):
        now = [self._ready.popleft()
               for _ in range(min(self.batch, len(self._ready)))]
        maps = self._inferencer.maps([prepared for _, _, prepared in now])
        for (worker, slot, _), part in zip(now, maps):
            self._pool.close(worker, slot, part)

    def _end_streams(self):
        busy = {item.stream for item in self._at_work.values()}
        for stream in self.items.passed:
            if stream not in busy and stream not in self._ended:
                self._ended.add(stream)
                self._pool.end(stream)


@contextlib.contextmanager
def stopped_by_interrupt(items):
    """Inside, Ctrl-C is the end of the camera; once more, of the command."""
    def stop(number, frame):
        items.stopped = True
        signal.signal(number, before)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def first_picture(entries, read):
    """The first of the entries that can be read: uint8 [H, W, 3].

    Raises: DataError of the last one, if none can.
    """
    for path, _, moving in entries:
        try:
            if not moving:
                return read(path)
            reader = video.Reader(path)
            frame = reader.frame(0)
            reader.close()
            if frame is not None:
                return frame
            error = DataError(f"{path}: no frame can be read")
        except DataError as found:
            error = found
    raise error
