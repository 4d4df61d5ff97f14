// Types: `type` of every …WebhookEvent.
import { found, text } from './installed.mjs';

export const sdk = 'openai';
export const list = () => found(/\btype: '([^']+)'/g, text(sdk, 'resources/webhooks/webhooks.d.ts'));
export const request = (type) => {
  const data = type.startsWith('realtime.call.') ? { call_id: '1', sip_headers: [] } : { id: '1' };
  return { body: { id: 'evt_1', object: 'event', created_at: 1767322800, type, data }, id: '1' };
};
