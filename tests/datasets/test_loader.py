# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from contrib_semiseg.cvlibs import manager
from contrib_semiseg.cvlibs.errors import DataError, UserError
from contrib_semiseg.datasets.loader import TrainLoader, collate
from contrib_semiseg.datasets.sampling import training_streams
from contrib_semiseg.mixing.boxes import BoxMask
from contrib_semiseg.transforms.geometric import CenterPad, RandomCrop
from tests.datasets.files import write_files
from tests.datasets.test_list_dataset import make
from tests.support import tiny


@pytest.fixture()
def root(tmp_path):
    return write_files(tmp_path / "data", count=6)


def loader(root, num_workers=0, start=1, stop=5, seed=0, ops=None, **more):
    # RandomDistort draws from the global generators.
    ops = ops if ops is not None else [
        manager.TRANSFORMS["RandomDistort"](brightness_prob=1.0),
        RandomCrop(crop_size=[8, 8]), manager.TRANSFORMS["Normalize"](),
        CenterPad(size=[8, 8])]
    unlabeled = make(root, role="unlabeled", transforms=ops,
                     masks={"mask": BoxMask()})
    return TrainLoader(
        datasets={"labeled": make(root, transforms=ops),
                  "unlabeled": unlabeled, "source": unlabeled},
        streams=training_streams(labeled=6, unlabeled=6, batch=2, seed=seed,
                                 source=True),
        seed=seed, start_step=start, total_steps=stop,
        num_workers=num_workers, **more)


def arrays(batches):
    return [{(s, k): v.numpy() for s, d in b.items() for k, v in d.items()}
            for b in batches]


def assert_equal(ones, others):
    assert len(ones) == len(others)
    for one, other in zip(ones, others):
        assert one.keys() == other.keys()
        for key in one:
            np.testing.assert_array_equal(one[key], other[key])


@pytest.mark.parametrize("num_workers", [1, 4])
def test_batches_are_the_same_for_any_number_of_workers(root, num_workers):
    here = arrays(loader(root))
    assert len(here) == 4
    assert set(here[0]) == {
        ("labeled", "img"), ("labeled", "label"), ("labeled", "valid"),
        ("unlabeled", "img"), ("unlabeled", "valid"), ("unlabeled", "mask"),
        ("source", "img"), ("source", "valid")}
    assert_equal(here, arrays(loader(root, num_workers)))


def test_a_later_start_gives_the_same_steps(root):
    assert_equal(arrays(loader(root, start=3)), arrays(loader(root))[2:])


def test_streams_seeds_and_epochs_differ(root):
    batches = arrays(loader(root, start=0, stop=4))
    other = arrays(loader(root, start=0, stop=1, seed=1))[0]
    images = [batches[0]["unlabeled", "img"], batches[0]["source", "img"],
              batches[3]["unlabeled", "img"], other["unlabeled", "img"]]
    for i, one in enumerate(images):
        for two in images[i + 1:]:
            assert (one != two).any()


def test_the_global_generators_are_left_alone(root, monkeypatch):
    # Paddle sets its handler once in a process: let it try again here.
    monkeypatch.setattr("paddle.io.multiprocess_utils."
                        "_SIGCHLD_handler_set", False)
    np.random.seed(3)
    random.seed(3)
    handler = signal.getsignal(signal.SIGCHLD)
    arrays(loader(root, num_workers=1))
    after = np.random.rand(), random.random()
    np.random.seed(3)
    random.seed(3)
    assert after == (np.random.rand(), random.random())
    assert signal.getsignal(signal.SIGCHLD) == handler


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_file_that_breaks_later_is_named(root, num_workers):
    batches = loader(root, num_workers)
    for path in (root / "imgs").iterdir():
        path.write_bytes(b"gone")
    with pytest.raises(DataError, match="imgs/.*cannot be read"):
        list(batches)


def test_an_error_of_a_transform_names_the_image(root):
    class Broken:
        def __call__(self, data):
            raise KeyError("edge")

    with pytest.raises(DataError, match="imgs/.*KeyError: 'edge'"):
        list(loader(root, ops=[Broken()]))


class ToNaN:
    """Make the image NaN, and nothing else."""

    def __call__(self, data):
        data["img"] = np.full(data["img"].shape, np.nan, "float32")
        return data


@pytest.mark.parametrize("num_workers", [0, 1])
def test_values_that_are_not_finite_name_the_image(root, num_workers):
    with pytest.raises(DataError, match="imgs/.*labeled stream.*'img' that "
                       "are not finite"):
        list(loader(root, num_workers, ops=[ToNaN()]))
    let_through = loader(root, num_workers, ops=[ToNaN()], finite=False)
    assert len(list(let_through)) == 4


def test_images_of_several_sizes_are_explained():
    items = [("labeled", {"img": np.zeros((3, 4, n))}) for n in (4, 5)]
    text = collate(items)["_error"].tobytes().decode()
    assert "'img' of different sizes" in text


def test_waiting_is_counted(root):
    batches = loader(root)
    list(batches)
    assert 0 < batches.wait_seconds < 5


class InWorkers:
    """Call something in the loader's processes."""

    def __init__(self, call):
        self.call, self.main = call, os.getpid()

    def __call__(self, data):
        if os.getpid() != self.main:
            self.call()
        return data


@pytest.mark.parametrize("number, said", [
    (signal.SIGKILL, "SIGKILL, most often the machine ran out of memory"),
    (signal.SIGBUS, "SIGBUS, most often /dev/shm is full")])
def test_a_killed_worker_ends_in_one_line(root, number, said):
    def die():
        signal.signal(signal.SIGBUS, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    started = time.monotonic()
    with pytest.raises(UserError, match=f"worker ended unexpectedly .{said}"):
        list(loader(root, num_workers=2, stop=50, ops=[InWorkers(die)]))
    assert time.monotonic() - started < 4, "Paddle itself takes 5 s"


def test_a_worker_leaves_signals_to_its_parent(root):
    def call():
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(os.getpid(), number)

    ops = [InWorkers(call), CenterPad(size=[16, 16])]
    assert len(list(loader(root, num_workers=1, ops=ops))) == 4


def test_a_worker_that_does_not_answer_is_ended(root):
    batches = iter(loader(root, num_workers=1, stop=50,
                          ops=[CenterPad(size=[16, 16])]))
    next(batches)
    # Its shared memory is claimed for as long as it works.
    claims = set(Path("/dev/shm").glob("contrib_semiseg_workers_*"))
    worker, = multiprocessing.active_children()
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        batches.close()
        tiny.wait_for(lambda: not multiprocessing.active_children(), 10)
    finally:
        worker.kill()
    assert [p for p in claims if not p.exists()]
