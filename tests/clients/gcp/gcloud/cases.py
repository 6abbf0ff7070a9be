"""Google's command line, unmodified: its endpoints are overridden, all else is as its users have it.

SPDX-License-Identifier: Apache-2.0
"""
import base64
import json
import os
import subprocess
import sys
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(os.path.dirname(HERE)))
from casebook import case, main, until  # noqa: E402

URL, PROJECT, REGION = os.environ["SIM_URL"], os.environ["SIM_PROJECT"], os.environ["SIM_REGION"]
TIMEOUT = 120
ENV = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "CLOUDSDK_CONFIG": os.path.join(os.environ["HOME"], "config"), "CLOUDSDK_AUTH_ACCESS_TOKEN": "tok",
       "CLOUDSDK_CORE_PROJECT": PROJECT, "CLOUDSDK_CORE_DISABLE_PROMPTS": "1", "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
       **{f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{api}": URL + "/" for api in ("CLOUDFUNCTIONS", "LOGGING", "RUN", "CLOUDRESOURCEMANAGER", "SERVICEUSAGE", "SERVICEMANAGEMENT",
                                                                         "STORAGE", "IAM", "ARTIFACTREGISTRY", "CLOUDBUILD")}}


def gcloud(*args, code=0):
    """stdout when it ended with the code; stderr when it is to fail."""
    done = subprocess.run(["gcloud", *args], env=ENV, capture_output=True, text=True, timeout=TIMEOUT, stdin=subprocess.DEVNULL)
    assert done.returncode == code, f"gcloud {' '.join(args)}: {done.returncode}\n{done.stdout[-1500:]}{done.stderr[-1500:]}"
    return done.stderr if code else done.stdout


def read(*args):
    return json.loads(gcloud(*args, "--format=json"))


