"""The simulator's identity services: what they verify, what --require-auth lets in, and the Google plugin authenticating end to end, over TLS.

SPDX-License-Identifier: Apache-2.0
"""
import base64
import json
import os
import select
import socket
import socketserver
import ssl
import subprocess
import threading
import time
import urllib.parse

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

import skl
from dockerapi import wait_until
from simgoogle import Google

ACCOUNT, OTHER = f"runner@{skl.PROJECT}.iam.gserviceaccount.com", f"other@{skl.PROJECT}.iam.gserviceaccount.com"
ALL = "https://www.googleapis.com/auth/cloud-platform"
POOL = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/p"
IMPERSONATE = f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken"
JWT, EXCHANGE = "urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS, SUBJECT = "urn:ietf:params:oauth:token-type:access_token", "urn:ietf:params:oauth:token-type:jwt"


def b64(data):
    return base64.urlsafe_b64encode(data if isinstance(data, bytes) else json.dumps(data).encode()).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def pem_of(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()


def sign(key, claims, **header):
    text = b64({"alg": "RS256", "typ": "JWT", **header}) + "." + b64(claims)
    return text + "." + b64(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))


class Keys:
    """Credential files, as clients have them and as the simulator is given them."""

    def __init__(self, directory):
        self.dir = str(directory)
        self.sa, self.idp, self.stranger = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(3))
        public = self.idp.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
        self.user = {"type": "authorized_user", "client_id": "cid", "client_secret": "s3cr3t-client", "refresh_token": "r3fr3sh-token", "account": "ann@example.com"}
        external = {"type": "external_account", "audience": POOL, "token_url": "https://sts.googleapis.com/v1/token", "subject_token_type": SUBJECT,
                    "credential_source": {"file": self.write("subject", self.subject())}, "service_account_impersonation_url": IMPERSONATE}
        self.files = {
            "key": self.write("key.json", {"type": "service_account", "project_id": skl.PROJECT, "private_key_id": "k1", "private_key": pem_of(self.sa),
                                           "client_email": ACCOUNT, "token_uri": "https://oauth2.googleapis.com/token"}),
            "user": self.write("user.json", self.user),
            "federated": self.write("federated.json", {**external, "subject_public_key": public}),
            "impersonated": self.write("impersonated.json", {"type": "impersonated_service_account", "service_account_impersonation_url": IMPERSONATE,
                                                             "source_credentials": self.user}),
        }

    def write(self, name, what):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(what if isinstance(what, str) else json.dumps(what))
        return path

    def subject(self, key=None, **claims):
        now = int(time.time())
        return sign(key or self.idp, {"iss": "https://idp.example", "sub": "builder", "aud": POOL, "iat": now, "exp": now + 3000, **claims})

    def assertion(self, key=None, **claims):
        now = int(time.time())
        claims = {"iss": ACCOUNT, "scope": ALL, "aud": "https://oauth2.googleapis.com/token", "iat": now - 10, "exp": now + 3000, **claims}
        return sign(key or self.sa, {k: v for k, v in claims.items() if v is not None}, kid="k1")

    def options(self):
        return [x for path in self.files.values() for x in ("--credentials", path)]


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def g(images, keys):
    cloud = Google(images, "--require-auth", *keys.options())
    yield cloud
    cloud.close()


def form(g, path, **fields):
    return g.call("POST", path, urllib.parse.urlencode({k: v for k, v in fields.items() if v is not None}), {"Content-Type": "application/x-www-form-urlencoded"})


def token(g, keys, **claims):
    a = form(g, "/token", grant_type=JWT, assertion=keys.assertion(**claims))
    assert a.status == 200, a.body
    return a.json


def bearer(text):
    return {"Authorization": "Bearer " + text}


# ---- the token endpoint ----
def test_an_assertion_becomes_a_token(g, keys):
    t = token(g, keys)
    assert t["token_type"] == "Bearer" and 3500 < t["expires_in"] <= 3600
    assert g.ok("GET", g.fns, headers=bearer(t["access_token"])) == {}
    own = token(g, keys, aud=g.url + "/token")
    assert g.call("GET", g.fns + "?access_token=" + own["access_token"]).status == 200


