// Types: const WebhookEventType.
import { found, text } from './installed.mjs';

export const sdk = '@polar-sh/sdk';
export const list = () => found(/readonly \w+: "([^"]+)"/g, text(sdk, 'dist/esm/models/components/webhookeventtype.d.ts'));
export const request = (type) => ({ body: { type, timestamp: '2026-01-02T03:04:05.123456Z', data: { id: '1' } }, id: '1' });
