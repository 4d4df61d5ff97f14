"""The PyPI half of run.sh: signs as Hookwell and lets each SDK verify, signs with each SDK and lets Hookwell verify."""

import base64
import json
import os
import subprocess
import tempfile
import time
from datetime import datetime, timezone
from importlib.metadata import version
from urllib.parse import parse_qsl

import Adyen.util
from linebot.v3.webhook import SignatureValidator
from slack_sdk.signature import SignatureVerifier
from standardwebhooks import Webhook
from twilio.request_validator import (
    SIGNATURE_SETTINGS_HEADER,
    RequestValidator,
    get_signature_algorithm,
)
from workos.webhooks._verification import verify_header as workos_verify_header

HOOKWELL, SOURCES = os.environ["HOOKWELL"], os.environ["SOURCES"]

# White space, a float that is whole, an integer beyond 2^53, an escape, and a newline at the end: all of it is lost
# by whoever parses and prints again.
AWKWARD = """{ "id" : "evt_1",\t"type": "event_callback", "event_id": "Ev1", "event": { "type": "message" },
  "created_at": "2026-01-02T03:04:05Z", "whole": 1.0, "big": 12345678901234567890,
  "text": "sample \\u00e9 é 🦀 \\/ <&>", "data": { "id": "1" } }\n"""
TEXT = "a-secret-of-some-length-é-0123456789"
WHSEC = "whsec_" + base64.b64encode(b"a-secret-of-some-length-0123456789").decode()
HEX = "0123456789ABCDEF" * 4


class Request:
    """A body, its headers by lower-case names, its address, and the source's secret."""

    def __init__(self, name, body, headers=None, query=""):
        self.text = body
        self.headers = {key.lower(): value for key, value in (headers or {}).items()}
        self.url = f"https://hooks.example.com/webhooks/{name}" + (query and f"?{query}")
        self.secret = SENDERS[name].get("secret", TEXT)
        self.form = dict(parse_qsl(body, keep_blank_values=True))


def standard_verify(r):
    Webhook(r.secret).verify(r.text.encode(), r.headers)
    return True


def standard_sign(r):
    now = datetime.now(timezone.utc)
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(r.secret).sign("msg_1", now, r.text),
    }


