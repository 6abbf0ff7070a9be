"""google-cloud-logging over HTTP: a logger, a client's lists, the standard library's handler, errors.

SPDX-License-Identifier: Apache-2.0
"""
import importlib.metadata
import logging as standard
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(os.path.dirname(HERE)))
from google.api_core.exceptions import BadRequest, NotFound  # noqa: E402
from google.auth.credentials import AnonymousCredentials  # noqa: E402
from google.cloud import logging  # noqa: E402
from google.cloud.logging_v2.resource import Resource  # noqa: E402

from casebook import case, main, refused  # noqa: E402

PROJECT = os.environ["SIM_PROJECT"]
CLIENT = logging.Client(project=PROJECT, credentials=AnonymousCredentials(), _use_grpc=False, client_options={"api_endpoint": os.environ["SIM_URL"]})


def payloads(filter_, **kw):
    return [e.payload for e in CLIENT.list_entries(filter_=filter_, **kw)]


def of(name):
    return f'logName="projects/{PROJECT}/logs/{name}"'


@case
def text_and_struct():
    log = CLIENT.logger("py")
    log.log_text("plain", severity="WARNING", labels={"a": "b"})
    log.log_struct({"user": "ann", "n": 3}, severity="INFO", resource=Resource("global", {}))
    log.log_empty(severity="DEBUG")
    # the library tells about itself with its first entry
    a, b, c = CLIENT.list_entries(filter_=of("py") + ' -jsonPayload."logging.googleapis.com/diagnostic":*', order_by=logging.ASCENDING)
    assert (a.payload, a.severity, a.labels["a"]) == ("plain", "WARNING", "b") and b.payload == {"user": "ann", "n": 3} and c.payload is None
    assert a.timestamp and a.insert_id and a.resource.type == "global" and a.log_name == f"projects/{PROJECT}/logs/py"


@case
def a_batch_in_pages():
    with CLIENT.logger("batch").batch() as batch:
        for i in range(25):
            batch.log_text(f"line {i}", severity="ERROR" if i % 2 else "INFO", insert_id=f"{i:03}")
    assert payloads(of("batch"), page_size=10, order_by=logging.ASCENDING) == [f"line {i}" for i in range(25)]
    assert payloads(of("batch") + " severity>=WARNING", order_by=logging.DESCENDING, max_results=2) == ["line 23", "line 21"]


@case
def the_standard_librarys_handler():
    from google.cloud.logging.handlers import CloudLoggingHandler
    from google.cloud.logging.handlers.transports import SyncTransport
    log = standard.getLogger("mine")
    log.addHandler(CloudLoggingHandler(CLIENT, name="handler", transport=SyncTransport, resource=Resource("global", {})))
    log.propagate = False
    log.error("went %s", "wrong", extra={"json_fields": {"n": 5}})
    (e,) = CLIENT.list_entries(filter_=of("handler") + " jsonPayload.n=5")
    assert (e.payload, e.severity) == ({"message": "went wrong", "n": 5}, "ERROR"), (e.payload, e.severity)
    assert e.labels["python_logger"] == "mine" and e.source_location["line"], (e.labels, e.source_location)


@case
def errors():
    e = refused(payloads, "a = b:c")
    assert isinstance(e, BadRequest) and "column 6, token ':'" in str(e), e
    e = refused(CLIENT.logger("none").delete)
    assert isinstance(e, NotFound), e


@case
def a_log_is_deleted():
    CLIENT.logger("gone").log_text("x")
    assert payloads('log_id("gone")') == ["x"]
    CLIENT.logger("gone").delete()
    assert payloads('log_id("gone")') == []


main(importlib.metadata.version("google-cloud-logging"), {"Client.sink, Client.metric": "the simulator keeps entries and logs, no exports"})
