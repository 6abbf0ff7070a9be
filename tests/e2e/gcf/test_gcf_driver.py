"""The driver's shared object over real sockets, against a scripted Google.

SPDX-License-Identifier: Apache-2.0
"""
import json
import time

import pytest

from driver_bench import CANCELED, EXIT, FAILED, LOST, TIMEOUT, Bench, container
from fake_google import FUNCTIONS, FakeGoogle

RUN = "POST /run/"


@pytest.fixture(name="google")
def google_fixture():
    google = FakeGoogle()
    yield google
    google.close()


@pytest.fixture(name="bench")
def bench_fixture(google):
    bench = Bench(endpoint_url=google.url, project="acme")
    yield bench
    bench.close()


def create(bench, number=1, **more):
    one = container(number, **more)
    one["handle"] = bench.call("create", one)["handle"]
    return one


def test_life(google, bench):
    google.exit_code = 7
    one = create(bench)
    bench.call("start", one)
    end = bench.end_of(one)
    assert (end["kind"], end["exit_code"], end["reason"]) == (EXIT, 7, None)
    google.entries = [{"timestamp": "2026-01-01T00:00:01.5Z", "insertId": "a", "textPayload": "hello",
                       "logName": "projects/acme/logs/run.googleapis.com%2Fstderr"}]
    tag = bench.send("logs", one)
    assert bench.wait(tag)["error"] is None
    assert [(x["line"], x["stream"]) for x in bench.lines[tag]] == [("hello\n", 2)]
    listed = bench.call("list")["items"]
    assert [x["id"] for x in listed] == [one["id"]]
    assert bench.call("inspect", one)["state"] == "ACTIVE"
    bench.call("remove", one)
    assert bench.call("inspect", one)["exists"] is False
    assert google.left() == []
    methods = [f"{r.method} {r.path.split('?')[0]}" for r in google.requests]
    assert methods[:2] == [f"POST {FUNCTIONS}", "POST /run/skls-000000000001"]


def test_request_body(google, bench):
    create(bench, memory=200 << 20, nano_cpus=500_000_000)
    sent = json.loads(google.requests[0].body)
    service = sent["serviceConfig"]
    assert sent["buildConfig"] == {"runtime": "docker"}
    assert (service["availableMemory"], service["availableCpu"]) == ("200Mi", "500m")
    assert service["environmentVariables"]["SOCKERLESS_AGENT_TOKEN"] == "token-1"
    assert google.requests[0].headers["Content-Type"] == "application/json"
    assert "Authorization" not in google.requests[0].headers


def test_connections(google, bench):
    """API calls share a connection; an invocation has its own, and it is closed afterwards."""
    one = create(bench)
    bench.call("start", one)
    bench.end_of(one)
    two = create(bench, 2)
    bench.call("start", two)
    bench.end_of(two)
    bench.call("remove", one)
    runs = {r.connection for r in google.find(RUN)}
    others = {r.connection for r in google.requests} - runs
    assert len(runs) == 2
    assert len(others) == 1


def test_kill_closes_the_connection(google, bench):
    google.finish.clear()
    one = create(bench)
    bench.call("start", one)
    bench.until(lambda: True)
    while not google.find(RUN):
        time.sleep(0.01)
    bench.call("kill", one)
    assert bench.end_of(one)["kind"] == CANCELED
    assert google.gone.wait(20)


def test_remove_in_mid_run(google, bench):
    google.finish.clear()
    one = create(bench)
    bench.call("start", one)
    bench.call("remove", one)
    assert bench.end_of(one)["kind"] == CANCELED
    assert google.left() == []


@pytest.mark.parametrize("action, kind, code, reason", [
    ("reset", LOST, 1, "connection to the function broke"),
    ("lost", LOST, 1, "connection to the function broke"),
    ((504, "upstream request timeout"), TIMEOUT, 124, "time limit"),
    ((502, "<html><body>Bad Gateway</body></html>"), FAILED, 1, "Bad Gateway"),
    ((502, json.dumps({"message": "no link to http://127.0.0.1:3376"})), FAILED, 1, "no link to"),
    ((403, "<html><title>403</title><h1>Error: Forbidden</h1></html>"), FAILED, 1, "roles/run.invoker"),
    ((200, "no header"), EXIT, 0, "without an exit code"),
])
def test_invocation_ends(google, bench, action, kind, code, reason):
    """However it ends: one POST."""
    google.on(RUN, action)
    one = create(bench)
    handle = json.loads(one["handle"])
    handle["created"] = 1          # an old function: nothing is put down to a recent change
    one["handle"] = json.dumps(handle)
    bench.call("start", one)
    end = bench.end_of(one)
    assert (end["kind"], end["exit_code"]) == (kind, code)
    assert reason in end["reason"]
    assert google.count(RUN) == 1


def test_start_without_server(google, bench):
    one = create(bench)
    google.close()
    bench.call("start", one)
    end = bench.end_of(one)
    assert end["kind"] == FAILED
    assert "can't be reached" in end["reason"]


