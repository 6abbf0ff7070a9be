"""Google's API client for Python, made from the discovery documents alone: it knows of each API what Google's document says, and refuses requests that are none.

SPDX-License-Identifier: Apache-2.0
"""
import base64
import importlib.metadata
import json
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(os.path.dirname(HERE)))
import httplib2  # noqa: E402
from googleapiclient.discovery import build_from_document  # noqa: E402
from googleapiclient.errors import HttpError  # noqa: E402

from casebook import case, main, refused, until  # noqa: E402

PROJECT, REGION = os.environ["SIM_PROJECT"], os.environ["SIM_REGION"]
PARENT = f"projects/{PROJECT}/locations/{REGION}"


def service(name):
    with open(os.path.join(os.environ["SIM_DISCOVERY"], name + ".json")) as f:
        doc = json.load(f)
    doc["rootUrl"] = os.environ["SIM_URL"] + "/"
    doc["baseUrl"] = doc["rootUrl"] + doc["servicePath"]
    doc.pop("mtlsRootUrl", None)
    return build_from_document(doc, http=httplib2.Http())


FUNCTIONS, LOGGING = service("cloudfunctions.v2").projects().locations(), service("logging.v2")


def done(op):
    while not op.get("done"):
        time.sleep(0.05)
        op = FUNCTIONS.operations().get(name=op["name"]).execute()
    assert "error" not in op, op
    return op


def function(*argv):
    process = base64.b64encode(json.dumps({"argv": argv}).encode()).decode()
    return {"environment": "GEN_2", "labels": {"made-by": "googleapi"}, "buildConfig": {"runtime": "docker", "entryPoint": "x"},
            "serviceConfig": {"availableMemory": "512Mi", "environmentVariables": {"SOCKERLESS_IMAGE": "busybox", "SOCKERLESS_PROCESS": process}}}


def entries(filter="", **kw):
    found, body = [], {"resourceNames": [f"projects/{PROJECT}"], "filter": filter, **kw}
    while True:
        page = LOGGING.entries().list(body=body).execute()
        found += page.get("entries", [])
        if not page.get("nextPageToken"):
            return found
        body["pageToken"] = page["nextPageToken"]


@case
def a_function_from_create_to_delete():
    op = done(FUNCTIONS.functions().create(parent=PARENT, functionId="life", body=function("echo", "from googleapi")).execute())
    assert op["response"]["state"] == "ACTIVE" and op["metadata"]["operationType"] == "CREATE_FUNCTION"
    f = FUNCTIONS.functions().get(name=f"{PARENT}/functions/life").execute()
    assert f["labels"]["made-by"] == "googleapi"
    answer, _ = httplib2.Http().request(f["serviceConfig"]["uri"], "POST", body="")
    assert answer.status == 200
    until(lambda: [e["textPayload"] for e in entries('resource.labels.service_name="life"')] == ["from googleapi"], "the line")
    op = done(FUNCTIONS.functions().delete(name=f["name"]).execute())
    assert op["response"]["@type"].endswith("google.protobuf.Empty")
    e = refused(FUNCTIONS.functions().get(name=f["name"]).execute)
    assert isinstance(e, HttpError) and e.resp.status == 404 and "was not found" in str(e)


@case
def functions_in_pages():
    names = [f"page-{i}" for i in range(5)]
    for op in [FUNCTIONS.functions().create(parent=PARENT, functionId=n, body=function("true")).execute() for n in names]:
        done(op)
    found, request = [], FUNCTIONS.functions().list(parent=PARENT, pageSize=2)
    pages = 0
    while request is not None:
        answer = request.execute()
        found += [f["name"].rpartition("/")[2] for f in answer.get("functions", [])]
        request = FUNCTIONS.functions().list_next(request, answer)
        pages += 1
    assert sorted(found) == names and pages >= 3
    for n in names:
        done(FUNCTIONS.functions().delete(name=f"{PARENT}/functions/{n}").execute())


@case
def errors_are_googles():
    e = refused(FUNCTIONS.functions().create(parent=PARENT, functionId="bad name", body=function("true")).execute)
    assert e.resp.status == 400 and "Invalid function_id" in str(e)
    e = refused(LOGGING.entries().list(body={"resourceNames": [f"projects/{PROJECT}"], "filter": "a = b:c"}).execute)
    assert e.resp.status == 400 and "syntax error at line 1, column 6, token ':'" in str(e)


@case
def entries_written_and_listed():
    LOGGING.entries().write(body={"logName": f"projects/{PROJECT}/logs/py%2Flog", "resource": {"type": "global"}, "partialSuccess": True, "entries": [
        {"textPayload": f"line {i}", "severity": "ERROR" if i % 2 else "INFO", "labels": {"n": str(i)}} for i in range(7)]}).execute()
    log = f'logName="projects/{PROJECT}/logs/py%2Flog"'
    assert [e["textPayload"] for e in entries(log, pageSize=3)] == [f"line {i}" for i in range(7)]
    assert [e["textPayload"] for e in entries(log + " severity>=WARNING", orderBy="timestamp desc")] == ["line 5", "line 3", "line 1"]
    assert [e["labels"]["n"] for e in entries(f'LOG_ID("py/log") AND (labels.n="1" OR labels.n="6") -textPayload:"line 1"')] == ["6"]


@case
def logs_and_descriptors():
    name = f"projects/{PROJECT}/logs/gone%2Fsoon"
    LOGGING.entries().write(body={"logName": name, "resource": {"type": "global"}, "entries": [{"jsonPayload": {"a": 1}}]}).execute()
    assert name in LOGGING.projects().logs().list(parent=f"projects/{PROJECT}").execute()["logNames"]
    assert LOGGING.projects().logs().delete(logName=name).execute() == {}
    assert name not in LOGGING.projects().logs().list(parent=f"projects/{PROJECT}").execute().get("logNames", [])
    found = LOGGING.monitoredResourceDescriptors().list().execute()["resourceDescriptors"]
    assert "cloud_run_revision" in [d["type"] for d in found]


main(importlib.metadata.version("google-api-python-client"), {})
