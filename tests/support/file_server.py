# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""A web server of one file that misbehaves as it is told."""

import contextlib
import http.server
import re
import threading


class FileServer(http.server.ThreadingHTTPServer):
    """Gives `data` at every path.

    Attributes:
        data (bytes): the file.
        cut (int, optional): bytes sent of the next answer, which then ends.
        ranges (bool): understands Range.
        shift (int): error in the ranges sent.
        chunked (bool): does not say how long the file is.
        status (int, optional): answer of every request.
        gate (Event, optional): awaited before the second half is sent.
        asked (list): (path, Range or None) of every request.
    """

    daemon_threads = True

    def __init__(self, data):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.data, self.asked = data, []
        self.cut = self.status = self.gate = None
        self.ranges, self.chunked, self.shift = True, False, 0

    def url(self, path="/models/net.pth"):
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


class _Handler(http.server.BaseHTTPRequestHandler):

    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        server, self.close_connection = self.server, True
        wanted = self.headers.get("Range")
        server.asked.append((self.path, wanted))
        start = int(re.match(r"bytes=(\d+)-", wanted)[1]) \
            if wanted and server.ranges else 0
        if server.status or (start and start >= len(server.data)):
            self.send_error(server.status or 416)
            return
        body = server.data[max(0, start - server.shift):]
        self.send_response(206 if start else 200)
        if start:
            size = len(server.data)
            self.send_header("Content-Range", f"bytes {start - server.shift}"
                             f"-{size - 1}/{size}")
        if server.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        cut, server.cut = server.cut, None
        if server.chunked:
            self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
            return
        half = len(body) // 2
        self.wfile.write(body[:half][:cut])
        if server.gate:
            server.gate.wait(30)
        self.wfile.write(body[half:][:max(0, cut - half) if cut else None])


@contextlib.contextmanager
def serve(data):
    """Run a FileServer of `data` in a thread."""
    server = FileServer(data)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
