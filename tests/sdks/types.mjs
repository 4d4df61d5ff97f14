// Every type of event that an SDK lists is decided on purpose: types/NAME.tsv has a line for each (type, operation, document's type,
// and `state`, `thin` or `-` for what the event holds of it), and `hookwell verify` decides so about a small delivery of that type.
// The same for every payload that GitHub publishes, and under any other name of an event, which nobody signs, none of them
// changes another document.
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';

import * as github from './types/github.mjs';
import { signing } from './types/signing.mjs';

const { HOOKWELL, SOURCES } = process.env;
const LEAST = 265; // fewer payloads of GitHub prove less
const versions = JSON.parse(readFileSync('package.json', 'utf8')).dependencies;
const lists = new URL('types/', import.meta.url);

const env = { ...process.env };
for (const [name, { secret }] of Object.entries(signing)) env[`${name.toUpperCase().replaceAll('-', '_')}_SECRET`] = secret;
const line = (source, { body, headers }) => {
  const text = JSON.stringify(body);
  return JSON.stringify({ source, headers: { ...headers, ...signing[source].sign(text) }, body_base64: Buffer.from(text).toString('base64') });
};
const verify = (source, requests) => {
  const input = requests.map((request) => line(source, request)).join('\n');
  const output = execFileSync(HOOKWELL, ['verify', '--sources', SOURCES], { env, input, encoding: 'utf8', maxBuffer: 2 ** 26 });
  return output.trim().split('\n').map((answer) => JSON.parse(answer));
};

// What an answer says, in the order of the lists, and the document's id.
const told = ({ status, reason, event }) => {
  if (status !== 200) return [`${status} ${reason}`];
  const { operation, document_type, document_id, document_at, without_state } = event;
  if (operation === 'other' || document_id === null) return [operation, '-', '-', '-'];
  const state = without_state ?? (document_at === null ? '-' : 'state');
  return [operation, document_type, operation === 'delete' ? '-' : state, document_id];
};
// The requests that are read otherwise. What is expected may lack the id.
const misread = (source, requests) => {
  const answers = verify(source, requests).map(told);
  return requests.flatMap(({ name, expected }, index) => {
    const isSame = expected.every((word, place) => word === answers[index][place]);
    return isSame ? [] : [`${name} is ${answers[index].join(' ')}, not ${expected.join(' ')}`];
  });
};
const report = (name, sdk, what, problems) => {
  const shown = problems.slice(0, 10).join('; ');
  console.log(`${shown ? 'FAIL' : 'ok'}  ${name.padEnd(24)} ${`npm ${sdk} ${versions[sdk]}`.padEnd(42)} ${what}${shown && `: ${shown}`}`);
};

for (const file of readdirSync(lists).filter((file) => file.endsWith('.tsv'))) {
  const name = file.replace('.tsv', '');
  const { sdk, list, request } = await import(new URL(`${name}.mjs`, lists));
  const listed = new Set(list());
  const rows = readFileSync(new URL(file, lists), 'utf8').trim().split('\n').map((row) => row.split('\t'));
  const decided = new Set(rows.map(([type]) => type));
  report(name, sdk, `${listed.size} types, each decided`, [
    ...[...listed].filter((type) => !decided.has(type)).map((type) => `${type} is not decided`),
    ...[...decided].filter((type) => !listed.has(type)).map((type) => `${type} is not in the SDK`),
  ]);
  const requests = rows.filter(([type]) => listed.has(type)).map(([type, ...decision]) => {
    const { id, ...sent } = request(type);
    const isNamed = decision[1] !== '-';
    return { ...sent, name: type, expected: isNamed && id === undefined ? decision : [...decision, isNamed ? id : '-'] };
  });
  const wrong = misread(name, requests);
  report(name, sdk, `${requests.length - wrong.length} of ${requests.length} types read as decided`, wrong);
}

const payloads = github.payloads();
const wrong = misread('github', payloads);
const right = payloads.length - wrong.length;
report('github', github.sdk, `${right} of ${payloads.length} payloads read as expected`, right < LEAST ? [`fewer than ${LEAST}`, ...wrong] : wrong);

// The document that an answer changes, if any, and whether it is gone then.
const changed = ({ status, event }) => {
  if (status !== 200 || event.without_state || event.document_id === null) return undefined;
  const { operation, document_type, document_id, document_at } = event;
  if (operation === 'delete') return `${document_type} ${document_id} gone`;
  return operation !== 'other' && document_at !== null ? `${document_type} ${document_id}` : undefined;
};
const true_of = ([operation, type, state, id]) => {
  if (operation === 'delete') return `${type} ${id} gone`;
  return state === 'state' ? `${type} ${id}` : undefined;
};
const names = new Set(payloads.map(({ headers }) => headers['X-GitHub-Event']));
for (const name of [...names]) names.add(`${name}.deleted`);
const believed = [...names].flatMap((name) => {
  const forged = payloads.map((one) => ({ ...one, headers: { ...one.headers, 'X-GitHub-Event': name } }));
  return verify('github', forged).flatMap((answer, index) => {
    const change = changed(answer);
    const isRight = change === undefined || change === true_of(payloads[index].expected);
    return isRight ? [] : [`${payloads[index].name} as ${name} changes ${change}`];
  });
});
report('github', github.sdk, `${names.size * payloads.length} times under another name, ${believed.length} believed`, believed);
