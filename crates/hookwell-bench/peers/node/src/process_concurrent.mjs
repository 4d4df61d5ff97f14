import { apply } from './apply.mjs';

export async function handler({ Records }) {
  const results = await Promise.allSettled(Records.map(apply));
  const failed = Records.filter((_, index) => results[index].status === 'rejected');
  return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) };
}
