# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Read and write videos with OpenCV, frame by frame."""

import os

import cv2
import numpy as np

from contrib_semiseg.cvlibs.errors import DataError

SUFFIX, _CODEC, _RATE = ".mp4", "mp4v", 25.0
# Told by content, whatever the name. Playlists, which FFmpeg would follow to
# other files and hosts, are not among them.
_OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
_FORMATS = ("format_whitelist;mov,mp4,m4a,3gp,3g2,mj2,avi,matroska,webm,mpeg,"
            "mpegts,mpegvideo|protocol_whitelist;file")


class Reader:
    """The frames of a video or a camera, from first to last.

    Args:
        source (str or int): a file, or the number of a camera.
    Raises: DataError, if it cannot be opened.
    """

    def __init__(self, source):
        self.source, self.place, self.at_end = source, 0, False
        if isinstance(source, int):
            self._capture = cv2.VideoCapture(source)
        else:
            os.environ[_OPTIONS] = _FORMATS
            self._capture = cv2.VideoCapture(source, cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            what = (f"camera {source} cannot be opened" if
                    isinstance(source, int) else
                    f"{source}: the video cannot be opened; allowed: a "
                    "complete file of a format that OpenCV reads")
            raise DataError(what)
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate = rate if np.isfinite(rate) and 0 < rate <= 1000 else _RATE
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.count = max(0, int(count)) if np.isfinite(count) else 0

    def frame(self, number):
        """uint8 [H, W, 3] RGB, or None at the end; never an earlier one."""
        while self.place < number and not self.at_end:
            self.at_end = not self._capture.grab()
            self.place += not self.at_end
        good, frame = (False, None) if self.at_end else self._capture.read()
        if not good:
            self.at_end = True
            return None
        self.place += 1
        return np.ascontiguousarray(frame[:, :, ::-1])

    def lacks(self):
        """What is missing where it came to its end, in words, or None.

        The number of frames in a header may be off by a few.
        """
        if self.place == 0:
            return f"{self.source}: no frame can be read"
        if self.at_end and self.place < min(self.count - 2, 0.98 * self.count):
            return (f"{self.source}: {self.place} of {self.count} frames can "
                    "be read")
        return None

    def close(self):
        self._capture.release()


class Writer:
    """A video that has its name when it is complete.

    Args:
        path (str): the .mp4 file. rate (float): frames a second.
    """

    def __init__(self, path, rate):
        folder, name = os.path.split(path)
        os.makedirs(folder, exist_ok=True)
        self.path, self.rate = path, rate
        self._temporary = os.path.join(folder, f".part_{name}")
        self._video = self._size = None

    def add(self, frame):
        """Append uint8 [H, W, 3] RGB; later frames get the first's size.

        Raises: DataError, if OpenCV cannot write it.
        """
        if self._video is None:
            # The codec wants even sides.
            self._size = tuple(n + n % 2 for n in frame.shape[1::-1])
            self._video = cv2.VideoWriter(
                self._temporary, cv2.VideoWriter_fourcc(*_CODEC), self.rate,
                self._size)
            if not self._video.isOpened():
                raise DataError(f"{self.path}: this OpenCV cannot write "
                                "videos; --video_as frames")
        height, width = frame.shape[:2]
        right, below = self._size[0] - width, self._size[1] - height
        if right in (0, 1) and below in (0, 1):
            frame = cv2.copyMakeBorder(frame, 0, below, 0, right,
                                       cv2.BORDER_REPLICATE)
        else:
            frame = cv2.resize(frame, self._size)
        self._video.write(np.ascontiguousarray(frame[:, :, ::-1]))

    def close(self):
        """Complete it; a video without frames is not there."""
        if self._video is not None:
            self._video.release()
            os.replace(self._temporary, self.path)
