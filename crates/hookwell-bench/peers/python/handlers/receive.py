"""The checks and the two writes of a receiver, as a Python developer would write them."""

import base64
import hashlib
import hmac
import json
import os
import time

import boto3
from botocore.exceptions import ClientError

dynamodb = boto3.client("dynamodb")
sqs = boto3.client("sqs")
SECRET = os.environ["HOOKWELL_SECRET_RESOURCE"].encode()
TABLE = os.environ["HOOKWELL_EVENTS_TABLE"]
QUEUE = os.environ["HOOKWELL_QUEUE_URL"]
DAYS_35 = 35 * 86_400


def sha256(data):
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def answer(status, body):
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json", "x-content-type-options": "nosniff"},
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }


def received():
    return answer(200, {"status": "received"})


def verified(request):
    """The event of a request, or the answer that refuses it."""
    if request["rawPath"] != "/webhooks/resource":
        return None, answer(404, {"error": "Unknown source"})
    text = request["body"]
    data = base64.b64decode(text) if request["isBase64Encoded"] else text.encode()
    expected = hmac.new(SECRET, data, hashlib.sha256).hexdigest()
    given = request["headers"].get("x-webhook-signature", "")
    if not hmac.compare_digest(given.encode(), expected.encode()):
        return None, answer(401, {"error": "Invalid signature"})
    body = json.loads(data)
    if not body.get("id") or not body.get("type") or not body.get("data", {}).get("object"):
        return None, answer(400, {"error": "Invalid event payload"})
    return {"key": f"resource#{sha256(body['id'].encode())}", "text": text, "body": body}, None


def remember(event):
    """Writes the record; whether the event is finished already."""
    now = time.time_ns() // 1_000_000
    body = event["body"]
    item = {
        "pk": {"S": event["key"]},
        "status": {"S": "pending"},
        "source": {"S": "resource"},
        "event_id": {"S": body["id"]},
        "type": {"S": body["type"]},
        "operation": {"S": "create"},
        "document_type": {"S": "resource"},
        "document_id": {"S": body["data"]["object"]["id"]},
        "body_hash": {"S": sha256(event["text"].encode())},
        "received_at": {"N": str(now)},
        "expires_at": {"N": str(now // 1000 + DAYS_35)},
    }
    try:
        dynamodb.put_item(
            TableName=TABLE,
            Item=item,
            ConditionExpression="attribute_not_exists(pk) OR expires_at < :now",
            ExpressionAttributeValues={":now": {"N": str(now // 1000)}},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
        return False
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return error.response.get("Item", {}).get("status", {}).get("S") == "done"


def send(event):
    body = event["body"]
    message = {"key": event["key"], "source": "resource", "id": body["id"], "type": body["type"], "body": event["text"]}
    sqs.send_message(QueueUrl=QUEUE, MessageBody=json.dumps(message))
