// Types: every Webhook<'…' | '…', Data>.
import { found, text } from './installed.mjs';

export const sdk = '@clerk/backend';
export const list = () =>
  found(/Webhook<((?:'[^']+'[ |]*)+),/g, text(sdk, 'dist/api/resources/Webhooks.d.ts')).flatMap((union) => found(/'([^']+)'/g, union));
export const request = (type) => {
  const gone = type.endsWith('.deleted') && { deleted: true };
  return { body: { object: 'event', type, timestamp: 1767322800000, data: { id: '1', ...gone } }, id: '1' };
};
