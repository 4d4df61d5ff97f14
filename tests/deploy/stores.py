"""Secrets in Parameter Store and in Secrets Manager, in place of the environment."""

import secrets

from flow import RECEIVED, finished, new_document
from machine import ROOT
from report import expect
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
    """Has ingest read stores.toml, which it does until the stack is gone."""
    functions, name = stack.client("lambda"), stack.physical("IngestFunction")
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
            expect(sender.post(sent, source=source, secret=secret), RECEIVED, source)
            finished(stack, sent)
