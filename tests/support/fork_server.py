# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Commands in processes of their own, without the seconds of their imports.

A server that has imported everything forks for each command, which runs in a
process group of its own as if it had been typed.
"""

import json
import os
import runpy
import signal
import subprocess
import sys
import threading

from tests.support import tiny


class Server:
    """Starts commands one after the other; a context manager."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.fork_server"], text=True,
            cwd=tiny.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1"})

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.stdin.close()
        if error[0]:  # which would else wait for the command under way
            self.process.kill()
        self.process.wait(timeout=60)

    def start(self, log, *arguments):
        """Start a script; returns its Command. `log` (Path) is emptied."""
        log.write_bytes(b"")
        request = {"log": str(log), "arguments": list(map(str, arguments))}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        pid = int(self.process.stdout.readline())
        return Command(pid, log, self.process.stdout)

    def run(self, log, *arguments):
        """Run a script to its end; returns (status, what it printed)."""
        return self.start(log, *arguments).wait()


class Command:
    """A running command and its process group `pid`."""

    def __init__(self, pid, log, statuses):
        self.pid, self.log, self.status = pid, log, None
        self._reader = threading.Thread(target=self._read, args=[statuses],
                                        daemon=True)
        self._reader.start()

    def _read(self, statuses):
        self.status = int(statuses.readline())

    @property
    def text(self):
        """What it printed so far, on stdout and stderr."""
        return self.log.read_text()

    def workers(self):
        """Process ids of its loader workers."""
        return tiny.children(self.pid)

    def signal(self, number):
        """Send a signal to it and to its workers."""
        if self.status is None:
            os.killpg(self.pid, number)

    def wait(self, seconds=60):
        """Wait for its end; returns (status, what it printed)."""
        self._reader.join(seconds)
        if self.status is None:
            self.signal(signal.SIGKILL)
            raise TimeoutError(f"still running after {seconds} s:\n"
                               f"{self.text}")
        return self.status, self.text


def _become(log, arguments):
    handle = os.open(log, os.O_WRONLY | os.O_APPEND)
    for number in (1, 2):
        os.dup2(handle, number)
    sys.argv = arguments
    sys.path[0] = str(tiny.ROOT)
    runpy.run_path(arguments[0], run_name="__main__")


def serve():
    for line in iter(sys.stdin.readline, ""):
        request = json.loads(line)
        pid = os.fork()
        # A group of its own, before anybody can signal it.
        os.setpgid(pid, pid)
        if not pid:
            _become(request["log"], request["arguments"])
            return
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    from contrib_semiseg import environment

    environment.prepare()

    import contrib_semiseg.components  # noqa: E402, F401
    from contrib_semiseg.engine import stages, training  # noqa: E402, F401

    serve()