def ask(method, path, body=None):
    request = urllib.request.Request(URL + path, None if body is None else json.dumps(body).encode(), {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        return json.loads(answer.read())


class Function:
    """One that was not made with gcloud."""

    def __init__(self, name, *argv):
        self.path, self.name = f"/v2/projects/{PROJECT}/locations/{REGION}/functions", name
        process = base64.b64encode(json.dumps({"argv": argv}).encode()).decode()
        ask("POST", f"{self.path}?functionId={name}", {"buildConfig": {"runtime": "docker", "entryPoint": "x"}, "labels": {"team": "blue"}, "serviceConfig": {
            "environmentVariables": {"SOCKERLESS_IMAGE": "busybox", "SOCKERLESS_PROCESS": process}}})

    def __enter__(self):
        return self

    def __exit__(self, *error):
        ask("DELETE", f"{self.path}/{self.name}")

    def invoke(self):
        with urllib.request.urlopen(urllib.request.Request(ask("GET", f"{self.path}/{self.name}")["serviceConfig"]["uri"], b"", method="POST"), timeout=TIMEOUT) as answer:
            return answer.read()


@case
def logging_write_and_read():
    gcloud("logging", "write", "my-log", "plain text", "--severity=WARNING")
    gcloud("logging", "write", "my-log", '{"user": "ann", "n": 3}', "--payload-type=json")
    log = f"logName=projects/{PROJECT}/logs/my-log"
    one, two = read("logging", "read", log, "--order=asc")
    assert one["textPayload"] == "plain text" and one["severity"] == "WARNING" and one["resource"]["type"] == "global"
    assert two["jsonPayload"] == {"user": "ann", "n": 3}
    assert [e.get("textPayload") for e in read("logging", "read", f"{log} AND severity>=WARNING")] == ["plain text"]
    assert [e["jsonPayload"]["n"] for e in read("logging", "read", f'{log} jsonPayload.user="ANN" OR jsonPayload.n>5')] == [3]
    assert read("logging", "read", f"{log} textPayload:nothing") == []
    assert len(read("logging", "read", log, "--limit=1")) == 1


@case
def logging_read_says_what_is_wrong_with_a_filter():
    text = gcloud("logging", "read", 'insertId = "a" AND (b', "--freshness=1h", code=1)
    assert "INVALID_ARGUMENT" in text and "Unparseable filter: syntax error at line 1" in text, text


@case
def logging_many_pages():
    entries = [{"textPayload": f"line {i}", "insertId": f"{i:04}"} for i in range(1500)]
    ask("POST", "/v2/entries:write", {"logName": f"projects/{PROJECT}/logs/many", "resource": {"type": "global"}, "entries": entries})
    assert [e["textPayload"] for e in read("logging", "read", f"logName=projects/{PROJECT}/logs/many", "--order=asc")] == [e["textPayload"] for e in entries]


@case
def logging_logs_list_and_delete():
    gcloud("logging", "write", "folder/deep", "x")
    name = f"projects/{PROJECT}/logs/folder%2Fdeep"
    assert name in gcloud("logging", "logs", "list")
    gcloud("logging", "logs", "delete", "folder/deep")
    assert name not in gcloud("logging", "logs", "list")
    text = gcloud("logging", "logs", "delete", "folder/deep", code=1)
    assert "NOT_FOUND" in text, text


@case
def logging_resource_descriptors():
    assert "cloud_run_revision" in gcloud("logging", "resource-descriptors", "list")


@case
def functions_describe_list_delete():
    Function("veteran", "true")
    f = read("functions", "describe", "veteran", "--gen2", f"--region={REGION}")
    assert f["state"] == "ACTIVE" and f["labels"]["team"] == "blue" and f["serviceConfig"]["uri"]
    assert [x["name"].rpartition("/")[2] for x in read("functions", "list", "--v2")] == ["veteran"]
    gcloud("functions", "delete", "veteran", "--gen2", f"--region={REGION}", "--quiet")
    text = gcloud("functions", "describe", "veteran", "--gen2", f"--region={REGION}", code=1)
    assert "NOT_FOUND" in text or "was not found" in text or "does not exist" in text, text


@case
def functions_logs_read():
    with Function("talker", "sh", "-c", 'echo one; echo \'{"severity": "ERROR", "message": "two"}\'') as f:
        f.invoke()
        until(lambda: len(ask("POST", "/v2/entries:list", {"resourceNames": [f"projects/{PROJECT}"], "filter": 'resource.labels.service_name="talker"'}).get("entries", [])) == 2)
        lines = read("functions", "logs", "read", "talker", "--gen2", f"--region={REGION}")
        assert sorted((x["log"], x.get("level", "").strip()) for x in lines) == [("one", ""), ("two", "E")], lines
        assert [x["log"] for x in read("functions", "logs", "read", "talker", "--gen2", f"--region={REGION}", "--min-log-level=ERROR")] == ["two"]


@case
def functions_call():
    with Function("called", "true"):
        out = gcloud("functions", "call", "called", "--gen2", f"--region={REGION}")
        assert '"exit_code":0' in out.replace(" ", ""), out


DEPLOY = ["--gen2", f"--region={REGION}", "--entry-point=x", "--trigger-http", "--no-allow-unauthenticated"]


def deploy(name, *args, **kw):
    return gcloud("functions", "deploy", name, *DEPLOY, *args, **kw)


@case
def functions_deploy_redeploy():
    """The docker runtime, as far as gcloud takes a runtime that is not Google's: with a source that is there already."""
    process = base64.b64encode(json.dumps({"argv": ["sh", "-c", "echo $WORD"]}).encode()).decode()
    source = ["--runtime=docker", "--source=gs://any-bucket/any.zip"]
    deploy("shipped", *source, f"--set-env-vars=SOCKERLESS_IMAGE=busybox,WORD=first,SOCKERLESS_PROCESS={process}", "--memory=512Mi", "--timeout=90s", "--update-labels=team=red")
    f = read("functions", "describe", "shipped", "--gen2", f"--region={REGION}")
    assert f["state"] == "ACTIVE" and f["labels"] == {"deployment-tool": "cli-gcloud", "team": "red"}, f
    assert f["serviceConfig"]["availableMemory"] == "512Mi" and f["serviceConfig"]["timeoutSeconds"] == 90
    gcloud("functions", "call", "shipped", "--gen2", f"--region={REGION}")
    deploy("shipped", *source, "--update-env-vars=WORD=second", "--timeout=120s")
    f = read("functions", "describe", "shipped", "--gen2", f"--region={REGION}")
    assert f["serviceConfig"]["timeoutSeconds"] == 120 and f["serviceConfig"]["environmentVariables"]["WORD"] == "second" and f["labels"]["team"] == "red"
    gcloud("functions", "call", "shipped", "--gen2", f"--region={REGION}")
    words = 'resource.labels.service_name="shipped" AND log_id("run.googleapis.com/stdout")'
    until(lambda: [e["textPayload"] for e in read("logging", "read", words, "--order=asc")] == ["first", "second"], "both words")
    gcloud("functions", "delete", "shipped", "--gen2", f"--region={REGION}", "--quiet")


@case
def functions_deploy_from_a_folder():
    """A source of the user's is uploaded and kept; the simulator builds nothing, so such a function is there and can't be called."""
    folder = os.path.join(os.environ["HOME"], "source")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "index.js"), "w") as f:
        f.write("exports.x = (req, res) => res.send('hi');\n")
    with open(os.path.join(folder, "package.json"), "w") as f:
        f.write("{}\n")
    deploy("folder", "--runtime=nodejs22", f"--source={folder}")
    f = read("functions", "describe", "folder", "--gen2", f"--region={REGION}")
    assert f["state"] == "ACTIVE" and f["buildConfig"]["runtime"] == "nodejs22" and f["buildConfig"]["source"]["storageSource"]["object"].endswith(".zip")
    gcloud("functions", "delete", "folder", "--gen2", f"--region={REGION}", "--quiet")


@case
def functions_deploy_what_is_none():
    text = deploy("unbuilt", "--runtime=cobol60", "--source=gs://any/x.zip", code=1)
    assert "cobol60" in text, text


@case
def functions_runtimes_and_regions():
    assert "nodejs22" in gcloud("functions", "runtimes", "list", f"--region={REGION}")
    assert REGION in gcloud("functions", "regions", "list")


@case
def functions_invoker_policy():
    with Function("guarded", "true"):
        where = ["guarded", f"--region={REGION}"]
        gcloud("functions", "add-invoker-policy-binding", *where, "--member=user:ann@example.com")
        policy = read("functions", "get-iam-policy", "guarded", "--gen2", f"--region={REGION}")
        assert isinstance(policy, dict)
        gcloud("functions", "remove-invoker-policy-binding", *where, "--member=user:ann@example.com")


main(subprocess.run(["gcloud", "--version"], capture_output=True, text=True, timeout=TIMEOUT, env=ENV).stdout.split("\n")[0].rpartition(" ")[2], {
    "functions deploy --source=DIR --runtime=docker": "gcloud itself has no such runtime and ends with a KeyError before it asks; --source=gs://… works",
    "run services": "gcloud asks a region's own host (us-central1-HOST), which no override reaches, and Cloud Run v1 there; the clients of v2 do",
    "logging tail": "gRPC alone; the simulator speaks REST"})
