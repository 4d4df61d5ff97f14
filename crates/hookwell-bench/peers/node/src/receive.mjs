// The checks and the two writes of a receiver, as a Node developer would write them.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { SQSClient, SendMessageCommand } from '@aws-sdk/client-sqs';

export const dynamodb = new DynamoDBClient({});
const sqs = new SQSClient({});
const {
  HOOKWELL_SECRET_RESOURCE: secret,
  HOOKWELL_EVENTS_TABLE: table,
  HOOKWELL_QUEUE_URL: queue,
} = process.env;

const DAYS_35 = 35 * 86_400;
const sha256 = (text) => createHash('sha256').update(text).digest('base64url');

export const answer = (statusCode, body) => ({
  statusCode,
  headers: { 'content-type': 'application/json', 'x-content-type-options': 'nosniff' },
  body: JSON.stringify(body),
  isBase64Encoded: false,
});
export const received = () => answer(200, { status: 'received' });

// The event of a request, or the answer that refuses it.
export function verified(request) {
  if (request.rawPath !== '/webhooks/resource') {
    return { refused: answer(404, { error: 'Unknown source' }) };
  }
  const text = request.isBase64Encoded ? Buffer.from(request.body, 'base64') : request.body;
  const expected = createHmac('sha256', secret).update(text).digest();
  const given = Buffer.from(request.headers['x-webhook-signature'] ?? '', 'hex');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    return { refused: answer(401, { error: 'Invalid signature' }) };
  }
  const body = JSON.parse(text);
  if (!body.id || !body.type || !body.data?.object) {
    return { refused: answer(400, { error: 'Invalid event payload' }) };
  }
  return { event: { key: `resource#${sha256(body.id)}`, text, body } };
}

// Writes the record; whether the event is finished already.
export async function remember({ key, text, body }) {
  const now = Date.now();
  const S = (value) => ({ S: value });
  try {
    await dynamodb.send(
      new PutItemCommand({
        TableName: table,
        Item: {
          pk: S(key),
          status: S('pending'),
          source: S('resource'),
          event_id: S(body.id),
          type: S(body.type),
          operation: S('create'),
          document_type: S('resource'),
          document_id: S(body.data.object.id),
          body_hash: S(sha256(text)),
          received_at: { N: String(now) },
          expires_at: { N: String(Math.floor(now / 1000) + DAYS_35) },
        },
        ConditionExpression: 'attribute_not_exists(pk) OR expires_at < :now',
        ExpressionAttributeValues: { ':now': { N: String(Math.floor(now / 1000)) } },
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      }),
    );
    return false;
  } catch (error) {
    if (error.name !== 'ConditionalCheckFailedException') throw error;
    return error.Item?.status?.S === 'done';
  }
}

export const send = ({ key, text, body }) =>
  sqs.send(
    new SendMessageCommand({
      QueueUrl: queue,
      MessageBody: JSON.stringify({ key, source: 'resource', id: body.id, type: body.type, body: text }),
    }),
  );
