"""The record is the library's own: in progress before the work, completed after it."""

import os

from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from receive import dynamodb, received, send, verified

STORE = DynamoDBPersistenceLayer(table_name=os.environ["HOOKWELL_EVENTS_TABLE"], boto3_client=dynamodb)
CONFIG = IdempotencyConfig(event_key_jmespath="key", expires_after_seconds=35 * 86_400)


@idempotent_function(data_keyword_argument="event", persistence_store=STORE, config=CONFIG)
def once(event):
    send(event)
    return received()


def handler(request, context):
    event, refused = verified(request)
    if refused:
        return refused
    CONFIG.register_lambda_context(context)
    return once(event=event)
