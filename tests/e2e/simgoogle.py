"""A plain client of the simulator's APIs, for its tests: no library, so that each byte is the test's. Answers of /v2 are
checked against Google's documents.

    g = Google(images, "--operation-delay", "1s")
    g.call("POST", g.fns + "?functionId=f-one", {...})          # Answer(status, headers, body); .json
    g.ok("GET", g.fns + "/f-one")                               # asserts 200, gives the JSON
    g.done(g.ok("DELETE", ...))                                       # polls the operation, gives it

SPDX-License-Identifier: Apache-2.0
"""
import http.client
import json
import os
import signal
import subprocess
import urllib.parse

import skl
from dockerapi import wait_until
from gcpapi import SPEC

PARENT = f"projects/{skl.PROJECT}/locations/{skl.REGION}"

# An HTTP server in shell, for `nc -e`: says what it was asked and with which environment; speaks back on an upgraded connection.
SERVER = r"""#!/bin/sh
read -r line
length=0 all=""
while read -r h; do
    h=$(printf %s "$h" | tr -d '\r')
    [ -n "$h" ] || break
    all="$all$h
"
    case $h in [Cc]ontent-[Ll]ength:*) length=${h#*: } ;; [Uu]pgrade:*) upgrade=${h#*: } ;; esac
done
case $line in
*/slow*) sleep 1000 ;;
*/wait*) until [ -e /tmp/go ]; do sleep 0.05; done ;;
*/go*) : >/tmp/go ;;
*/metadata*) all=$(wget -q -O - --header "Metadata-Flavor: Google" "http://$GCE_METADATA_HOST/computeMetadata/v1/instance/service-accounts/default/email") ;;
*/eat*) exec cat >/dev/null ;;
*/echo*) printf 'HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nConnection: close\r\n\r\n'; exec dd bs=65536 2>/dev/null ;;
esac
if [ -n "$upgrade" ] && [ "$upgrade" != refuse ]; then
    printf 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: %s\r\nConnection: Upgrade\r\nX-Mark: here\r\n\r\n' "$upgrade"
    exec cat
fi
body="$line
$all$(env)
$(id -u) $(pwd)
$(head -c "$length" | wc -c)"
printf 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Mark: here\r\nContent-Length: %s\r\nConnection: close\r\n\r\n%s' "$(printf %s "$body" | wc -c)" "$body"
"""
SERVE = ["sh", "-c", f"cat >/srv.sh <<'END'\n{SERVER}END\nchmod +x /srv.sh; exec nc -ll -p $PORT -e /srv.sh"]


def namespace(pid):
    try:
        return os.stat(f"/proc/{pid}/ns/pid").st_ino
    except OSError:
        return None


def instances(g, service):
    """The PID namespaces of a service's instances."""
    found, top = set(), os.path.join(g.state, "instances")
    for name in os.listdir(top):
        try:
            with open(os.path.join(top, name, "pid")) as f:
                pid = f.read().strip()
            with open(f"/proc/{pid}/environ", "rb") as f:
                if f"K_SERVICE={service}".encode() in f.read().split(b"\0"):
                    found.add(namespace(pid))
        except OSError:
            continue
    return found - {None, namespace("self")}


def inside(g, service):
    """All processes of a service's instances: [pid]"""
    spaces = instances(g, service)
    return [int(pid) for pid in filter(str.isdigit, os.listdir("/proc")) if namespace(pid) in spaces]


def let_go(g, service, waiting):
    """Ends the requests to /wait, however late they get there."""
    def over():
        for pid in inside(g, service):
            if not os.path.exists(f"/proc/{pid}/root/srv.sh"):  # it is not in its own root yet
                continue
            try:
                with open(f"/proc/{pid}/root/tmp/go", "w"):
                    pass
            except OSError:  # it ended meanwhile; the next round finds another
                pass
        return all(w.done() for w in waiting)

    wait_until(over, "requests to end")


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json["error"]["message"]

    @property
    def reason(self):
        return self.json["error"]["status"]


class Google(skl.Cloud):
    fns = f"/v2/{PARENT}/functions"
    services = f"/v2/{PARENT}/services"

    def __init__(self, images, *args, docker=True):
        self.docker = docker
        super().__init__(images, list(args))

    @property
    def port(self):
        return int(self.url.rpartition(":")[2])

    def call(self, method, path, body=None, headers=None, timeout=skl.TIMEOUT):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        heads = dict(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            heads.setdefault("Content-Type", "application/json")
        try:
            c.request(method, path.removeprefix(self.url), body, heads)
            r = c.getresponse()
            a = Answer(r.status, r.headers, r.read())
            if path.startswith(("/v2/projects/", "/v1/projects/-/serviceAccounts/")) and path != "/v2/" + PARENT and r.status != 404:
                SPEC.check(method, urllib.parse.unquote(path.split("?")[0]), a.status, a.json)
            return a
        finally:
            c.close()

    def ok(self, method, path, body=None, **kw):
        a = self.call(method, path, body, **kw)
        assert a.status == 200, (a.status, a.body)
        return a.json

    def refused(self, method, path, body=None, **kw):
        a = self.call(method, path, body, **kw)
        assert a.status >= 400, a.body
        assert a.json["error"]["code"] == a.status
        return a

    def done(self, op):
        state = {"op": op}

        def over():
            state["op"] = self.ok("GET", "/v2/" + op["name"])
            return state["op"].get("done")

        if not op.get("done"):
            wait_until(over, "the operation to be done")
        return state["op"]

    def create(self, name, fn=None, **service):
        fn = fn or {"buildConfig": {"runtime": "docker"}, "serviceConfig": {"environmentVariables": {"SOCKERLESS_IMAGE": "busybox"}, **service}}
        return self.done(self.ok("POST", f"{self.fns}?functionId={name}", fn))

    def serve(self, name, image="busybox", **template):
        """A Cloud Run service that says what it is asked."""
        template = {"containers": [{"image": image, "command": SERVE}], **template}
        op = self.done(self.ok("POST", f"{self.services}?serviceId={name}", {"template": template}))
        assert "error" not in op, op
        return op["response"]["uri"]

    def restart(self, *args, kill=False):
        """The same state directory, another process."""
        self.process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        self.process.wait(skl.TIMEOUT)
        os.unlink(self.port_file)
        argv = [*self.process.args, *args]
        with open(os.path.join(self.dir, "log"), "ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_until(lambda: os.path.exists(self.port_file), "the simulator to come up again")
        with open(self.port_file) as f:
            self.url = "http://127.0.0.1:" + f.read().strip()
