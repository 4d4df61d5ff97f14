// Types: `event` of every event's interface.
import { files, found, text } from './installed.mjs';

export const sdk = '@workos-inc/node';
export const list = () => files(sdk, 'lib', '.d.mts').flatMap((file) => found(/\bevent: '([^']+)'/g, text(sdk, file)));

// The members of …ResponseData, and the document's id.
const shape = (type) => {
  if (type.startsWith('authentication.')) return [{ user_id: '2', email: 'a@example.com' }];
  if (type.startsWith('vault.')) return [{ actor_id: '2', kv_name: 'a', key_id: '3' }, 'a'];
  if (type.startsWith('role.')) return [{ slug: 'a' }, 'a'];
  if (type.startsWith('organization_role.')) return [{ organization_id: '2', slug: 'a' }, '2.a'];
  if (type.startsWith('dsync.group.user_')) return [{ directory_id: '3', user: { id: '1' }, group: { id: '2' } }, '2.1'];
  if (type === 'organization_domain.verification_failed') return [{ reason: 'a', organization_domain: { id: '1' } }, '1'];
  return [{ id: '1' }, '1'];
};
export const request = (event) => {
  const [data, id] = shape(event);
  return { body: { id: 'event_1', event, created_at: '2026-01-02T03:04:05.000Z', data }, id };
};
