// The two writes of an event: the document, over a smaller version only, and the end of its record.
import { createHash } from 'node:crypto';
import { DynamoDBClient, PutItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';

const dynamodb = new DynamoDBClient({});
const { HOOKWELL_EVENTS_TABLE: events, HOOKWELL_DOCUMENTS_TABLE: documents } = process.env;

const S = (value) => ({ S: value });
const N = (value) => ({ N: String(value) });
const RANK = { create: 0, update: 1, delete: 2 };
const sha256 = (text) => createHash('sha256').update(text).digest('base64url');

export async function apply(record) {
  const event = JSON.parse(record.body);
  const document = JSON.parse(event.body).data.object;
  const at = String(event.time).padStart(15, '0');
  const version = `${at}~${RANK[event.operation]}~${sha256(event.key).slice(0, 16)}`;
  let outcome = 'applied';
  try {
    await dynamodb.send(
      new PutItemCommand({
        TableName: documents,
        Item: {
          pk: S(`${event.source}#${event.document_type}#${event.document_id}`),
          version: S(version),
          source: S(event.source),
          document_type: S(event.document_type),
          document_id: S(event.document_id),
          event_id: S(event.id),
          deleted: { BOOL: false },
          document: S(JSON.stringify(document)),
        },
        ConditionExpression: 'attribute_not_exists(pk) OR #version < :version',
        ExpressionAttributeNames: { '#version': 'version' },
        ExpressionAttributeValues: { ':version': S(version) },
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      }),
    );
  } catch (error) {
    if (error.name !== 'ConditionalCheckFailedException') throw error;
    if (error.Item?.version?.S !== version) outcome = 'stale';
  }
  const keep = ['event_id', 'document_type', 'document_id', 'received_at'];
  await dynamodb.send(
    new UpdateItemCommand({
      TableName: events,
      Key: { pk: S(event.key) },
      UpdateExpression: `SET #status = :status, outcome = :outcome, finished_at = :finished_at, #type = :type, #operation = :operation, #source = :source, ${keep.map((name) => `${name} = if_not_exists(${name}, :${name})`).join(', ')}, expires_at = :expires_at`,
      ConditionExpression: 'attribute_not_exists(#status) OR #status <> :status',
      ExpressionAttributeNames: { '#status': 'status', '#type': 'type', '#operation': 'operation', '#source': 'source' },
      ExpressionAttributeValues: {
        ':status': S('done'),
        ':outcome': S(outcome),
        ':finished_at': N(Date.now()),
        ':type': S(event.type),
        ':operation': S(event.operation),
        ':source': S(event.source),
        ':event_id': S(event.id),
        ':document_type': S(event.document_type),
        ':document_id': S(event.document_id),
        ':received_at': N(event.received_at),
        ':expires_at': N(event.expires_at),
      },
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    }),
  );
}
