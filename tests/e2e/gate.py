"""A TCP forwarder between daemon and cloud that a test can shut: to the daemon the cloud is away then.

    gate = Gate(cloud.url); Daemon(images, cloud=cloud, endpoint=gate.url); gate.shut(); gate.open(); gate.close()

SPDX-License-Identifier: Apache-2.0
"""
import socket
import threading
import urllib.parse


class Gate:
    def __init__(self, url=None):
        where = urllib.parse.urlparse(url or "")
        self.target, self.passing, self.live, self.refused = (where.hostname, where.port), True, set(), 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if not self.passing:
                self.refused += 1
                near.close()
                continue
            try:
                far = socket.create_connection(self.target)
            except OSError:  # nobody is there
                near.close()
                continue
            self.live |= {near, far}
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(a, b), daemon=True).start()

    def _pass(self, a, b):
        try:
            while data := a.recv(1 << 16):
                b.sendall(data)
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.live.discard(a)
        a.close()

    def shut(self):
        """Nothing gets through any more, what is open breaks off."""
        self.passing = False
        for s in list(self.live):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def open(self):
        self.passing = True

    def close(self):
        self.shut()
        self.listener.close()


class Bell:
    """A server that a container waits at (an HTTP request that is never answered) until the test rings: the container's end is the test's choice.

        bell = Bell(); api.create(Cmd=["sh", "-c", f"{bell.wait}; exit 7"], Env=bell.env); bell.ring()

    The simulator lets functions reach those ports of the host that a URL in their environment names: hence `env`.
    """

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.env = [f"BELL=http://host.sockerless.internal:{self.port}"]
        self.wait = f"wget -q -O /dev/null http://host.sockerless.internal:{self.port}/ 2>/dev/null"

    def ring(self, n=1, timeout=60):
        """Ends n waits, the next ones to come if they are not there yet."""
        self.listener.settimeout(timeout)
        for _ in range(n):
            self.listener.accept()[0].close()

    def close(self):
        self.listener.close()