def slack_sign(r):
    timestamp = str(int(time.time()))
    signature = SignatureVerifier(r.secret).generate_signature(timestamp=timestamp, body=r.text)
    return {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": signature}


def workos_verify(r):
    signature = r.headers["workos-signature"]
    workos_verify_header(event_body=r.text.encode(), event_signature=signature, secret=r.secret)
    return True


def twilio_verify(r):
    algorithm = get_signature_algorithm(r.headers.get(SIGNATURE_SETTINGS_HEADER.lower()))
    return RequestValidator(r.secret).validate(r.url, r.form, r.headers["x-twilio-signature"], algorithm)


def twilio_sign(r):
    return {
        SIGNATURE_SETTINGS_HEADER: "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256",
        "X-Twilio-Signature": RequestValidator(r.secret).compute_signature(r.url, r.form, "HMAC_SHA256"),
        "Content-Type": "application/x-www-form-urlencoded",
    }


def adyen_sign(r):
    """Adyen signs inside the body: gives back a body in place of headers."""
    body = json.loads(r.text)
    item = body["notificationItems"][0]["NotificationRequestItem"]
    item["additionalData"] = {"hmacSignature": Adyen.util.generate_notification_sig(item, r.secret).decode()}
    return json.dumps(body)


# `verify` is true when the SDK accepts, and is false or raises when it refuses; `sign` gives the headers.
SENDERS = {
    "standard-webhooks": {
        "sdk": "standardwebhooks",
        "secret": WHSEC,
        "verify": standard_verify,
        "sign": standard_sign,
    },
    "slack": {
        "sdk": "slack_sdk",
        "verify": lambda r: SignatureVerifier(r.secret).is_valid_request(r.text, r.headers),
        "sign": slack_sign,
    },
    "workos": {"sdk": "workos", "verify": workos_verify},
    "line": {
        "sdk": "line-bot-sdk",
        "body": '{ "destination": "sample é 🦀", "events": [ { "webhookEventId": "1", "type": "message",\n'
        ' "timestamp": 1767322800000, "whole": 1.0 } ] }\n',
        "verify": lambda r: SignatureValidator(r.secret).validate(r.text, r.headers["x-line-signature"]),
    },
    "twilio-sharedkey-sha256": {
        "sdk": "twilio",
        "body": "MessageSid=SM1&MessageStatus=sent&Body=sample+%C3%A9+%F0%9F%A6%80%26&Empty=",
        "verify": twilio_verify,
        "sign": twilio_sign,
    },
    "adyen": {
        "sdk": "Adyen",
        "secret": HEX,
        "body": json.dumps({"live": "false", "notificationItems": [{"NotificationRequestItem": {
            "amount": {"currency": "EUR", "value": 1130}, "eventCode": "AUTHORISATION", "success": "true",
            "eventDate": "2026-01-02T03:04:05+01:00", "merchantAccountCode": "Shop", "pspReference": "7914073381342284",
            "merchantReference": "sample:\\é", "paymentMethod": "visa"}}]}),
        "signs_body": True,
        "verify": lambda r: Adyen.util.is_valid_hmac_notification(json.loads(r.text), r.secret),
        "sign": adyen_sign,
    },
    "adyen-platform": {
        "sdk": "Adyen",
        "secret": HEX,
        "verify": lambda r: Adyen.util.is_valid_hmac_payload(r.headers["hmacsignature"], r.secret, r.text.encode()),
        "sign": lambda r: {"HmacSignature": Adyen.util.generate_payload_sig(r.text.encode(), r.secret).decode()},
    },
}

ENVIRONMENT = dict(os.environ)
for NAME, SENDER in SENDERS.items():
    ENVIRONMENT[NAME.upper().replace("-", "_") + "_SECRET"] = SENDER.get("secret", TEXT)


def hookwell(arguments, lines=None):
    command = [HOOKWELL, *arguments, "--sources", SOURCES]
    done = subprocess.run(command, input=lines, env=ENVIRONMENT, check=True, capture_output=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def changed(body):
    assert "sample" in body, "nothing to change in the body"
    return body.replace("sample", "simple")


def accepts(verify, request):
    try:
        return verify(request) is True, ""
    except Exception as error:  # every SDK has exceptions of its own
        return False, f"{type(error).__name__}: {error}"


def report(name, direction, problem):
    sdk = SENDERS[name]["sdk"]
    package = f"PyPI {sdk} {version(sdk)}"
    state = "FAIL" if problem else "ok"
    print(f"{state}  {name:24} {package:42} {direction}" + (f": {problem}" if problem else ""), flush=True)


def theirs_verifies(name, sender, folder):
    body = sender.get("body", AWKWARD)
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(body)
    [signed] = hookwell(["sign", name, "--data", path])
    sent = base64.b64decode(signed["body_base64"]).decode()
    if sent != body and "signs_body" not in sender:
        return "hookwell sign changed the body"
    good, why = accepts(sender["verify"], Request(name, sent, signed["headers"], signed["query"]))
    bad, _ = accepts(sender["verify"], Request(name, changed(sent), signed["headers"], signed["query"]))
    if not good:
        return f"theirs refuses ours {why}"
    return "theirs accepts a changed body" if bad else None


def signed_by_theirs(name, sender):
    body, headers = sender.get("body", AWKWARD), {}
    if "signs_body" in sender:
        body = sender["sign"](Request(name, body))
    else:
        headers = sender["sign"](Request(name, body))
    for text in (body, changed(body)):
        encoded = base64.b64encode(text.encode()).decode()
        yield json.dumps({"source": name, "method": "POST", "headers": headers, "body_base64": encoded})


def main():
    with tempfile.TemporaryDirectory() as folder:
        for name, sender in SENDERS.items():
            report(name, "ours signs, theirs verifies", theirs_verifies(name, sender, folder))
    names = [name for name, sender in SENDERS.items() if "sign" in sender]
    lines = [line for name in names for line in signed_by_theirs(name, SENDERS[name])]
    answers = iter(hookwell(["verify"], "\n".join(lines)))
    for name in names:
        good, bad = next(answers), next(answers)
        problem = None
        if not good["verified"] or good["status"] >= 300:
            problem = f"ours refuses theirs: {json.dumps(good)}"
        elif bad["verified"]:
            problem = "ours accepts a changed body"
        report(name, "theirs signs, ours verifies", problem)


main()
