// Types: `type` of every …EventData; that of the event around it is always `event`.
import { found, text } from './installed.mjs';

export const sdk = '@anthropic-ai/sdk';
export const list = () =>
  found(/\btype: '([^']+)'/g, text(sdk, 'resources/beta/webhooks.d.ts')).filter((type) => type !== 'event');
export const request = (type) => {
  const isThread = type.startsWith('session.thread_');
  const data = { type, id: '1', organization_id: 'org', workspace_id: 'workspace', ...(isThread && { session_thread_id: '2' }) };
  return { body: { type: 'event', id: 'whevt_1', created_at: '2026-01-02T03:04:05Z', data }, id: isThread ? '2' : '1' };
};
