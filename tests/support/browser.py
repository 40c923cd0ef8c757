# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Headless Chromium, told what to do through a pair of pipes."""

import json
import os
import subprocess


class Browser:
    """Opens files and tells what they ask for; a context manager.

    Args:
        profile (Path): a new folder for its files.

    Attributes:
        requests (list of str): addresses that the page asked for.
        problems (list of str): errors of scripts, of the console and of the
            content policy.
    """

    def __init__(self, profile):
        to_read, self._to = os.pipe()
        self._from, to_write = os.pipe()

        def connect():  # it reads from 3 and writes to 4
            first, second = os.dup(to_read), os.dup(to_write)
            os.dup2(first, 3)
            os.dup2(second, 4)

        self._process = subprocess.Popen(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu",
             "--no-first-run", "--disable-background-networking",
             f"--user-data-dir={profile}", "--remote-debugging-pipe"],
            close_fds=False, preexec_fn=connect, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        self._number, self._left, self._session = 0, b"", None
        self.requests, self.problems, self._loaded = [], [], False

    def __enter__(self):
        target = self._call("Target.createTarget", url="about:blank")
        self._session = self._call("Target.attachToTarget", flatten=True,
                                   targetId=target["targetId"])["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self._call(f"{domain}.enable")
        return self

    def __exit__(self, *error):
        self._process.kill()
        self._process.wait()
        os.close(self._to)
        os.close(self._from)

    def open(self, path):
        """Open a file and wait until it is loaded."""
        self.requests, self.problems, self._loaded = [], [], False
        self._call("Page.navigate", url=path.as_uri())
        while not self._loaded:
            self._take(self._read())
        self.ask("new Promise(r => setTimeout(r, 300))")

    def ask(self, expression):
        """The value of a JavaScript expression."""
        return self._call("Runtime.evaluate", expression=expression,
                          returnByValue=True, awaitPromise=True
                          )["result"].get("value")

    def _call(self, method, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self._take(answer)

    def _read(self):
        while b"\0" not in self._left:
            more = os.read(self._from, 1 << 16)
            assert more, "the browser is gone"
            self._left += more
        message, self._left = self._left.split(b"\0", 1)
        return json.loads(message)

    def _take(self, event):
        method, values = event.get("method"), event.get("params", {})
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Network.requestWillBeSent":
            address = values["request"]["url"]
            if not address.startswith("data:"):
                self.requests.append(address)
        elif method == "Runtime.exceptionThrown":
            self.problems.append(json.dumps(values["exceptionDetails"]))
        elif method == "Log.entryAdded":
            self.problems.append(values["entry"]["text"])
