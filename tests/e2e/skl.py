"""The whole house for a test: sockerlessd with its simulator on a private state directory, and the docker CLI beside it.

    d = Daemon(images)                  # starts it and waits until it answers
    d.docker("run", "--rm", "busybox", "echo", "hi").stdout
    d.api                               # dockerapi.Api
    d.requests()                        # what the simulator was asked, from its request log
    d.kill9(); d.start(); d.stop()      # stop() asserts an orderly end and that nothing is left

    cloud = Cloud(images)               # a simulator of its own, that outlives daemons
    d = Daemon(images, cloud=cloud)     # ... and a daemon that has it for Google

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

from dockerapi import Api, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("SKL_BUILDDIR", TOP)
TIMEOUT = 60
PROJECT, REGION = "sockerless-test", "us-central1"


# What tests find in the image store; all of them are busybox.
NAMES = ("busybox", "spelled", "used:1")


def program(name):
    return os.path.join(BUILD, name)


def make_images(directory):
    """An image store that holds busybox:latest."""
    with tempfile.TemporaryDirectory() as tmp:
        layout = os.path.join(tmp, "busybox")
        subprocess.run([os.path.join(TOP, "tests/images/mkbusybox"), layout], check=True, timeout=TIMEOUT)
        for name in NAMES:
            import_image(directory, name, layout)
    return directory


def import_image(store, name, path, *options):
    subprocess.run([program("sockerless-gcp-simulator"), "image", "import", name, path, *options], check=True,
                   timeout=TIMEOUT, stdout=subprocess.DEVNULL, env=dict(os.environ, SOCKERLESS_IMAGES_DIR=store))


def mounts_below(directory):
    with open("/proc/self/mounts") as f:
        return [line.split()[1] for line in f if line.split()[1].startswith(directory + "/")]


def processes_with(text):
    """Processes (not us) whose command line or environment names the text: [(pid, command line)]."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                command = f.read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in command and int(pid) != os.getpid():
            found.append((int(pid), command))
    return found


def nothing_left(directory):
    """No process that names it: the simulator's warden may be the last to go, a moment after it."""
    try:
        wait_until(lambda: processes_with(directory) == [], "processes to go")
    except AssertionError:
        raise AssertionError(processes_with(directory)) from None


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def log_lines(path):
    with open(path) as f:
        return [json.loads(line) for line in f if line.endswith("\n")]  # the last may be in the making


def functions_of(url, project=PROJECT):
    with urllib.request.urlopen(f"{url}/v2/projects/{project}/locations/{REGION}/functions", timeout=TIMEOUT) as answer:
        return json.loads(answer.read()).get("functions", [])


class Cloud:
    """sockerless-gcp-simulator on its own."""

    def __init__(self, images, args=()):
        self.dir = tempfile.mkdtemp(prefix="skl-cloud-")
        self.images, self.args = images, list(args)
        self.state, self.port_file = os.path.join(self.dir, "state"), os.path.join(self.dir, "port")
        argv = [program("sockerless-gcp-simulator"), "--docker-runtime", "--listen", "127.0.0.1:0", "--port-file",
                self.port_file, "--state-dir", self.state, "--images", images, *self.args]
        with open(os.path.join(self.dir, "log"), "ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_until(lambda: os.path.exists(self.port_file), "the simulator to come up")
        with open(self.port_file) as f:
            self.url = "http://127.0.0.1:" + f.read().strip()

    def functions(self):
        """The functions it holds: [resource]"""
        return functions_of(self.url)

    def names(self):
        return {f["name"].rpartition("/")[2] for f in self.functions()}

    def requests(self):
        return log_lines(os.path.join(self.state, "requests.jsonl"))

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(TIMEOUT)
        try:
            assert code == 0, f"the simulator ended with {code}"
            assert mounts_below(self.dir) == []
            nothing_left(self.dir)
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)


def simulators_of(state):
    return [p for p in processes_with(state + "/simulator") if "sockerless-gcp-simulator" in p[1].split(" ")[0]]


def merged(a, b):
    """b's members over a's, all the way down."""
    if not isinstance(a, dict) or not isinstance(b, dict):
        return a if b is None else b
    return {k: merged(a.get(k), b.get(k)) for k in {*a, *b}}


