# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Whole runs over pictures and videos; the network is a function."""

import os
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from contrib_semiseg.cvlibs.errors import ConfigError, DataError, UserError
from contrib_semiseg.datasets.reading import read_image
from contrib_semiseg.engine import prediction, predictor, video, work_pool
from contrib_semiseg.engine.inference import Inferencer

NAMES = ["dark", "bright"]


def bright(x):
    """Logits of two classes: the red channel is below or above 128."""
    return np.stack([128 - x[:, 0], x[:, 0] - 128], axis=1)


class Forward:
    """`bright`, which counts its pictures and can fail at one."""

    def __init__(self, fail_at=None):
        self.shapes, self.fail_at = [], fail_at

    def __call__(self, x):
        if self.fail_at is not None and sum(
                n for n, *_ in self.shapes) >= self.fail_at:
            raise KeyboardInterrupt
        self.shapes.append(x.shape)
        return bright(x)

    @property
    def pictures(self):
        return sum(shape[0] for shape in self.shapes)


def pictures(folder, count, size=(6, 4)):
    """Write pictures of which the first columns are bright; entries."""
    entries = []
    for k in range(count):
        name = f"{k % 2}/{k:03d}.png"
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = np.zeros((size[1], size[0], 3), np.uint8)
        image[:, :k % size[0]] = 200
        cv2.imwrite(str(path), image)
        entries.append((str(path), name, False))
    return entries


def predict(entries, folder, *, forward=None, workers=0, batch=1,
            resume=False, kinds=("class_map",), streamed=(), frames=None):
    """A run; returns (Result, Forward, Items)."""
    forward = forward or Forward()
    inferencer = Inferencer(forward=forward, batch=batch)
    outputs = predictor.Outputs(folder, kinds=kinds, names=NAMES)
    items = prediction.Items(entries, outputs, resume=resume,
                             streamed=streamed, frames=frames)
    job = prediction.PredictionJob(read_image, inferencer, outputs, streamed)
    if not resume:
        items.clear()
    return prediction.Run(inferencer, items, job, workers=workers,
                          batch=batch)(), forward, items


def class_map(folder, name):
    """Where the picture is bright: bool [H, W]."""
    with Image.open(Path(folder) / "class_map" / f"{name}.png") as image:
        return np.array(image) > 0


@pytest.mark.parametrize("workers, batch", [(0, 1), (0, 4), (1, 1), (3, 2)])
def test_each_picture_gets_its_own_result(tmp_path, workers, batch):
    entries = pictures(tmp_path / "in", 23)
    result, forward, _ = predict(entries, tmp_path / "out", workers=workers,
                                 batch=batch)
    assert result.done == 23 == forward.pictures and not result.broken
    assert max(n for n, *_ in forward.shapes) == batch
    for k, (_, name, _) in enumerate(entries):
        found = class_map(tmp_path / "out", name[:-4])
        assert found.shape == (4, 6)
        assert (found == (np.arange(6) < k % 6)).all()
    assert 0 < result.busy <= 1 and result.seconds > 0


def test_pictures_of_other_sizes_do_not_share_a_batch(tmp_path):
    entries = pictures(tmp_path / "a", 3) + [
        (path, f"b{name}", moving) for path, name, moving in
        pictures(tmp_path / "b", 3, (5, 9))]
    result, forward, _ = predict(entries, tmp_path / "out", batch=6)
    assert result.done == 6
    assert forward.shapes == [(3, 3, 4, 6), (3, 3, 9, 5)]


@pytest.mark.parametrize("workers", [0, 2])
def test_broken_pictures_do_not_stop_the_rest(tmp_path, workers):
    entries = pictures(tmp_path / "in", 5)
    Path(entries[0][0]).write_text("no picture")
    Path(entries[3][0]).unlink()
    result, _, _ = predict(entries, tmp_path / "out", workers=workers)
    assert result.done == 3
    assert sorted(line.split(":")[0] for line in result.broken) == [
        entries[0][0], entries[3][0]]


