"""Google's front door for a test: its host names over TLS, tokens that are asked for and checked, and the simulator behind it.

The daemon is configured as for Google itself (no endpoint-url) and reaches all this through https_proxy, which every host of Google's is
resolved at; that the certificate is believed is done with a mount of the test's own. What an access token or an ID token may be used for is
checked here: the driver's authentication is nothing that the simulator could be kind about.

SPDX-License-Identifier: Apache-2.0
"""
import base64
import http.client
import json
import os
import re
import select
import shutil
import socket
import socketserver
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.parse
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler

import skl

ACCOUNT = f"runner@{skl.PROJECT}.iam.gserviceaccount.com"
APIS = ("cloudfunctions.googleapis.com", "logging.googleapis.com", "run.googleapis.com")
PAGE = "<html><head><title>403 Forbidden</title></head><body><h1>Error: Forbidden</h1></body></html>"


def openssl(*args, data=None):
    return subprocess.run(["openssl", *args], input=data, check=True, capture_output=True, timeout=skl.TIMEOUT).stdout


def unpacked(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def packed(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Refused(Exception):
    """(status, body, content type)"""


class Front(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, cloud):
        self.cloud, self.dir = cloud, tempfile.mkdtemp(prefix="skl-front-")
        self.lock = threading.Lock()
        self.tokens = {}           # text: (what it opens, when it ends)
        self.secrets = []          # all that must be nowhere to be read
        self.seen = []             # (host, method, path, bearer)
        self.down = False          # the token endpoints
        self.ahead = 0             # s: Google's clock against ours
        self.lifetime = 3600       # s, of tokens
        self.forbidden = 0         # so many invocations are turned away
        self.hold = None           # requests of that method get no answer
        self.registry = None       # google_registry.Registry
        self.make_keys()
        super().__init__(("127.0.0.1", 0), Connection)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def path(self, name, text=None):
        where = os.path.join(self.dir, name)
        if text is not None:
            with open(where, "w") as f:
                f.write(text)
        return where

    def make_keys(self):
        self.authority, names = self.path("ca.pem"), "DNS:*.googleapis.com,DNS:*.a.run.app,DNS:*.pkg.dev"
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.path("tls.key"), "-out", self.authority, "-days", "2",
                "-subj", "/CN=front", "-addext", "subjectAltName=" + names)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(self.authority, self.path("tls.key"))
        pem = openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048").decode()
        self.path("sa.pub", openssl("pkey", "-pubout", data=pem.encode()).decode())
        self.secrets += [line for line in pem.split("\n") if len(line) == 64][:3]
        self.credentials = {
            "key": self.path("key.json", json.dumps({
                "type": "service_account", "project_id": skl.PROJECT, "private_key_id": "k1", "private_key": pem,
                "client_email": ACCOUNT, "token_uri": "https://oauth2.googleapis.com/token"})),
            "user": self.path("user.json", json.dumps({
                "type": "authorized_user", "client_id": "cid", "client_secret": "s3cr3t-client", "refresh_token": "r3fr3sh-token",
                "quota_project_id": skl.PROJECT})),
            "federated": self.path("federated.json", json.dumps({
                "type": "external_account", "audience": "//iam.googleapis.com/pool", "token_url": "https://sts.googleapis.com/v1/token",
                "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
                "credential_source": {"file": self.path("subject", "s3cr3t-subject\n")},
                "service_account_impersonation_url":
                    f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken"}))}
        self.secrets += ["s3cr3t-client", "r3fr3sh-token", "s3cr3t-subject"]

    # ---- tokens ----

    def now(self):
        return time.time() + self.ahead

    def give(self, opens):
        """A new token: opens is "api" (all of Google's APIs), "iam" (to impersonate only), or the URL of a function."""
        ends = self.now() + self.lifetime
        text = "ya29." + packed(os.urandom(24))
        if opens.startswith("https://"):
            claims = {"aud": opens, "iat": int(self.now()), "exp": int(ends)}
            text = ".".join([packed(b'{"alg":"RS256"}'), packed(json.dumps(claims).encode()), packed(os.urandom(24))])
        with self.lock:
            self.tokens[text] = (opens, ends)
            self.secrets.append(text)
        return text

    def revoke(self):
        with self.lock:
            self.tokens.clear()

    def check(self, bearer, opens):
        with self.lock:
            what, ends = self.tokens.get(bearer, (None, 0))
        return what == opens and self.now() < ends

    def assertion(self, jwt):
        """The claims of a grant that the key has signed, now."""
        head, claims, signature = jwt.split(".")
        self.secrets.append(jwt)
        with tempfile.NamedTemporaryFile(dir=self.dir) as sig:
            sig.write(unpacked(signature))
            sig.flush()
            openssl("dgst", "-sha256", "-verify", self.path("sa.pub"), "-signature", sig.name, data=f"{head}.{claims}".encode())
        claims = json.loads(unpacked(claims))
        assert claims["iss"] == ACCOUNT and claims["aud"] == "https://oauth2.googleapis.com/token"
        if not claims["iat"] - 60 < self.now() < claims["exp"] <= claims["iat"] + 3600:
            raise Refused(400, json.dumps({"error": "invalid_grant", "error_description": "Invalid JWT: iat and exp"}))
        return claims

    def oauth(self, form):
        """oauth2.googleapis.com/token"""
        if form["grant_type"] == "refresh_token":
            assert (form["client_secret"], form["refresh_token"]) == ("s3cr3t-client", "r3fr3sh-token")
            return {"access_token": self.give("api"), "expires_in": self.lifetime, "token_type": "Bearer"}
        claims = self.assertion(form["assertion"])
        if "target_audience" in claims:
            return {"id_token": self.give(claims["target_audience"])}
        return {"access_token": self.give("api"), "expires_in": self.lifetime, "token_type": "Bearer"}

    def sts(self, form):
        assert form["subject_token"] == "s3cr3t-subject" and form["grant_type"].endswith(":token-exchange")
        return {"access_token": self.give("iam"), "expires_in": self.lifetime, "token_type": "Bearer"}

    def iam(self, path, bearer, body):
        if not (self.check(bearer, "iam") or self.check(bearer, "api")):
            raise Refused(401, error(401, "UNAUTHENTICATED"))
        assert path.split("/")[-1].split(":")[0] == ACCOUNT
        if path.endswith(":generateIdToken"):
            return {"token": self.give(body["audience"])}
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.now() + self.lifetime))
        return {"accessToken": self.give("api"), "expireTime": end}


def error(status, word):
    return json.dumps({"error": {"code": status, "status": word, "message": "Request had invalid authentication credentials."}})


class Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        """CONNECT first, then TLS, then requests; the metadata server is asked without either."""
        if self.request.recv(8, socket.MSG_PEEK) != b"CONNECT ":
            super().setup()
            return
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.request.recv(1)
        self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self):
        try:
            super().handle()
        except OSError:
            pass

    def log_message(self, *args):
        pass

    def date_time_string(self, timestamp=None):
        return formatdate(self.server.now(), usegmt=True)

    def serve(self):
        front, host = self.server, self.headers["Host"]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        bearer = (self.headers.get("Authorization") or "").replace("Bearer ", "")
        front.seen.append((host, self.command, self.path, bearer))
        try:
            if self.path.startswith("/computeMetadata/"):
                self.answer(200, self.metadata(front), "text/plain")
            elif host.endswith(".a.run.app"):
                self.invoke(front, host, bearer, body)
            elif host.endswith(".pkg.dev"):
                self.registry(front, bearer, body)
            elif host in APIS:
                if not front.check(bearer, "api"):
                    raise Refused(401, error(401, "UNAUTHENTICATED"))
                self.forward(front, self.path, body)
            else:
                self.answer(200, json.dumps(self.token(front, host, bearer, body)))
        except Refused as refused:
            self.answer(*refused.args)

    do_GET = do_POST = do_DELETE = do_PATCH = do_PUT = do_HEAD = serve

    def metadata(self, front):
        assert self.headers["Metadata-Flavor"] == "Google"
        path, _, query = self.path.removeprefix("/computeMetadata/v1/").partition("?")
        if path == "project/project-id":
            return skl.PROJECT
        if path == "instance/service-accounts/default/identity":
            return front.give(urllib.parse.parse_qs(query)["audience"][0])
        assert path == "instance/service-accounts/default/token"
        return json.dumps({"access_token": front.give("api"), "expires_in": front.lifetime, "token_type": "Bearer"})

    def token(self, front, host, bearer, body):
        if front.down:
            raise Refused(503, "<html>unavailable</html>", "text/html")
        if host == "iamcredentials.googleapis.com":
            return front.iam(self.path, bearer, json.loads(body))
        form = dict(urllib.parse.parse_qsl(body.decode()))
        return front.oauth(form) if host == "oauth2.googleapis.com" else front.sts(form)

    def registry(self, front, bearer, body):
        if not front.check(bearer, "api"):
            raise Refused(401, json.dumps({"errors": [{"code": "UNAUTHORIZED"}]}))
        path, _, query = self.path.partition("?")
        status, headers, data = front.registry.serve(self.command, path, dict(urllib.parse.parse_qsl(query)), body, self.headers)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def invoke(self, front, host, bearer, body):
        if not front.check(bearer, "https://" + host):
            raise Refused(401, "<html>401</html>", "text/html")
        if front.forbidden > 0:
            front.forbidden -= 1
            raise Refused(403, PAGE, "text/html")
        self.forward(front, f"/_functions/{skl.PROJECT}/{skl.REGION}/{host.split('.')[0].removesuffix('-uc')}", body)

    def forward(self, front, path, body):
        if self.command == front.hold:
            self.connection.recv(1)  # until the client goes
            raise OSError("gone")
        up = http.client.HTTPConnection(front.cloud.url.removeprefix("http://"))
        up.request(self.command, path, body or None, {k: v for k, v in self.headers.items() if k in ("Content-Type", "Authorization")})
        while not select.select([up.sock, self.connection], [], [])[0][0] is up.sock:
            up.close()  # the client has gone
            raise OSError("gone")
        answer = up.getresponse()
        data = re.sub(rb'"http://127\.0\.0\.1:\d+/_functions/[^"]*/(skls-[0-9a-f]{12})"', rb'"https://\1-uc.a.run.app"', answer.read())
        self.answer(answer.status, data, answer.headers["Content-Type"], answer.headers.get("X-Sockerless-Exit-Code"))

    def answer(self, status, body, kind="application/json; charset=UTF-8", code=None):
        data = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind or "text/plain")
        if kind == "text/plain":
            self.send_header("Metadata-Flavor", "Google")
        if code is not None:
            self.send_header("X-Sockerless-Exit-Code", code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Daemon(skl.Daemon):
    """A daemon that believes it talks to Google."""

    def __init__(self, images, front, kind="key", **options):
        self.front = front
        port = skl.free_port()
        super().__init__(images, simulator=False, config={"drivers": {"cloud-run-functions": options}} if options else None,
                         args=["--callback-url", f"http://host.sockerless.internal:{port}", "--agent-listen", f"tcp://127.0.0.1:{port}"],
                         env={"https_proxy": front.url, "http_proxy": "http://127.0.0.1:1", "CLOUDSDK_CONFIG": front.dir,
                              "GCE_METADATA_HOST": front.url.removeprefix("http://"), "GOOGLE_CLOUD_QUOTA_PROJECT": "",
                              "GOOGLE_APPLICATION_CREDENTIALS": front.credentials.get(kind, ""),
                              "GOOGLE_CLOUD_PROJECT": skl.PROJECT if kind in ("user", "federated") else ""})

    def command(self):
        trusting = 'mount --bind "$0" /etc/ssl/certs/ca-certificates.crt && exec "$@"'
        return ["unshare", "-m", "--propagation", "private", "sh", "-c", trusting, self.front.authority] + super().command()
