import { apply } from './apply.mjs';

export async function handler({ Records }) {
  const batchItemFailures = [];
  for (const record of Records) {
    try {
      await apply(record);
    } catch {
      batchItemFailures.push({ itemIdentifier: record.messageId });
    }
  }
  return { batchItemFailures };
}
