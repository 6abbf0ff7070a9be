"""The simulator's Cloud Logging: entries written and listed, logs by name, what functions print. Filters have a table of their own (tests/unit/test_sim_filter.c).

SPDX-License-Identifier: Apache-2.0
"""
import datetime
import json
import re

import pytest

import skl
from dockerapi import wait_until
from gcpapi import REGION, Google


@pytest.fixture(scope="module")
def shared(images):
    c = skl.Cloud(images)
    yield c
    c.close()


@pytest.fixture
def g(shared, request):
    """A project of the test's own."""
    return Google(shared.url, "p-" + request.node.name.split("[")[0].removeprefix("test_").replace("_", "-")[:40])


def at(offset):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=offset)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def texts(entries):
    return [e.get("textPayload") for e in entries]


# ---- writing ----
def test_written_and_read(g):
    a = g.write({"textPayload": "one", "severity": "ERROR", "labels": {"a": "own"}}, {"jsonPayload": {"n": 1}, "severity": 300, "insertId": "mine"},
                {"textPayload": "three", "resource": {"type": "gce_instance", "labels": {"zone": "z"}}, "logName": f"projects/{g.project}/logs/other%2Flog"},
                labels={"a": "request", "b": "too"})
    assert (a.status, a.json) == (200, {})
    one, three, two = sorted(g.entries(), key=lambda e: e["insertId"])  # ones that the server made come first
    assert one["textPayload"] == "one" and one["severity"] == "ERROR" and one["labels"] == {"a": "own", "b": "too"}
    assert one["resource"] == {"type": "global", "labels": {"project_id": g.project}} and one["logName"] == f"projects/{g.project}/logs/app"
    assert one["insertId"] and one["timestamp"] == one["receiveTimestamp"]
    assert two["jsonPayload"] == {"n": 1} and two["severity"] == "NOTICE" and two["insertId"] == "mine" and two["labels"] == {"a": "request", "b": "too"}
    assert three["logName"].endswith("/logs/other%2Flog") and three["resource"]["labels"] == {"zone": "z", "project_id": g.project}
    assert "severity" not in three


def test_both_spellings_and_numbers_as_strings(g):
    body = {"log_name": f"projects/{g.project}/logs/x", "resource": {"type": "global"}, "dry_run": False, "partial_success": True,
            "entries": [{"json_payload": {"snake_case": 1}, "insert_id": "i", "source_location": {"line": 7, "file": "f"}, "trace_sampled": True, "span_id": None,
                         "http_request": {"request_size": 5, "status": "200", "latency": "0.1s"}, "timestamp": at(-1)}]}
    assert g.post("/v2/entries:write", body).status == 200
    (e,) = g.entries()
    assert e["jsonPayload"] == {"snake_case": 1} and e["sourceLocation"] == {"line": "7", "file": "f"} and e["traceSampled"] is True
    assert e["httpRequest"] == {"requestSize": "5", "status": 200, "latency": "0.1s"}


@pytest.mark.parametrize("entry, message", [
    ({"textPayload": "x", "nope": 1}, 'Unknown name "nope" at \'entries[0]\': Cannot find field.'),
    ({"httpRequest": {"nope": 1}}, 'Unknown name "nope" at \'entries[0].httpRequest\': Cannot find field.'),
    ({"textPayload": 5}, "Invalid value at 'entries[0].textPayload' (TYPE_STRING), 5"),
    ({"severity": "LOUD"}, "Invalid value at 'entries[0].severity' (type.googleapis.com/google.logging.type.LogSeverity), \"LOUD\""),
    ({"timestamp": "yesterday"}, "Invalid value at 'entries[0].timestamp' (type.googleapis.com/google.protobuf.Timestamp), \"yesterday\""),
    ({"labels": {"a": 1}}, "Invalid value at 'entries[0].labels' (TYPE_STRING), 1"),
    ({"textPayload": "x", "jsonPayload": {}}, "oneof field 'payload' is already set. Cannot set 'jsonPayload'"),
    ({"protoPayload": {"a": 1}}, "Missing @type"),
    ({"textPayload": "x", "timestamp": "2099-01-01T00:00:00Z"}, "more than 24 hours in the future"),
    ({"textPayload": "x" * 262200}, "exceeds maximum size of 256.0K"),
    ({"textPayload": "x", "logName": "projects/p/logs/a b"}, "is invalid"),
    ({"textPayload": "x", "logName": "projects/p"}, "is invalid"),
    ({"textPayload": "x", "logName": "projects/p/logs/" + "a" * 512}, "is invalid"),
    ({"textPayload": "x", "insertId": "i" * 513}, "Insert ID"),
    ({"textPayload": "x", "labels": {f"k{i}": "v" for i in range(65)}}, "Too many labels"),
    ({"textPayload": "x", "labels": {"k" * 513: "v"}}, "Label key"),
    ({"textPayload": "x", "resource": {}}, "monitored resource"),
])
def test_what_is_no_entry(g, entry, message):
    a = g.write(entry)
    assert a.status == 400 and message in a.message
    assert g.entries() == []