class Daemon:
    def __init__(self, images, simulator=True, config=None, args=(), env=None, start=True, cloud=None, state=None,
                 endpoint=None, agents_gate=None, program=None):
        self.dir = tempfile.mkdtemp(prefix="skl-")
        self.images, self.simulator, self.args = images, simulator and cloud is None, list(args)
        self.cloud = cloud
        self.program = program        # None: the build tree's
        self.faults_expected = False  # of the driver
        if cloud is not None:
            self.agents_port = port = free_port()
            config = merged({"drivers": {"cloud-run-functions": {"endpoint-url": endpoint or cloud.url, "project": PROJECT}}}, config)
            self.args += ["--callback-url", f"http://host.sockerless.internal:{agents_gate or port}", "--agent-listen",
                          f"tcp://127.0.0.1:{port}"]
        self.env = dict(os.environ, **(env or {}))
        self.socket = os.path.join(self.dir, "docker.sock")
        self.host = "unix://" + self.socket
        self.state = state or os.path.join(self.dir, "state")
        self.log_path = os.path.join(self.dir, "log")
        self.config = None
        if config is not None:
            self.config = os.path.join(self.dir, "sockerless.json")
            with open(self.config, "w") as f:
                json.dump(config, f)
        self.api = Api(self.host)
        self.process = None
        if start:
            self.start()

    def command(self):
        argv = [self.program or program("sockerlessd"), "--host", self.host, "--state-dir", self.state, "--driver-dir",
                os.path.join(BUILD, "plugins"), "--log-level", "debug", "--ip", "127.0.0.1"]
        if self.simulator:
            argv += ["--simulator", "--simulator-images", self.images]
        if self.config:
            argv += ["--config", self.config]
        return argv + self.args

    def spawn(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), env=self.env, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def start(self):
        self.spawn()
        wait_until(self.answers, "the daemon to answer\n" + self.log()[-2000:])

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"sockerlessd ended with {self.process.returncode}:\n{self.log()[-4000:]}")
        try:
            return self.api.get("/_ping").status == 200
        except OSError:
            return False

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def docker(self, *args, input=None, check=False, timeout=TIMEOUT, env=None):
        """The docker CLI; stdout and stderr as text (bytes when input is bytes)."""
        text = not isinstance(input, bytes)
        where = {"PATH": os.environ["PATH"], "HOME": self.dir, "DOCKER_HOST": self.host, **(env or {})}
        done = subprocess.run(["docker", *args], input=input, stdin=None if input is not None else subprocess.DEVNULL,
                              capture_output=True, text=text, timeout=timeout, env=where)
        if check and done.returncode != 0:
            raise AssertionError(f"docker {' '.join(args)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def requests(self):
        """The simulator's request log, a dict a line."""
        if self.cloud is not None:
            return self.cloud.requests()
        return log_lines(os.path.join(self.state, "simulator", "requests.jsonl"))

    def functions(self):
        """What the simulator holds."""
        if self.cloud is not None:
            return self.cloud.functions()
        with open(os.path.join(self.state, "simulator.port")) as f:
            return functions_of("http://127.0.0.1:" + f.read().strip(), "sockerless-local")

    def instances(self):
        """What the simulator keeps on disk of running instances."""
        top = os.path.join(self.state, "simulator")
        return [d + "/" + name for d in ("instances", "crun") if os.path.isdir(os.path.join(top, d))
                for name in os.listdir(os.path.join(top, d))]

    # ---- ends ----
    def kill9(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(TIMEOUT)
        if self.simulator:
            wait_until(lambda: not simulators_of(self.state), "the simulator to end with the daemon")

    def stop(self):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(TIMEOUT)
        self.process = None
        text = self.log()
        assert code == 0, f"sockerlessd ended with {code}\n{text[-4000:]}"
        bad = re.search(r"(ERROR: \w+Sanitizer|runtime error:).*", text) or (
            not self.faults_expected and re.search(r"error sockerless\w*/plugin: .*", text))
        assert not bad, f"{bad.group(0)}\n{text[-8000:]}"
        assert mounts_below(self.dir) == []
        nothing_left(self.dir)
        if self.simulator:
            assert self.instances() == [], "an instance's files were left"

    def close(self):
        """stop(), and the directory is gone."""
        try:
            self.stop()
        finally:
            if self.process is not None and self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            shutil.rmtree(self.dir, ignore_errors=True)

    def rss(self):
        """(current, peak) in bytes."""
        with open(f"/proc/{self.process.pid}/status") as f:
            fields = dict(line.split(":", 1) for line in f)
        return tuple(int(fields[k].split()[0]) * 1024 for k in ("VmRSS", "VmHWM"))

    def sanitized(self):
        """ASan keeps freed memory for a while: sizes say nothing then."""
        with open(f"/proc/{self.process.pid}/maps") as f:
            return "libasan" in f.read()

    def fds(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


def eventually(test, timeout=TIMEOUT):
    """Like wait_until, for tests that raise until they hold."""
    end = time.monotonic() + timeout
    while True:
        try:
            return test()
        except (AssertionError, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
