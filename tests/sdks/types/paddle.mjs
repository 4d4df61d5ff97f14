// Types: enum EventName.
import { found, text } from './installed.mjs';

export const sdk = '@paddle/paddle-node-sdk';
export const list = () => {
  const [names] = found(/enum EventName \{([^}]+)\}/g, text(sdk, 'dist/types/notifications/helpers/types.d.ts'));
  return found(/= "([^"]+)"/g, names);
};
export const request = (event_type) => ({
  body: { event_id: 'evt_1', event_type, occurred_at: '2026-01-02T03:04:05.123456Z', notification_id: 'ntf_1', data: { id: '1' } },
  id: '1',
});