def test_a_stopped_run_goes_on_and_does_nothing_twice(tmp_path):
    entries = pictures(tmp_path / "in", 20)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        predict(entries, out, workers=2, forward=Forward(fail_at=9))
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*.png")}
    assert 5 <= len(before) <= 9
    result, forward, _ = predict(entries, out, workers=2, resume=True)
    assert result.skipped == len(before)
    assert forward.pictures == result.done == 20 - len(before)
    assert all(p.stat().st_mtime_ns == t for p, t in before.items())
    assert len(list(out.rglob("*.png"))) == 20


def test_done_is_what_has_all_its_files(tmp_path):
    entries = pictures(tmp_path / "in", 3)
    predict(entries, tmp_path / "out")
    result, _, _ = predict(entries, tmp_path / "out", resume=True,
                           kinds=("class_map", "polygons"))
    assert (result.done, result.skipped) == (3, 0)
    (tmp_path / "out/polygons/0/002.json").unlink()
    result, _, items = predict(entries, tmp_path / "out", resume=True,
                               kinds=("class_map", "polygons"))
    assert (result.done, result.skipped) == (1, 2)
    assert items.names == ["0/000", "1/001", "0/002"]


def test_a_new_run_leaves_nothing_of_the_old_one_to_resume(tmp_path):
    entries = pictures(tmp_path / "in", 6)
    predict(entries, tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        predict(entries, tmp_path / "out", forward=Forward(fail_at=0))
    assert not list((tmp_path / "out").rglob("*.png"))


def test_a_worker_that_is_killed_ends_the_run_with_one_line(tmp_path):
    def read(path):
        os.kill(os.getpid(), signal.SIGKILL)

    outputs = predictor.Outputs(tmp_path, kinds=["class_map"], names=NAMES)
    entries = pictures(tmp_path / "in", 2)
    inferencer = Inferencer(forward=bright)
    run = prediction.Run(
        inferencer, prediction.Items(entries, outputs),
        prediction.PredictionJob(read, inferencer, outputs), workers=1)
    with pytest.raises(UserError, match=r"ended unexpectedly \(status -9"):
        run()


def test_a_full_disk_in_a_worker_is_an_error_here(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device", "x.png")

    monkeypatch.setattr(predictor, "write", full)
    with pytest.raises(OSError, match="No space left") as found:
        predict(pictures(tmp_path / "in", 1), tmp_path / "out", workers=1)
    assert found.value.errno == 28


def make_video(path, count, size=(64, 48)):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10,
                             size)
    for k in range(count):
        frame = np.zeros((size[1], size[0], 3), np.uint8)
        frame[:, :8 * (k % 8)] = 220
        writer.write(frame)
    writer.release()
    return [(str(path), path.name, True)]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_video_becomes_frames(tmp_path, workers):
    entries = make_video(tmp_path / "v.avi", 7) + pictures(tmp_path / "in", 2)
    result, _, items = predict(entries, tmp_path / "out", workers=workers)
    assert result.done == 9 and not result.broken
    for k in range(7):
        found = class_map(tmp_path / "out", f"v/{k:06d}")
        assert (found.mean(axis=0) > 0.5).sum() == 8 * k
    (tmp_path / "out/class_map/v/000003.png").unlink()
    result, forward, _ = predict(entries, tmp_path / "out", resume=True,
                                 workers=workers)
    assert (result.done, result.skipped, forward.pictures) == (1, 8, 1)
    found = class_map(tmp_path / "out", "v/000003")
    assert (found.mean(axis=0) > 0.5).sum() == 24


def test_a_video_becomes_videos(tmp_path):
    entries = make_video(tmp_path / "v.avi", 7, (65, 48))
    options = dict(kinds=("class_map", "overlay"), workers=2,
                   streamed=prediction.STREAMED)
    result, _, _ = predict(entries, tmp_path / "out", frames=5, **options)
    assert result.done == 5 and not result.broken
    reader = video.Reader(str(tmp_path / "out/overlay/v.mp4"))
    assert reader.rate == 10
    frames = [reader.frame(k) for k in range(6)]
    assert frames[5] is None and frames[0].shape[0] > 48  # with a legend
    assert len(list((tmp_path / "out").rglob("*.*"))) == 6
    result, _, _ = predict(entries, tmp_path / "out", frames=5, resume=True,
                           **options)
    assert (result.done, result.skipped) == (0, 1)


def test_a_broken_video_does_not_stop_the_rest(tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"no video" * 100)
    data = make_video(tmp_path / "v.avi", 60)[0][0]
    whole = Path(data).read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[:len(whole) // 2])
    entries = [(str(tmp_path / name), name, True)
               for name in ("bad.mp4", "cut.avi")]
    result, _, _ = predict(entries + pictures(tmp_path / "in", 2),
                           tmp_path / "out", workers=2)
    assert len(result.broken) == 2
    assert "bad.mp4: the video cannot be opened" in result.broken[0]
    assert 2 < result.done < 50


@pytest.mark.parametrize("text", [
    "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{}\n"
    "#EXT-X-ENDLIST\n", "ffconcat version 1.0\nfile {}\n"])
def test_a_playlist_is_no_video(tmp_path, text):
    make_video(tmp_path / "v.avi", 9)
    (tmp_path / "list.mp4").write_text(text.format(tmp_path / "v.avi"))
    with pytest.raises(DataError, match="list.mp4: the video cannot be"):
        video.Reader(str(tmp_path / "list.mp4"))


def test_no_camera(tmp_path):
    with pytest.raises(DataError, match="camera 93 cannot be opened"):
        video.Reader(93)
    result, _, _ = predict([(93, "camera93", True)], tmp_path)
    assert result.done == 0 and len(result.broken) == 1


def test_ctrl_c_ends_a_camera_and_what_was_read_is_written(tmp_path):
    entries = make_video(tmp_path / "v.avi", 50)
    outputs = predictor.Outputs(tmp_path / "out", names=NAMES,
                                kinds=("overlay",))
    items = prediction.Items(entries, outputs, streamed=prediction.STREAMED)

    def forward(x):
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        calls.append(1)
        return bright(x)

    calls, inferencer = [], Inferencer(forward=forward)
    with prediction.stopped_by_interrupt(items):
        result = prediction.Run(inferencer, items, prediction.PredictionJob(
            read_image, inferencer, outputs, prediction.STREAMED))()
    assert 4 <= result.done < 50
    reader = video.Reader(str(tmp_path / "out/overlay/v.mp4"))
    assert reader.frame(result.done - 1) is not None
    assert reader.frame(result.done) is None


def test_the_first_picture_that_can_be_read(tmp_path):
    entries = pictures(tmp_path, 2)
    Path(entries[0][0]).write_text("no picture")
    found = prediction.first_picture(entries, read_image)
    assert found.shape == (4, 6, 3)
    moving = make_video(tmp_path / "v.avi", 2)
    assert prediction.first_picture(moving, None).shape == (48, 64, 3)
    with pytest.raises(DataError, match="cannot be read"):
        prediction.first_picture(entries[:1], read_image)


@pytest.mark.parametrize("raised, kind, message", [
    (KeyError("key"), RuntimeError, "KeyError: 'key'"),
    (ConfigError("transforms: no"), ConfigError, "transforms: no")])
@pytest.mark.parametrize("workers", [0, 1])
def test_what_is_no_fault_of_an_item_ends_the_run(raised, kind, message,
                                                  workers):
    class Job(work_pool.Job):
        def open(self, item):
            raise raised

    pool = work_pool.Pool(Job(), workers, 1)
    pool.open(0, "key")
    with pytest.raises(kind, match=message):
        list(pool.answers(True))
    pool.shut()
