// Types: one interface …Event a type. Most say their type; the words of the others are its parts.
import { basename } from 'node:path';
import { files, found, text } from './installed.mjs';

export const sdk = 'square';
const said = (source) => found(/[`"]+([a-z_]+(?:\.[a-z_]+)*)[`"]+/g, source)[0];

const events = () =>
  files(sdk, 'api/types', 'Event.d.ts').filter((file) => basename(file) !== 'Event.d.ts').flatMap((file) => {
    const source = text(sdk, file);
    const [members] = found(/export interface \w+ (\{[^]*\})/g, source);
    const [data] = found(/data\?: Square\.(\w+)/g, source);
    const words = found(/([A-Z][a-z]+)/g, basename(file, 'Event.d.ts'));
    if (!data || !members.includes('eventId?:')) return [];
    return [{ type: said(members) ?? words.join('.').toLowerCase(), data: text(sdk, `api/types/${data}.d.ts`) }];
  });
const dataOf = Object.fromEntries(events().map(({ type, data }) => [type, data]));

export const list = () => Object.keys(dataOf);
// The comment at the member `type` of …EventData says the object's type; those of disputes and of the catalog do not.
export const request = (type) => {
  const data = dataOf[type];
  const word = said(data.split('type?:')[0].split('/**').at(-1)) ?? type.split('.')[0];
  const id = data.includes(' id?:') && { id: '1' };
  const object = data.includes(' object?:') && { object: { [word]: {} } };
  const isDefinition = type.includes('.custom_attribute_definition.');
  return {
    body: { merchant_id: '7', type, event_id: 'e-1', created_at: '2026-01-02T03:04:05Z', data: { type: word, ...id, ...object } },
    id: isDefinition ? '7.1' : '1',
  };
};