def test_requests_that_are_none(g):
    assert "Log entries must be provided" in g.write().message
    assert "log name must be provided" in g.post("/v2/entries:write", {"resource": {"type": "global"}, "entries": [{"textPayload": "x"}]}).message
    assert 'Unknown name "entires"' in g.post("/v2/entries:write", {"entires": []}).message
    assert g.post("/v2/entries:write", "{").status == 400 and g.post("/v2/entries:write", "[]").status == 400
    assert g.write({"textPayload": "x"}, dryRun=True).status == 200 and g.write({"textPayload": 5}, dryRun=True).status == 400
    assert g.entries() == []


def test_partial_success(g):
    bad = {"textPayload": "x", "timestamp": "2099-01-01T00:00:00Z"}
    a = g.write({"textPayload": "good"}, bad)
    assert a.status == 400 and "details" not in a.json["error"] and g.entries() == []
    a = g.write({"textPayload": "good"}, bad, {"textPayload": "too"}, {"textPayload": "y", "insertId": "i" * 600}, partialSuccess=True)
    assert a.status == 400 and texts(g.entries()) == ["good", "too"]
    (detail,) = a.json["error"]["details"]
    assert detail["@type"] == "type.googleapis.com/google.logging.v2.WriteLogEntriesPartialErrors"
    assert {k: v["code"] for k, v in detail["logEntryErrors"].items()} == {"1": 3, "3": 3}
    assert a.message == detail["logEntryErrors"]["1"]["message"]


def test_duplicates_are_given_once(g):
    when = at(-5)
    same = {"textPayload": "same", "timestamp": when, "insertId": "id"}
    g.write(same, same, dict(same, timestamp=at(-4)), dict(same, insertId="other"))
    g.write(dict(same, textPayload="again", severity="ERROR"))
    assert texts(g.entries()) == ["same", "same", "same"]
    assert texts(g.entries("severity=ERROR")) == ["again"]  # in one query's result only
    assert [len(g.list(pageSize=1, orderBy=o).json["entries"]) for o in ("timestamp asc", "timestamp desc")] == [1, 1]
    assert len(g.entries(pageSize=1)) == len(g.entries(pageSize=1, orderBy="timestamp desc")) == 3


@pytest.mark.parametrize("given, shown", [("12Z", "12Z"), ("12.5Z", "12.500Z"), ("12.000100Z", "12.000100Z"), ("12.123456789Z", "12.123456789Z"), ("12.10+00:00", "12.100Z")])
def test_times_have_none_three_six_or_nine_digits(g, given, shown):
    """As protobuf writes them."""
    day = at(-7200)[:17]
    g.write({"textPayload": given, "timestamp": day + given})
    assert [e["timestamp"] for e in g.entries() if e["textPayload"] == given] == [day + shown]


def test_what_is_too_old_is_never_seen(g):
    assert g.write({"textPayload": "old", "timestamp": at(-31 * 24 * 3600)}, {"textPayload": "young", "timestamp": at(-29 * 24 * 3600)}).status == 200
    assert texts(g.entries()) == ["young"]


