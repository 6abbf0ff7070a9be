"""Thousands of containers on the null driver: no cloud, so what is measured is the daemon.

SPDX-License-Identifier: Apache-2.0
"""
import json
import threading
import time

BODY = {"Image": "busybox", "Cmd": ["sh", "-c", "echo hi"], "Env": ["A=b", "PATH=/bin"],
        "Labels": {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}}
CLIENTS = 8


def fill(api, n):
    """Creates n containers, 8 at a time, and returns how many a second that was."""
    failures, body = [], json.dumps(BODY).encode()

    def client(k):
        with api.connect() as c:
            for i in range(k, n, CLIENTS):
                c.send(api.request_bytes("POST", f"/containers/create?name=c{i}", body, {"Content-Type": "application/json"}))
                status, _, headers = c.head()
                answer = c.body("POST", status, headers)
                if status != 201:
                    failures.append(answer)
                    return

    began = time.monotonic()
    threads = [threading.Thread(target=client, args=(k,)) for k in range(CLIENTS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures, failures[0]
    return n / (time.monotonic() - began)


def start_time(daemon):
    """Starts it and returns the seconds until the first answer."""
    began = time.monotonic()
    daemon.spawn()
    while not daemon.answers():
        time.sleep(0.0005)
    return time.monotonic() - began
