"""Secrets in Parameter Store and in Secrets Manager, in place of the environment."""

import secrets

from flow import counted, finished, new_document
from machine import ROOT
from report import eventually, expect
from roles import Role
from sender import event

SOURCES = {"parameter": "ssm", "secret": "secretsmanager"}


def put(stack, source, value):
    """Puts a value where the source of that name in stores.toml has its secret, over the one before."""
    store = stack.client(SOURCES[source])
    if source == "parameter":
        store.put_parameter(Name="/hookwell/parameter", Value=value, Type="SecureString", Overwrite=True)
        return
    try:
        store.create_secret(Name="hookwell/secret", SecretString=value)
    except store.exceptions.ResourceExistsException:
        store.put_secret_value(SecretId="hookwell/secret", SecretString=value)


def use(stack):
    """Has both functions read stores.toml, which they do until the stack is gone, and in new sandboxes."""
    functions = stack.client("lambda")
    for name in map(stack.physical, ("IngestFunction", "ProcessFunction")):
        variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        variables["HOOKWELL_SOURCES_FILE"] = str(ROOT / "tests" / "deploy" / "stores.toml")
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})


def rotate(stack, sender):
    """A secret that is changed in its store counts at once, without a deploy."""
    before, after = secrets.token_hex(16), secrets.token_hex(16)
    for secret in (before, after):
        for source in SOURCES:
            put(stack, source, secret)
        for source in SOURCES:
            sent = event("created", new_document("stored"))
            sender.deliver(sent, source=source, secret=secret)
            finished(stack, sent)


def away(stack, sender):
    """A store that refuses costs its source nothing yet: the last secret counts, and an alarm is told."""
    use(stack)
    secret = secrets.token_hex(16)
    put(stack, "parameter", secret)

    def accepted():
        sent = event("created", new_document("stale"))
        sender.deliver(sent, source="parameter", secret=secret)
        finished(stack, sent)

    accepted()
    before = counted(stack, "ingest")["Stale"]
    with Role(stack, "IngestRole").without("ReadParameters", "ssm:GetParameter"):
        status, _ = sender.post(event("created", new_document("stale")), source="parameter", secret="not-the-secret-of-it")
        expect(status, 401, "a forged one, for which the store is asked")
        accepted()
    eventually("the filter of SecretStale counts it", lambda: counted(stack, "ingest")["Stale"] > before)


def lost(stack, sender):
    """A source whose secret was there and is gone is not one that was never given its secret: an alarm is told."""
    before = counted(stack, "ingest")["NotReady"]
    stack.client("ssm").delete_parameter(Name="/hookwell/parameter")

    def told():
        sender.post(event("created", new_document("lost")), source="parameter", secret="not-the-secret-of-it")
        return counted(stack, "ingest")["NotReady"] > before

    # For a wrong signature the store is asked, once in 30 s.
    eventually("the filter of SourceNotReady counts it", told)
    put(stack, "parameter", secrets.token_hex(16))
