"""The simulator's way from functions to services on the host's loopback.

SPDX-License-Identifier: Apache-2.0
"""
import os
import socket
import time

HOST_ADDRESS = "169.254.77.1"  # NETNS_HOST_ADDR
STEP, MOST = 250_000, 60_000_000  # less than the relay holds (RELAY_BUFFER); more than the kernel holds besides, which grows its buffers as it sees fit


def talk(server, port, n):
    """Whether the service could get rid of n bytes and end although the function took none; then it gets them all."""
    data = os.urandom(n)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(30)
        client.connect((HOST_ADDRESS, port))
        service, _ = server.accept()
        service.settimeout(2)
        with service:
            try:
                service.sendall(data)
            except TimeoutError:
                return False
            service.shutdown(socket.SHUT_WR)
            for _ in range(30):  # some of them after the relay has seen the end
                client.sendall(b"are you there?")
                time.sleep(0.001)
            got = b""
            while len(got) < n and (piece := client.recv(1 << 16)):
                got += piece
    assert got == data
    return True


def test_words_to_a_side_that_is_gone(house):
    """A service sends its answer and ends; what the function says while the answer is still on its way harms nobody."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        cid = house.api.create(Cmd=["sleep", "1000"], Env=[f"SERVICE=http://host.sockerless.internal:{port}/"])
        house.api.start(cid)
        n = STEP
        while talk(server, port, n):
            n += max(STEP, n // 16)
            assert n < MOST, "nothing holds that much"
    assert house.api.remove(cid).status == 204
    assert house.cloud.process.poll() is None