@pytest.mark.parametrize("claims, words", [
    ({"iss": "nobody@example.com"}, "Invalid grant: account not found"),
    ({"iss": None}, "Invalid JWT: Failed to parse."),
    ({"aud": "https://example.com/token"}, "Failed audience check"),
    ({"exp": 1000}, "short-lived token (60 minutes)"),
    ({"iat": 4000000000, "exp": 4000003600}, "short-lived token"),
    ({"exp": int(time.time()) + 90000}, "short-lived token"),
    ({"scope": None}, "Invalid OAuth scope or ID token audience provided."),
])
def test_assertions_that_are_refused(g, keys, claims, words):
    a = form(g, "/token", grant_type=JWT, assertion=keys.assertion(**claims))
    assert a.status == 400 and set(a.json) == {"error", "error_description"} and words in a.json["error_description"]


def test_signatures_that_are_refused(g, keys):
    good = keys.assertion()
    head, claims, signature = good.split(".")
    none = b64({"alg": "none"}) + "." + claims + "."
    hmac = b64({"alg": "HS256"}) + "." + claims + "." + signature
    for bad in (keys.assertion(key=keys.stranger), f"{head}.{claims}.{b64(b'x' * 256)}", head + "." + b64({**json.loads(unb64(claims)), "scope": ALL + " more"}) + "." + signature,
                none, hmac, none + "x", "nonsense", "a.b.c", good + ".x", good[:-4]):
        a = form(g, "/token", grant_type=JWT, assertion=bad)
        assert a.status == 400 and a.json["error"] == "invalid_grant", bad
    assert form(g, "/token", grant_type="password").json["error"] == "unsupported_grant_type"
    assert form(g, "/token", grant_type=JWT).json["error"] == "invalid_request"


def test_a_refresh_token(g, keys):
    fields = {"grant_type": "refresh_token", "client_id": "cid", "client_secret": "s3cr3t-client", "refresh_token": "r3fr3sh-token"}
    t = form(g, "/token", **fields).json
    assert g.call("GET", g.fns, headers=bearer(t["access_token"])).status == 200
    assert json.loads(unb64(t["id_token"].split(".")[1]))["email"] == "ann@example.com"
    a = form(g, "/token", **{**fields, "refresh_token": "another"})
    assert (a.status, a.json["error"]) == (400, "invalid_grant")
    a = form(g, "/token", **{**fields, "client_secret": "wrong"})
    assert (a.status, a.json["error"]) == (401, "invalid_client")
    assert form(g, "/token", **{**fields, "client_secret": None}).json["error"] == "invalid_request"


# ---- STS ----
def test_a_subject_token_is_exchanged(g, keys):
    fields = {"grant_type": EXCHANGE, "audience": POOL, "scope": ALL, "requested_token_type": ACCESS, "subject_token_type": SUBJECT, "subject_token": keys.subject()}
    t = form(g, "/v1/token", **fields).json
    assert t["issued_token_type"] == ACCESS and g.call("GET", g.fns, headers=bearer(t["access_token"])).status == 200
    for change, error in (({"audience": "//iam.googleapis.com/other"}, "invalid_target"), ({"audience": "pool"}, "invalid_target"), ({"scope": None}, "invalid_request"),
                          ({"subject_token": keys.subject(exp=1000)}, "invalid_grant"), ({"subject_token": keys.subject(key=keys.stranger)}, "invalid_grant"),
                          ({"subject_token": "opaque"}, "invalid_grant"), ({"requested_token_type": "x"}, "invalid_request"), ({"grant_type": JWT}, "unsupported_grant_type")):
        a = form(g, "/v1/token", **{**fields, **change})
        assert a.status == 400 and a.json["error"] == error, change


def test_a_source_without_a_key_is_compared(images, keys, tmp_path):
    subject = tmp_path / "subject.json"
    subject.write_text(json.dumps({"inner": "opaque-text"}))
    file = keys.write("opaque.json", {"type": "external_account", "audience": POOL, "credential_source": {
        "file": str(subject), "format": {"type": "json", "subject_token_field_name": "inner"}}})
    g = Google(images, "--credentials", file)
    try:
        fields = {"grant_type": EXCHANGE, "audience": POOL, "scope": ALL, "subject_token_type": "urn:ietf:params:oauth:token-type:access_token"}
        assert form(g, "/v1/token", subject_token="opaque-text", **fields).status == 200
        assert form(g, "/v1/token", subject_token="guess", **fields).json["error"] == "invalid_grant"
    finally:
        g.close()


