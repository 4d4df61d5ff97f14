"""The two writes of an event: the document, over a smaller version only, and the end of its record."""

import base64
import hashlib
import json
import os
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

# As many connections as a batch has messages.
dynamodb = boto3.client("dynamodb", config=Config(max_pool_connections=10))
EVENTS = os.environ["HOOKWELL_EVENTS_TABLE"]
DOCUMENTS = os.environ["HOOKWELL_DOCUMENTS_TABLE"]
RANK = {"create": 0, "update": 1, "delete": 2}
KEEP = ["event_id", "document_type", "document_id", "received_at"]
UPDATE = (
    "SET #status = :status, outcome = :outcome, finished_at = :finished_at, "
    "#type = :type, #operation = :operation, #source = :source, "
    + ", ".join(f"{name} = if_not_exists({name}, :{name})" for name in KEEP)
    + ", expires_at = :expires_at"
)


def sha256(data):
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def apply(record):
    event = json.loads(record["body"])
    document = json.loads(event["body"])["data"]["object"]
    tie = sha256(event["key"].encode())[:16]
    version = f"{event['time']:015}~{RANK[event['operation']]}~{tie}"
    outcome = "applied"
    try:
        dynamodb.put_item(
            TableName=DOCUMENTS,
            Item={
                "pk": {"S": f"{event['source']}#{event['document_type']}#{event['document_id']}"},
                "version": {"S": version},
                "source": {"S": event["source"]},
                "document_type": {"S": event["document_type"]},
                "document_id": {"S": event["document_id"]},
                "event_id": {"S": event["id"]},
                "deleted": {"BOOL": False},
                "document": {"S": json.dumps(document)},
            },
            ConditionExpression="attribute_not_exists(pk) OR #version < :version",
            ExpressionAttributeNames={"#version": "version"},
            ExpressionAttributeValues={":version": {"S": version}},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        if error.response.get("Item", {}).get("version", {}).get("S") != version:
            outcome = "stale"
    dynamodb.update_item(
        TableName=EVENTS,
        Key={"pk": {"S": event["key"]}},
        UpdateExpression=UPDATE,
        ConditionExpression="attribute_not_exists(#status) OR #status <> :status",
        ExpressionAttributeNames={
            "#status": "status",
            "#type": "type",
            "#operation": "operation",
            "#source": "source",
        },
        ExpressionAttributeValues={
            ":status": {"S": "done"},
            ":outcome": {"S": outcome},
            ":finished_at": {"N": str(time.time_ns() // 1_000_000)},
            ":type": {"S": event["type"]},
            ":operation": {"S": event["operation"]},
            ":source": {"S": event["source"]},
            ":event_id": {"S": event["id"]},
            ":document_type": {"S": event["document_type"]},
            ":document_id": {"S": event["document_id"]},
            ":received_at": {"N": str(event["received_at"])},
            ":expires_at": {"N": str(event["expires_at"])},
        },
        ReturnValuesOnConditionCheckFailure="ALL_OLD",
    )


def failed(record):
    """The failure to report for a record; None when it was applied."""
    try:
        apply(record)
        return None
    except Exception:
        return {"itemIdentifier": record["messageId"]}
