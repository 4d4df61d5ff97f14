"""A server behind a destination of Hookwell: verifies each request with the official library of Standard Webhooks."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

webhook = Webhook(os.environ["WEBHOOK_SECRET"])
# An event may come again, with the same id. A real server keeps these in its database, in the transaction of its work.
done = set()


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            # Over the bytes as they came: a body that was parsed and written again has another signature.
            event = webhook.verify(body, headers)
        except WebhookVerificationError:
            self.answer(400)
            return
        if headers["webhook-id"] not in done:
            about = [headers.get(f"hookwell-{name}", "") for name in ("source", "operation", "document")]
            print(*about, json.dumps(event), flush=True)
            done.add(headers["webhook-id"])
        self.answer(204)

    def answer(self, status):
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "3000"))), Receiver)
print("ready", flush=True)
server.serve_forever()