# ---- iamcredentials ----
def test_acting_as_an_account(g, keys):
    t = bearer(token(g, keys)["access_token"])
    where = f"/v1/projects/-/serviceAccounts/{ACCOUNT}"
    a = g.ok("POST", where + ":generateAccessToken", {"scope": [ALL], "lifetime": "600s"}, headers=t)
    end = time.mktime(time.strptime(a["expireTime"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    assert 500 < end - time.time() <= 600 and g.call("GET", g.fns, headers=bearer(a["accessToken"])).status == 200
    a = g.ok("POST", where + ":generateIdToken", {"audience": "https://x.example", "includeEmail": True}, headers=t)
    claims = json.loads(unb64(a["token"].split(".")[1]))
    assert claims["aud"] == "https://x.example" and claims["email"] == ACCOUNT and claims["iss"] == "https://accounts.google.com"
    head, body, signature = a["token"].split(".")
    (key,) = g.ok("GET", "/oauth2/v3/certs", headers=t)["keys"]
    number = [int.from_bytes(unb64(key[k]), "big") for k in ("e", "n")]
    rsa.RSAPublicNumbers(*number).public_key().verify(unb64(signature), f"{head}.{body}".encode(), padding.PKCS1v15(), hashes.SHA256())
    for path, body, status in ((where + ":generateAccessToken", {"scope": []}, 400), (where + ":generateAccessToken", {"scope": [ALL], "lifetime": "99999s"}, 400),
                               (where + ":generateIdToken", {}, 400), (where.replace(ACCOUNT, OTHER) + ":generateIdToken", {"audience": "x"}, 404)):
        assert g.refused("POST", path, body, headers=t).status == status
    assert g.refused("POST", where + ":generateIdToken", {"audience": "x"}).status == 401


# ---- the metadata server ----
def test_metadata(g):
    flavor, base = {"Metadata-Flavor": "Google"}, "/computeMetadata/v1/"
    a = g.call("GET", base + "instance/service-accounts/default/token")
    assert a.status == 403 and a.headers["Metadata-Flavor"] == "Google"
    assert g.call("GET", base + "instance/service-accounts/default/token", headers={**flavor, "X-Forwarded-For": "1.2.3.4"}).status == 403
    a = g.call("GET", base + "instance/service-accounts/default/token?scopes=" + ALL, headers=flavor)
    assert a.headers["Metadata-Flavor"] == "Google" and g.call("GET", g.fns, headers=bearer(a.json["access_token"])).status == 200
    a = g.call("GET", base + "instance/service-accounts/default/identity?audience=https://a.example&format=full", headers=flavor)
    assert json.loads(unb64(a.body.decode().split(".")[1]))["aud"] == "https://a.example"
    assert g.call("GET", base + "instance/service-accounts/default/identity", headers=flavor).status == 400
    assert g.call("GET", base + "project/numeric-project-id", headers=flavor).body.isdigit()
    assert b"@developer.gserviceaccount.com" in g.call("GET", base + "instance/service-accounts/default/email", headers=flavor).body
    assert g.call("GET", base + "instance/nonsense", headers=flavor).status == 404
    assert g.call("GET", "/computeMetadata").headers["Metadata-Flavor"] == "Google"


# ---- what is let in ----
def test_calls_without_a_good_token(g, keys):
    a = g.refused("GET", g.fns)
    assert (a.status, a.reason) == (401, "UNAUTHENTICATED") and a.json["error"]["details"][0]["reason"] == "CREDENTIALS_MISSING"
    assert a.headers["WWW-Authenticate"] == 'Bearer realm="https://accounts.google.com/"'
    for bad in ("ya29.made-up", keys.assertion(key=keys.stranger), keys.assertion(sub=ACCOUNT, exp=1000)):
        a = g.refused("GET", g.fns, headers=bearer(bad))
        assert a.status == 401 and "invalid authentication credentials" in a.error and 'error="invalid_token"' in a.headers["WWW-Authenticate"]
    read = token(g, keys, scope="https://www.googleapis.com/auth/logging.read")["access_token"]
    a = g.refused("GET", g.fns, headers=bearer(read))
    assert (a.status, a.reason) == (403, "PERMISSION_DENIED") and a.json["error"]["details"][0]["reason"] == "ACCESS_TOKEN_SCOPE_INSUFFICIENT"
    assert g.call("POST", "/v2/entries:list", {"resourceNames": ["projects/p"]}, headers=bearer(read)).status == 200
    for good in (keys.assertion(sub=ACCOUNT), keys.assertion(sub=ACCOUNT, scope=None, aud="https://cloudfunctions.googleapis.com/")):
        assert g.call("GET", g.fns, headers=bearer(good)).status == 200
    assert g.refused("GET", "/v2/nothing/here").status in (401, 404)


def test_a_private_service(g, keys):
    t = bearer(token(g, keys)["access_token"])
    op = g.ok("POST", f"{g.services}?serviceId=private-one", {"template": {"containers": [{"image": "busybox", "command": ["httpd", "-f", "-p", "8080"]}]}}, headers=t)
    uri = op["response"]["uri"]

    def identity(audience):
        return g.ok("POST", f"/v1/projects/-/serviceAccounts/{ACCOUNT}:generateIdToken", {"audience": audience}, headers=t)["token"]

    a = g.call("GET", uri)
    assert a.status == 403 and b"Your client does not have permission" in a.body and a.headers["Content-Type"].startswith("text/html")
    for bad in (identity("https://other.example"), t["Authorization"][7:], "nonsense", identity(uri)[:-5], keys.assertion(aud=uri)):
        a = g.call("GET", uri, headers=bearer(bad))
        assert a.status == 401 and 'error="invalid_token"' in a.headers["WWW-Authenticate"], bad
    assert g.call("GET", uri, headers=bearer(identity(uri))).status == 404  # httpd's
    assert g.call("GET", uri, headers=bearer(identity(g.url))).status == 404
    assert g.call("GET", uri, headers={"X-Serverless-Authorization": "Bearer " + identity(uri), "Authorization": "the app's own"}).status == 404
    g.ok("POST", f"{g.services}/private-one:setIamPolicy", {"policy": {"bindings": [{"role": "roles/run.invoker", "members": ["allUsers"]}]}}, headers=t)
    assert g.call("GET", uri).status == 404


def test_secrets_are_not_written_down(g, keys):
    t = token(g, keys)["access_token"]
    g.call("GET", g.fns + "?access_token=" + t)
    with open(os.path.join(g.state, "requests.jsonl")) as f, open(os.path.join(g.dir, "log")) as log:
        text = f.read() + log.read()
    for secret in (t, "s3cr3t-client", "r3fr3sh-token"):
        assert secret not in text
    assert os.stat(os.path.join(g.state, "signing-key.pem")).st_mode & 0o77 == 0


def test_without_files_anybody_is_somebody(images, keys):
    g = Google(images, "--require-auth")
    try:
        t = token(g, keys, iss="anybody@example.com")["access_token"]
        assert g.call("GET", g.fns, headers=bearer(t)).status == 200 and g.call("GET", g.fns).status == 401
        a = form(g, "/token", grant_type=JWT, assertion=keys.assertion(aud="x"))
        assert a.status == 400 and "audience" in a.json["error_description"]
    finally:
        g.close()


@pytest.mark.parametrize("text", ["{", "{}", '{"type":"service_account","client_email":"a","private_key":"x"}', '{"type":"authorized_user"}', '{"type":"external_account"}',
                                  '{"type":"gdch_service_account"}'])
def test_files_that_are_no_credentials(text, tmp_path):
    file = tmp_path / "bad.json"
    file.write_text(text)
    done = subprocess.run([skl.program("sockerless-gcp-simulator"), "--listen", "127.0.0.1:0", "--state-dir", str(tmp_path / "state"), "--credentials", str(file)],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and (str(file) in done.stderr or "line 1" in done.stderr), done.stderr


# ---- the plugin, end to end ----
class Front(socketserver.ThreadingTCPServer):
    """All of Google's names over TLS, by CONNECT; the bytes in it go to the simulator as they are."""
    daemon_threads, allow_reuse_address = True, True

    def __init__(self, directory, port):
        self.port, self.authority, key = port, os.path.join(directory, "ca.pem"), os.path.join(directory, "tls.key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", self.authority, "-days", "2", "-subj", "/CN=front",
                        "-addext", "subjectAltName=DNS:*.googleapis.com"], check=True, capture_output=True)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(self.authority, key)
        super().__init__(("127.0.0.1", 0), Pipe)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


class Pipe(socketserver.BaseRequestHandler):
    def handle(self):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.request.recv(1)
        self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with self.server.tls.wrap_socket(self.request, server_side=True) as inside, socket.create_connection(("127.0.0.1", self.server.port)) as up:
            try:
                self.pump(inside, up)
            except OSError:
                pass

    @staticmethod
    def pump(inside, up):
        while True:
            ready = [inside] if inside.pending() else select.select([inside, up], [], [])[0]
            for side in ready:
                data = side.recv(1 << 16)
                if not data:
                    return
                (up if side is inside else inside).sendall(data)


class Daemon(skl.Daemon):
    """One that believes it talks to Google."""

    def __init__(self, images, front, google, file, **options):
        self.front = front
        port = skl.free_port()
        super().__init__(images, simulator=False, config={"drivers": {"cloud-run-functions": {"project": skl.PROJECT, **options}}},
                         args=["--callback-url", f"http://host.sockerless.internal:{port}", "--agent-listen", f"tcp://127.0.0.1:{port}"],
                         env={"https_proxy": f"http://127.0.0.1:{front.server_address[1]}", "CLOUDSDK_CONFIG": google.dir, "GCE_METADATA_HOST": google.url[7:],
                              "GOOGLE_APPLICATION_CREDENTIALS": file, "GOOGLE_CLOUD_QUOTA_PROJECT": ""})

    def command(self):
        trusting = 'mount --bind "$0" /etc/ssl/certs/ca-certificates.crt && exec "$@"'
        return ["unshare", "-m", "--propagation", "private", "sh", "-c", trusting, self.front.authority] + super().command()


@pytest.fixture(scope="module")
def front(g, tmp_path_factory):
    f = Front(str(tmp_path_factory.mktemp("front")), g.port)
    yield f
    f.shutdown()
    f.server_close()


@pytest.mark.parametrize("kind, options", [("key", {}), ("metadata", {}), ("federated", {}), ("impersonated", {}), ("user", {"impersonate": ACCOUNT}),
                                           ("key", {"impersonate": ACCOUNT})])
def test_the_plugin_authenticates(images, keys, g, front, kind, options):
    before = len(g.requests())
    d = Daemon(images, front, g, keys.files.get(kind, ""), **options)
    try:
        d.api.pull()
        done = d.docker("run", "--rm", "busybox", "sh", "-c", "echo let in; exit 3")
        assert (done.returncode, done.stdout) == (3, "let in\n"), done.stderr + d.log()[-2000:]
        wait_until(lambda: any(r["rpc"] == "DeleteFunction" for r in g.requests()[before:]), "the deletion")
        asked = {r["rpc"] for r in g.requests()[before:]}
        assert {"CreateFunction", "Invoke"} <= asked
        assert {"key": "Token", "user": "Token", "impersonated": "GenerateIdToken", "metadata": "MetadataIdentity", "federated": "ExchangeToken"}[kind] in asked
        assert not [r for r in g.requests()[before:] if r["status"] in (401, 403)]
    finally:
        d.close()


def test_the_plugin_with_a_key_that_nobody_knows(images, keys, g, front):
    file = keys.write("stranger.json", {"type": "service_account", "project_id": skl.PROJECT, "private_key_id": "k1", "private_key": pem_of(keys.stranger),
                                        "client_email": ACCOUNT, "token_uri": "https://oauth2.googleapis.com/token"})
    d = Daemon(images, front, g, file)
    try:
        d.api.pull()
        a = d.api.create(Cmd=["true"], ok=False)
        assert a.status >= 400 and "Invalid JWT Signature" in a.message
    finally:
        d.close()
