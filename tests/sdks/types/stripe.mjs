// Types: the union Event.Type of snapshot events. The object of each, its word and whether it has an id are in the SDK's types too.
import { dirname, relative } from 'node:path';
import { files, found, text } from './installed.mjs';

export const sdk = 'stripe';
const ROOT = 'esm/resources';
const events = text(sdk, `${ROOT}/Events.d.ts`);

export const list = () => {
  const [union] = found(/^ *type Type = ('[^;]+);/gm, events);
  return found(/'([^']+)'/g, union);
};

// Interfaces by their name, `Billing.Meter`; of a union one that is no account.
const objects = {};
for (const file of files(sdk, ROOT, '.d.ts')) {
  const space = relative(ROOT, dirname(file));
  for (const [, name, members] of text(sdk, file).matchAll(/^export interface (\w+) \{\n([^]*?)\n\}/gm)) {
    const [object] = found(/^    object: '([^']+)'/gm, members);
    if (object) objects[space ? `${space}.${name}` : name] = { object, ...(/^    id: string/m.test(members) && { id: '1' }) };
  }
}
objects.ExternalAccount = objects.BankAccount;
objects.CustomerSource = objects.Card;

const objectOf = Object.fromEntries(
  [...events.matchAll(/^    type: '([^']+)';[^]*?\n        object: ([\w.]+);/gm)].map(([, type, name]) => [type, objects[name]]),
);

const event = (type, object, more) => ({ id: 'evt_1', object: 'event', created: 1767322800, type, data: { object }, ...more });
// Ids that are made of more than the object's: a capability and an application are an account's, and of a balance and a summary
// there is one a customer.
export const request = (type) => {
  const object = objectOf[type];
  if (type === 'invoice.upcoming') return { body: event(type, { object: 'invoice' }) }; // the SDK says: without an id
  if (type.startsWith('account.application.')) return { body: event(type, object, { account: 'acct_7' }), id: 'acct_7.1' };
  if (type.startsWith('capability.')) return { body: event(type, { ...object, account: 'acct_7' }), id: 'acct_7.1' };
  if (type.startsWith('cash_balance.') || type.startsWith('entitlements.'))
    return { body: event(type, { ...object, customer: 'cus_7' }), id: 'cus_7' };
  return { body: event(type, object), id: '1' };
};
