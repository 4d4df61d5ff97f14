"""A sender: signs events as the sources of functions/ingest/sources.toml and stores.toml do, and posts them."""

import hashlib
import hmac
import http.client
import itertools
import json
import secrets
import time
import urllib.parse

from report import Failed, expect

SECRET = secrets.token_hex(16)
RECEIVED = (200, {"status": "received"})
_count = itertools.count(1)


class Sender:
    """Posts to one webhook URL of the stack, which is on this machine whatever its host says."""

    def __init__(self, machine, webhooks):
        self._machine = machine
        self._trust = machine.trust()
        self._url = urllib.parse.urlsplit(webhooks)

    def post(self, event, source="resource", secret=SECRET, headers=()):
        """Sends an event once; returns the status and the answer, from JSON where it is JSON."""
        body = json.dumps(event).encode()
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        header = "x-signature" if source == "generic" else "X-Webhook-Signature"
        sent = {"Host": self._url.netloc, "Content-Type": "application/json", header: signature, **dict(headers)}
        connection = http.client.HTTPSConnection("localhost", self._machine.port, timeout=60, context=self._trust)
        try:
            connection.request("POST", f"{self._url.path}{source}", body, sent)
            answer = connection.getresponse()
            text = answer.read().decode()
            return answer.status, json.loads(text) if text.startswith("{") else text
        finally:
            connection.close()

    def deliver(self, event, **how):
        """Sends an event until it is acknowledged, as a sender does; returns how often it was told to come back."""
        for tried in range(5):
            status, answer = self.post(event, **how)
            if status != 503:
                # Once it was told to come back it may be known already.
                expect((status, answer), RECEIVED if tried == 0 else (200, answer), f"the answer to {event['id']}")
                return tried
            time.sleep(1)
        raise Failed(f"{event['id']} was told to come back 5 times: {answer}")


def event(operation, document, second=0, **state):
    """An event of the source `resource` about a document, in the given second of its life."""
    day = time.strftime("%Y-%m-%dT%H", time.gmtime())
    return {
        "id": f"evt_{next(_count)}",
        "type": f"resource.{operation}",
        "created_at": f"{day}:00:{second:02}Z",
        "data": {"object": {"id": document, **state}},
    }


def event_without_time(document, **state):
    """An event of the source `generic` that has no time of its own."""
    return {"id": f"evt_{next(_count)}", "type": "thing.created", "data": {"object": {"id": document, **state}}}