def test_lost_answer_of_create(google, bench):
    google.on("POST " + FUNCTIONS, "lost")
    one = create(bench)
    assert google.count("POST " + FUNCTIONS) == 2
    assert google.left() == ["skls-000000000001"]
    bench.call("remove", one)
    assert google.left() == []


@pytest.mark.parametrize("action", ["broken", (200, "<html>log in</html>")])
def test_answers_that_say_nothing(google, bench, action):
    """Success by its status, but it broke off or is not the API's (more of them: tests/unit/test_gcf_garbled.c)."""
    google.on("POST " + FUNCTIONS, "lost")      # so that the function itself is looked at
    for pattern in ("GET .*/functions/skls", "GET .*/functions\\?", "DELETE"):
        google.on(pattern, action)
    one = create(bench)
    assert [x["id"] for x in bench.call("list")["items"]] == [one["id"]]
    bench.call("start", one)
    assert bench.end_of(one)["kind"] == EXIT
    bench.call("remove", one)
    assert google.left() == [] and google.count(RUN) == 1


def test_run_whose_answer_breaks_off(google, bench):
    """Without its header nothing is known of the exit code; with it the rest does not matter."""
    one = create(bench)
    google.on(RUN, "broken")
    bench.call("start", one)
    assert bench.end_of(one)["kind"] == LOST


def test_foreign_function(google, bench):
    mine = container(1)
    bench.call("create", mine)
    other = dict(mine, agent_token="somebody else's")
    result = bench.wait(bench.send("create", other))
    assert "not this container's" in result["error"]["message"]
    assert google.left() == ["skls-000000000001"]


def test_trouble_while_polling(google, bench):
    google.deploy_time = 2
    for action in ("reset", 503, 404, (200, "{}"), (200, '{"name"')):
        google.on("GET .*/operations/", action)
    create(bench)
    assert google.count("POST " + FUNCTIONS) == 1


def test_dead_keepalive(google, bench):
    """The server has closed the idle connection: reads, creates and deletes get through all the same."""
    one = create(bench)
    google.on("GET", "reset")
    assert bench.call("inspect", one)["exists"]
    google.on("DELETE", "reset")
    bench.call("remove", one)
    google.on("POST " + FUNCTIONS, "reset")
    create(bench, 2)
    assert google.left() == ["skls-000000000002"]


def test_cancelled_create_leaves_nothing(google, bench):
    google.deploy_time = 3
    google.random.seed(1)
    tag = bench.send("create", container(1))
    while not google.find("GET .*/operations/"):
        time.sleep(0.01)
    bench.cancel(tag)
    assert bench.wait(tag)["error"]["message"] == "cancelled"
    deadline = time.monotonic() + 60
    while google.left() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert google.left() == []


def test_background(google):
    google.deploy_time = 2
    bench = Bench(endpoint_url=google.url, project="acme", create="background")
    one = create(bench)
    assert "uri" not in json.loads(one["handle"])
    bench.call("start", one)
    assert bench.end_of(one)["kind"] == EXIT
    bench.call("remove", one)
    bench.close()


def test_log_time_limit(google, bench):
    """Two seconds with another endpoint, by the mapping."""
    one = create(bench)
    google.on("entries:list", "hang")
    result = bench.wait(bench.send("logs", one))
    assert "within 2 s" in result["error"]["message"]


def test_quit_in_the_middle(google, bench):
    """The daemon ends with everything in progress; the sanitizer build tells whether that is clean."""
    google.finish.clear()
    google.deploy_time = 60
    one = container(1)
    google.on("POST .*skls-000000000001", (200, json.dumps({
        "name": "projects/acme/locations/us-central1/operations/x", "done": True, "response": {}})))
    google.on("GET .*skls-000000000001", "hang")
    bench.send("create", one)
    for number in range(2, 12):
        bench.send("create", container(number))
    bench.send("start", dict(one, handle=json.dumps({"function": "projects/a/locations/b/functions/skls-x",
                                                     "uri": google.url + "/run/skls-00000000000f"})))
    while google.count("GET .*/operations/") < 10:
        time.sleep(0.01)


def test_many_with_faults(google, bench):
    """200 at once, one call in twenty fails somehow: all end, nothing is left, nothing runs twice."""
    google.deploy_time, google.fault_rate = 1.0, 0.05
    many = [container(number) for number in range(1, 201)]
    tags = {one["id"]: bench.send("create", one) for one in many}
    for one in many:
        result = bench.wait(tags[one["id"]])
        assert result["error"] is None, result["error"]["message"]
        one["handle"] = result["handle"]
    for one in many:
        bench.send("start", one)
    ends = [bench.end_of(one)["kind"] for one in many]
    assert set(ends) <= {EXIT, FAILED, LOST} and ends.count(EXIT) > 150
    tags = [bench.send("remove", one) for one in many]
    for tag in tags:
        assert bench.wait(tag)["error"] is None
    assert google.left() == []
    assert max(f.runs for f in google.functions.values()) == 1
