"""Debian, Python, Node, redis, nginx and PostgreSQL in functions: what people run, through the docker CLI. Their ports are reached from inside, by exec, and
from the host where they are published.

SPDX-License-Identifier: Apache-2.0
"""
import os
import socket
import sys
import tempfile
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), os.path.join(os.path.dirname(HERE), "docker-cli")]
from casebook import case, main, until  # noqa: E402
from cli import clean, docker, run  # noqa: E402


@case
def debian():
    assert "Debian" in docker("run", "--rm", "debian:slim", "sh", "-c", ". /etc/os-release; echo $NAME")
    assert docker("run", "--rm", "-i", "debian:slim", stdin="echo ${BASH_VERSION%%.*}; exit 3", code=3) == "5\n"  # the image's own command, a shell
    assert docker("run", "--rm", "--user", "www-data", "debian:slim", "id", "-un") == "www-data\n"


@case
def python():
    with tempfile.TemporaryDirectory() as tmp:
        with open(os.path.join(tmp, "program.py"), "w") as f:
            f.write("import sys, json, os, threading\nprint(json.dumps(sys.argv[1:]))\nsys.exit(len(sys.argv))\n")
        docker("create", "--name", "cli-python", "python:3", "python3", "/srv/program.py", "a b", "c'd\"e")
        docker("cp", os.path.join(tmp, "program.py"), "cli-python:/srv/")
        assert docker("start", "-a", "cli-python", code=3) == '["a b", "c\'d\\"e"]\n'
        docker("rm", "cli-python")
    assert docker("run", "--rm", "-i", "python:3", stdin="import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print('bound')") == "bound\n"


@case
def node():
    script = "const http = require('http'); const s = http.createServer((q, r) => r.end('served')).listen(0, '127.0.0.1', async () => " \
             "{ console.log(await (await fetch('http://127.0.0.1:' + s.address().port)).text()); process.exit(6); })"
    assert docker("run", "--rm", "node:lts", "node", "-e", script, code=6) == "served\n"


@case
def redis():
    docker("run", "-d", "--name", "cli-redis", "-p", "127.0.0.1::6379", "--health-cmd", "redis-cli ping", "--health-interval", "200ms", "redis:7")
    until(lambda: "(healthy)" in docker("ps", "--filter", "name=cli-redis"), "health")
    assert docker("exec", "cli-redis", "redis-cli", "set", "k", "v") == "OK\n" and docker("exec", "cli-redis", "redis-cli", "get", "k") == "v\n"
    docker("exec", "-i", "cli-redis", "redis-cli", stdin="".join(f"rpush list {i}\n" for i in range(2000)))
    assert docker("exec", "cli-redis", "redis-cli", "llen", "list") == "2000\n"
    assert "Ready to accept connections" in docker("logs", "cli-redis")
    host, port = docker("port", "cli-redis", "6379").strip().split(":")
    with socket.create_connection((host, int(port)), 30) as s:
        s.sendall(b"GET k\r\n")
        assert s.recv(100) == b"$1\r\nv\r\n"
    docker("stop", "cli-redis")
    assert docker("wait", "cli-redis") == "0\n" and "User requested shutdown" in docker("logs", "cli-redis")
    docker("rm", "cli-redis")


@case
def nginx():
    docker("create", "--name", "cli-nginx", "-p", "127.0.0.1::80", "nginx:1")
    with tempfile.TemporaryDirectory() as tmp:
        with open(os.path.join(tmp, "index.html"), "w") as f:
            f.write("hello from a function")
        docker("cp", os.path.join(tmp, "index.html"), "cli-nginx:/var/www/html/index.html")
    docker("start", "cli-nginx")
    ask = "exec 3<>/dev/tcp/127.0.0.1/80; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3"
    until(lambda: run("exec", "cli-nginx", "bash", "-c", ask).returncode == 0, "the server")
    assert docker("exec", "cli-nginx", "bash", "-c", ask).endswith("hello from a function")
    until(lambda: "GET / HTTP/1.0" in docker("logs", "cli-nginx"), "the access log")
    with urllib.request.urlopen("http://" + docker("port", "cli-nginx", "80").strip(), timeout=30) as answer:
        assert answer.read() == b"hello from a function"
    assert "nginx: worker process" in docker("top", "cli-nginx")
    docker("stop", "cli-nginx")
    assert docker("wait", "cli-nginx") == "0\n"
    docker("rm", "cli-nginx")


@case
def postgres():
    docker("run", "-d", "--name", "cli-pg", "-e", "POSTGRES_PASSWORD=secret", "-e", "POSTGRES_USER=me", "-e", "POSTGRES_DB=mine", "postgres:15")

    def psql(text, **kw):
        return docker("exec", "-i", "-e", "PGPASSWORD=secret", "cli-pg", "psql", "-h", "127.0.0.1", "-U", "me", "-d", "mine", "-v", "ON_ERROR_STOP=1", "-qtA",
                      stdin=text, **kw)
    until(lambda: run("exec", "cli-pg", "pg_isready", "-h", "127.0.0.1", "-U", "me").returncode == 0, "the server", 60)
    psql("create table t (n int, s text); insert into t select i, 'row ' || i from generate_series(1, 10000) i;")
    assert psql("select count(*), sum(n) from t") == "10000|50005000\n"
    assert len(psql("copy t to stdout").splitlines()) == 10000
    psql("select nosuch", code=3)
    docker("stop", "cli-pg")
    assert docker("wait", "cli-pg") == "0\n" and "database system is shut down" in docker("logs", "cli-pg") + run("logs", "cli-pg").stderr
    docker("rm", "cli-pg")


@case
def postgres_says_what_it_lacks():
    done = run("run", "--rm", "--name", "cli-pg0", "postgres:15")
    assert done.returncode == 2 and "POSTGRES_PASSWORD: is not set" in done.stderr, done


if __name__ == "__main__":
    main("12", {}, clean)
