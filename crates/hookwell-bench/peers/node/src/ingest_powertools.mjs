// The record is the library's own: in progress before the work, completed after it.
import { IdempotencyConfig, makeIdempotent } from '@aws-lambda-powertools/idempotency';
import { DynamoDBPersistenceLayer } from '@aws-lambda-powertools/idempotency/dynamodb';
import { dynamodb, received, send, verified } from './receive.mjs';

const persistenceStore = new DynamoDBPersistenceLayer({
  tableName: process.env.HOOKWELL_EVENTS_TABLE,
  awsSdkV3Client: dynamodb,
});
const config = new IdempotencyConfig({ eventKeyJmesPath: 'key', expiresAfterSeconds: 35 * 86_400 });
const once = makeIdempotent(
  async (event) => {
    await send(event);
    return received();
  },
  { persistenceStore, config },
);

export async function handler(request, context) {
  const { refused, event } = verified(request);
  if (refused) return refused;
  config.registerLambdaContext(context);
  return once(event);
}