# ---- listing ----
def test_order_and_pages(g):
    stamps = [at(-100 + i // 2) for i in range(25)]
    for i in sorted(range(25), key=lambda i: i * 7 % 25):  # not in their order
        g.write({"textPayload": str(i), "timestamp": stamps[i - i % 2], "insertId": f"{i:03}"})
    ascending = [str(i) for i in range(25)]
    for size in (1, 2, 7, 24, 25, 26, 1000):
        assert texts(g.entries(pageSize=size)) == ascending
        assert texts(g.entries(pageSize=size, orderBy="timestamp desc")) == ascending[::-1]
    first = g.list(pageSize=10).json
    assert len(first["entries"]) == 10
    g.write({"textPayload": "late", "timestamp": stamps[0], "insertId": "zzz"}, {"textPayload": "newest"})  # pages go on from their place
    rest = g.list(pageSize=100, pageToken=first["nextPageToken"]).json
    assert texts(rest["entries"]) == ascending[10:] + ["newest"] and "nextPageToken" not in rest


def test_page_tokens_belong_to_their_request(g):
    g.write(*[{"textPayload": str(i)} for i in range(5)])
    token = g.list(pageSize=2).json["nextPageToken"]
    assert g.list(pageSize=3, pageToken=token).status == 200
    for args in ({"filter": "severity=ERROR"}, {"orderBy": "timestamp desc"}, {"resourceNames": ["projects/another"]}):
        a = g.post("/v2/entries:list", {"resourceNames": [f"projects/{g.project}"], "pageToken": token, **args})
        assert a.status == 400 and "page_token doesn't match" in a.message
    for bad in ("x", "e30", token[:-4], "1"):
        assert g.list(pageToken=bad).status == 400


@pytest.mark.parametrize("args, message", [
    ({"resourceNames": []}, "resource name"), ({"resourceNames": ["acme"]}, "is invalid"), ({"resourceNames": ["projects/"]}, "is invalid"),
    ({"resourceNames": ["projects/p"] * 101}, "at most 100"), ({"pageSize": -1}, "page_size"), ({"pageSize": 1001}, "page_size"), ({"pageSize": "ten"}, "pageSize"),
    ({"orderBy": "severity"}, "order_by"), ({"orderBy": "timestamp"}, "order_by"), ({"orderBy": "TIMESTAMP ASC"}, "order_by"), ({"filter": "a ="}, "Unparseable filter: syntax error at line 1, column 4, token ''"),
    ({"filter": "x" * 20001}, "too long"), ({"filter": 5}, "filter"), ({"nope": 1}, 'Unknown name "nope"'),
])
def test_lists_that_are_refused(g, args, message):
    a = g.post("/v2/entries:list", {"resourceNames": [f"projects/{g.project}"], **args})
    assert a.status == 400 and message in a.message and a.json["error"]["status"] == "INVALID_ARGUMENT"


def test_whose_entries(g):
    other = Google(f"http://{g.at.netloc}", g.project + "-two")
    g.write({"textPayload": "mine"})
    other.write({"textPayload": "theirs"})
    names = [f"projects/{p.project}" for p in (g, other)]
    assert texts(g.entries()) == ["mine"] and texts(other.entries()) == ["theirs"]
    assert texts(g.entries(resourceNames=names)) == ["mine", "theirs"]
    assert texts(g.entries(resourceNames=[names[0] + "/locations/global/buckets/_Default/views/_AllLogs"])) == ["mine"]
    body = {"project_ids": [other.project], "order_by": "timestamp desc", "page_size": "10"}
    assert texts(g.post("/v2/entries:list", body).json["entries"]) == ["theirs"]


def test_a_page_ends_before_it_is_too_large(g):
    for _ in range(5):
        g.write(*[{"textPayload": "x" * 200000} for _ in range(10)])
    a = g.list(pageSize=1000)
    assert len(a.json["entries"]) < 50 and a.json["nextPageToken"]
    assert len(g.entries(pageSize=1000)) == 50


def test_a_page_ends_before_it_costs_too_much(g):
    """Regular expressions over much text: pages are short, even empty, and have successors."""
    for i in range(10):
        assert g.write(*[{"textPayload": "x" * 100000 + str(i)} for _ in range(10)]).status == 200
    hard = 'textPayload=~"^(x?x?x?x?x?)*[0-9]?9$"'
    first = g.list(hard, pageSize=1000).json
    assert len(first.get("entries", [])) < 10 and first["nextPageToken"]
    assert {e["textPayload"][-1] for e in g.entries(hard, pageSize=1000)} == {"9"}


# ---- logs ----
def test_logs_by_name(g):
    assert g.get(f"/v2/projects/{g.project}/logs").json == {}
    for log in ("run.googleapis.com%2Fstdout", "b", "a"):
        g.write({"textPayload": log}, {"textPayload": log}, log=log)
    names = [f"projects/{g.project}/logs/{x}" for x in ("a", "b", "run.googleapis.com%2Fstdout")]
    assert g.get(f"/v2/projects/{g.project}/logs").json == {"logNames": names}
    page = g.get(f"/v2/projects/{g.project}/logs?pageSize=2").json
    assert page["logNames"] == names[:2]
    assert g.get(f"/v2/projects/{g.project}/logs?pageSize=2&pageToken={page['nextPageToken']}").json == {"logNames": names[2:]}
    assert g.get(f"/v2/projects/{g.project}/logs?pageSize=-1").status == 400 and g.get("/v2/planets/p/logs").status == 404
    assert g.delete(f"/v2/projects/{g.project}/logs/run.googleapis.com%2Fstdout").json == {}
    assert texts(g.entries()) == ["b", "b", "a", "a"]
    assert g.delete(f"/v2/projects/{g.project}/logs/run.googleapis.com%2Fstdout").status == 404
    assert g.get(f"/v2/projects/{g.project}/logs").json == {"logNames": names[:2]}
    g.write({"textPayload": "x"}, log="a%2Fb")
    assert g.delete(f"/v2/projects/{g.project}/logs/a%252Fb").json == {}  # as python3-googleapi sends it
    assert g.delete(f"/v2/projects/{g.project}/logs/%25zz").status == 400


def test_monitored_resources(g):
    types, token = [], ""
    while True:
        a = g.get(f"/v2/monitoredResourceDescriptors?pageSize=4&pageToken={token}").json
        types += [d["type"] for d in a["resourceDescriptors"]]
        token = a.get("nextPageToken", "")
        if not token:
            break
    assert "cloud_run_revision" in types and len(types) == len(set(types)) > 5


def test_what_rest_can_not(g):
    assert g.post("/v2/entries:tail", {"resourceNames": ["projects/p"]}).json[0]["error"]["message"] == "Invalid value (Object), "
    assert g.post("/v2/entries:copy", {"name": "x"}).status == 501


# ---- what functions print ----
def printed(g, script, n, **kw):
    """The entries, oldest first, of a function that runs the script and is deleted: what ends without a newline is an entry then."""
    op = g.create("printer", "sh", "-c", script, **kw)
    assert "error" not in op, op
    status, body = g.invoke("printer")
    assert status == 200, body
    revision = g.get(f"{g.parent}/functions/printer").json["serviceConfig"]["revision"]
    g.done(g.delete(f"{g.parent}/functions/printer"))
    found = []

    def all_there():
        found[:] = g.entries('resource.labels.service_name="printer"')
        return len(found) >= n
    wait_until(all_there, f"{n} entries")
    assert len(found) == n and {e["resource"]["labels"]["revision_name"] for e in found} == {revision}, found
    return found


def test_lines_become_entries(g):
    out, err = printed(g, "echo hello; sleep 0.1; printf oops >&2", 2, labels={"team": "blue"})
    assert (out["textPayload"], err["textPayload"]) == ("hello", "oops")
    assert out["logName"] == f"projects/{g.project}/logs/run.googleapis.com%2Fstdout" and err["logName"].endswith("%2Fstderr")
    revision = out["resource"]["labels"]["revision_name"]
    assert out["resource"] == {"type": "cloud_run_revision", "labels": {"project_id": g.project, "location": REGION, "service_name": "printer",
                                                                        "revision_name": revision, "configuration_name": "printer"}}
    labels = dict(out["labels"])
    instance, execution = labels.pop("instanceId"), labels.pop("execution_id")
    assert re.fullmatch("[0-9a-f]{32,}", instance) and execution
    assert labels == {"team": "blue", "goog-managed-by": "cloudfunctions", "goog-drz-cloudfunctions-id": "printer", "goog-drz-cloudfunctions-location": REGION}
    for e in (out, err):
        assert "severity" not in e and re.fullmatch("[0-9a-f]{24}", e["insertId"]) and e["receiveTimestamp"] > e["timestamp"]
    assert out["insertId"] < err["insertId"] and out["timestamp"] <= err["timestamp"]


STRUCTURED = {
    "severity": "error", "message": "m", "n": 1.5, "httpRequest": {"status": 404, "latency": "0.2s"}, "time": "2026-01-02T03:04:05.678Z",
    "logging.googleapis.com/insertId": "own", "logging.googleapis.com/labels": {"l": "v"}, "logging.googleapis.com/operation": {"id": "o", "first": True},
    "logging.googleapis.com/sourceLocation": {"file": "f.c", "line": 7}, "logging.googleapis.com/spanId": "0a", "logging.googleapis.com/trace": "projects/p/traces/t",
    "logging.googleapis.com/trace_sampled": True}


def say(value):
    return "printf '%s\\n' '" + (value if isinstance(value, str) else json.dumps(value)) + "'"


def recent(value):
    """A time within the retention: entries that are older are not seen."""
    return dict(value, time=at(-3600))


def test_structured_lines(g):
    line = recent(STRUCTURED)
    (e,) = printed(g, say(line), 1)
    assert e["jsonPayload"] == {"message": "m", "n": 1.5} and "textPayload" not in e
    assert e["severity"] == "ERROR" and e["httpRequest"] == {"status": 404, "latency": "0.2s"} and e["timestamp"][:23] == line["time"][:23]
    assert e["insertId"] == "own" and e["labels"]["l"] == "v" and e["labels"]["goog-managed-by"] == "cloudfunctions"
    assert e["operation"] == {"id": "o", "first": True} and e["sourceLocation"] == {"file": "f.c", "line": "7"}
    assert (e["spanId"], e["trace"], e["traceSampled"]) == ("0a", "projects/p/traces/t", True)


@pytest.mark.parametrize("line, payload, more", [
    ({"message": "only"}, "only", {}),
    ({"message": "with", "severity": "WARNING"}, "with", {"severity": "WARNING"}),
    ({"message": "number", "severity": 400}, "number", {"severity": "WARNING"}),
    ({"message": "loud", "severity": "LOUD"}, {"message": "loud", "severity": "LOUD"}, {}),
    ({"message": 5}, {"message": 5}, {}),
    ({"message": "t", "timestamp": {"seconds": 1, "nanos": 5}, "x": None}, None, {}),
    ({"a": {"b": [1, None]}}, {"a": {"b": [1, None]}}, {}),
    ({}, {}, {}),
    ('{"broken": ', '{"broken": ', {}),
    ('{"a": 1} and more', '{"a": 1} and more', {}),
    ('[1, 2]', '[1, 2]', {}),
    ({"logging.googleapis.com/labels": "none", "a": 1}, {"logging.googleapis.com/labels": "none", "a": 1}, {}),
])
def test_lines_that_are_json_or_look_like_it(shared, line, payload, more, request):
    g = Google(shared.url, "p-line-" + re.sub("[^0-9]", "", request.node.name.split("-")[-1] or "0") + "-" + str(abs(hash(str(line))) % 10**8))
    if payload is None:  # 1970: too old to be seen
        g.create("printer", "sh", "-c", say(line) + "; " + say("end"))
        assert g.invoke("printer")[0] == 200
        wait_until(lambda: texts(g.entries()) == ["end"], "the other entry")
        return
    (e,) = printed(g, say(line), 1)
    assert e.get("textPayload", e.get("jsonPayload")) == payload and {k: e.get(k) for k in more} == more


def test_bytes_that_are_no_text(g):
    a, b, c, d = printed(g, r"printf 'a\377b\n\n\303\274\r\n'; printf 'x\000y'", 4)
    assert texts([a, b, c, d]) == ["a\ufffdb", "", "\u00fc\r", "x\0y"]


@pytest.mark.parametrize("size, pieces", [(262144, 1), (262145, 2), (600000, 3)])
def test_long_lines_are_cut(shared, size, pieces):
    g = Google(shared.url, f"p-long-{size}")
    # two bytes a character: no cut is within one
    found = printed(g, f"yes $(printf '\\303\\274') | tr -d '\\n' | head -c {size - size % 2}; {'printf x;' if size % 2 else ''} echo; echo next", pieces + 1)
    assert found.pop()["textPayload"] == "next"
    whole = "".join(texts(found))
    assert len(whole.encode()) == size and set(whole) <= {"\u00fc", "x"}
    if pieces == 1:
        assert "split" not in found[0]
        return
    assert [e["split"].get("index", 0) for e in found] == list(range(pieces)) and len({e["split"]["uid"] for e in found}) == 1
    assert [e["split"].get("totalSplits") for e in found] == [None] * (pieces - 1) + [pieces]


def test_ingestion_takes_its_time(images):
    """With --log-delay an entry is listed only later; its times are those of its writing."""
    cloud = skl.Cloud(images, ["--log-delay", "1500ms"])
    try:
        g = Google(cloud.url)
        g.write({"textPayload": "slow"})
        begin = datetime.datetime.now(datetime.timezone.utc)
        wait_until(lambda: g.entries() != [], "the entry")
        (e,) = g.entries()
        seen = datetime.datetime.now(datetime.timezone.utc)
        assert (seen - begin).total_seconds() > 1 and e["timestamp"][:19] <= begin.strftime("%Y-%m-%dT%H:%M:%S")
    finally:
        cloud.close()


# ---- faults ----
@pytest.fixture
def faulty(images):
    made = []

    def make(*faults):
        cloud = skl.Cloud(images, [arg for f in faults for arg in ("--fault", f)])
        made.append(cloud)
        return Google(cloud.url)
    yield make
    for cloud in made:
        cloud.close()


@pytest.mark.parametrize("order", ["timestamp asc", "timestamp desc"])
def test_short_and_empty_pages(faulty, order):
    g = faulty("ListLogEntries@1-2=short", "ListLogEntries@1-3=short:3", "ListLogEntries@1=short")  # a rule counts what those before it let pass
    g.write(*[{"textPayload": str(i), "timestamp": at(i - 100)} for i in range(20)])
    sizes, token, found = [], "", []
    while True:
        a = g.list(pageSize=10, pageToken=token, orderBy=order).json
        sizes.append(len(a.get("entries", [])))
        found += texts(a.get("entries", []))
        token = a.get("nextPageToken")
        if not token:
            break
    numbers = [str(i) for i in range(20)]
    assert sizes == [0, 0, 3, 3, 3, 0, 10, 1] and found == (numbers if order.endswith("asc") else numbers[::-1])


def test_late_entries(faulty):
    """One that comes late stands before those that were seen already."""
    g = faulty("LogEntry@2=late:1500ms")
    g.write({"textPayload": "one", "timestamp": at(-3)}, {"textPayload": "two", "timestamp": at(-2)}, {"textPayload": "three", "timestamp": at(-1)})
    assert texts(g.entries()) == ["one", "three"]
    wait_until(lambda: texts(g.entries()) == ["one", "two", "three"], "the late one")


def test_entries_that_come_twice(faulty):
    g = faulty("LogEntry@2=twice")
    g.write(*[{"textPayload": x} for x in "abc"])
    entries = g.entries()
    assert texts(entries) == ["a", "b", "b", "c"] and entries[1] == entries[2]


def test_many_come_late_and_twice_and_none_is_lost(faulty):
    g = faulty("LogEntry@30%=late:300ms", "LogEntry@20%=twice", "ListLogEntries@40%=short:2", "ListLogEntries@10%=503")
    for i in range(40):
        g.write({"textPayload": str(i)})

    def seen():
        found, token = [], ""
        while True:
            a = g.list(pageToken=token)
            if a.status == 503:
                continue
            found += a.json.get("entries", [])
            token = a.json.get("nextPageToken")
            if not token:
                return {e["insertId"]: e["textPayload"] for e in found}
    wait_until(lambda: sorted(seen().values(), key=int) == [str(i) for i in range(40)], "all of them")


def test_a_quota_is_named(faulty):
    g = faulty("*=429")
    for a, service, limit in ((g.list(), "logging", "Read requests per minute"), (g.write({"textPayload": "x"}), "logging", "Write requests per minute"),
                              (g.get(f"{g.parent}/functions"), "cloudfunctions", "Read requests per minute per region"),
                              (g.create("name", wait=False), "cloudfunctions", "Per project mutation requests per minute per region")):
        assert a.status == 429 and f"limit '{limit}' of service '{service}.googleapis.com' for consumer" in a.message
        (detail,) = a.json["error"]["details"]
        assert detail["@type"].endswith("ErrorInfo") and detail["reason"] == "RATE_LIMIT_EXCEEDED" and detail["metadata"]["service"] == service + ".googleapis.com"
