// The npm half of run.sh: signs as Hookwell and lets each SDK verify, signs with each SDK and lets Hookwell verify.
import { execFileSync } from 'node:child_process';
import { createHash, createPrivateKey, createPublicKey } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { signRequest, verifyRequest } from '@contentful/node-apps-toolkit';
import { Signature as HubSpot } from '@hubspot/api-client';
import { LinearWebhookClient } from '@linear/sdk/webhooks';
import Mux from '@mux/mux-node';
import { signWebhookPayload, verifyWebhookSignature } from '@notionhq/client';
import * as octokit from '@octokit/webhooks-methods';
import { Paddle } from '@paddle/paddle-node-sdk';
import * as sanity from '@sanity/webhook';
import sendgrid from '@sendgrid/eventwebhook';
import { WorkOS } from '@workos-inc/node';
import { WebhooksManager as Box } from 'box-node-sdk/managers/webhooks';
import { verifyKey } from 'discord-interactions';
import * as gocardless from 'gocardless-nodejs/webhooks';
import OpenAI from 'openai';
import Pusher from 'pusher';
import Razorpay from 'razorpay';
import { Resend } from 'resend';
import { WebhooksHelper as Square } from 'square';
import { Webhook as StandardWebhooks } from 'standardwebhooks';
import Stripe from 'stripe';
import { Webhook as Svix } from 'svix';
import twilio from 'twilio';

const { HOOKWELL, SOURCES, TEST_KEYS } = process.env;
const versions = JSON.parse(readFileSync('package.json', 'utf8')).dependencies;
const seconds = () => Math.floor(Date.now() / 1000);

// White space, a float that is whole, an integer beyond 2^53, an escape, and a newline at the end: all of it is lost
// by whoever parses and prints again.
const AWKWARD = `{ "id" : "evt_1",\t"type": "customer.created", "event": "customer.created", "object": "event",
  "created_at": "2026-01-02T03:04:05Z", "trigger": "FILE.UPLOADED", "whole": 1.0, "big": 12345678901234567890,
  "text": "sample \\u00e9 é 🦀 \\/ <&>", "data": { "object": { "id": "1" }, "id": "1" } }\n`;
const text = 'a-secret-of-some-length-é-0123456789';
const ascii = 'a-secret-of-some-length-0123456789';
const whsec = `whsec_${Buffer.from(ascii).toString('base64')}`;
const key = { id: 'key', secret: ascii };
const pusher = new Pusher({ appId: '1', key: key.id, secret: key.secret, cluster: 'eu' });

// Hookwell signs with its own test keys where the real private key is its sender's alone.
const ed25519 = createPublicKey(createPrivateKey({
  key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'),
    createHash('sha256').update('hookwell local test key').digest()]),
  format: 'der', type: 'pkcs8',
})).export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex');
const p256 = createPublicKey(readFileSync(join(TEST_KEYS, 'p256.pem')))
  .export({ format: 'der', type: 'spki' }).toString('base64');

// Of a request `r`: text (the body), headers (lower case), url, path and the source's secret.
// `verify` is true or resolves when the SDK accepts, and is false or throws when it refuses; `sign` gives the headers.
const hubspot = (version, header) => ({
  sdk: '@hubspot/api-client',
  body: '[{ "eventId": 1, "subscriptionType": "contact.creation", "objectId": 2,\n "occurredAt": 1767322800000, "text": "sample é 🦀", "whole": 1.0 }]\n',
  verify: (r) => HubSpot.isValid({
    signatureVersion: version, method: 'POST', clientSecret: r.secret, requestBody: r.text, url: r.url,
    signature: r.headers[header], timestamp: Number(r.headers['x-hubspot-request-timestamp']),
  }),
  sign: (r, timestamp = Date.now()) => ({
    [header]: HubSpot.getSignature('POST', version, { clientSecret: r.secret, requestBody: r.text, url: r.url, timestamp }),
    ...(version === 'v3' && { 'x-hubspot-request-timestamp': String(timestamp) }),
  }),
});
const standard = (prefix, sdk, Webhook) => ({
  sdk, secret: whsec,
  verify: (r) => { new Webhook(r.secret).verify(r.text, r.headers); return true; },
  sign: (r, at = new Date()) => ({
    [`${prefix}-id`]: 'msg_1', [`${prefix}-timestamp`]: String(Math.floor(at / 1000)),
    [`${prefix}-signature`]: new Webhook(r.secret).sign('msg_1', at, r.text),
  }),
});

const senders = {
  'standard-webhooks': standard('webhook', 'standardwebhooks', StandardWebhooks),
  svix: standard('svix', 'svix', Svix),
  resend: {
    sdk: 'resend', secret: whsec,
    verify: (r) => {
      const [id, timestamp, signature] = ['id', 'timestamp', 'signature'].map((name) => r.headers[`svix-${name}`] ?? r.headers[`webhook-${name}`]);
      new Resend('re_1').webhooks.verify({ payload: r.text, headers: { id, timestamp, signature }, webhookSecret: r.secret });
      return true;
    },
  },
  openai: {
    sdk: 'openai', secret: whsec,
    verify: async (r) => { await new OpenAI({ apiKey: 'none' }).webhooks.verifySignature(r.text, r.headers, r.secret); return true; },
  },
  github: {
    sdk: '@octokit/webhooks-methods', headers: { 'x-github-delivery': '1', 'x-github-event': 'issues' },
    verify: (r) => octokit.verify(r.secret, r.text, r.headers['x-hub-signature-256']),
    sign: async (r) => ({ 'x-hub-signature-256': await octokit.sign(r.secret, r.text) }),
  },
  notion: {
    sdk: '@notionhq/client',
    verify: (r) => verifyWebhookSignature({ body: r.text, signature: r.headers['x-notion-signature'], verificationToken: r.secret }),
    sign: async (r) => ({ 'x-notion-signature': await signWebhookPayload({ body: r.text, verificationToken: r.secret }) }),
  },
  razorpay: {
    sdk: 'razorpay',
    verify: (r) => Razorpay.validateWebhookSignature(r.text, r.headers['x-razorpay-signature'], r.secret),
  },
  gocardless: {
    sdk: 'gocardless-nodejs',
    body: '{ "events": [ { "id": "EV1", "resource_type": "payments", "action": "created",\n "created_at": "2026-01-02T03:04:05.000Z", "text": "sample é", "whole": 1.0 } ] }\n',
    verify: (r) => { gocardless.verifySignature(r.text, r.secret, r.headers['webhook-signature']); return true; },
  },
  pusher: {
    sdk: 'pusher', secret: key.secret,
    body: '{ "time_ms": 1767322800000, "events": [ { "name": "channel_occupied", "channel": "sample", "whole": 1.0 } ] }\n',
    // X-Pusher-Key says which secret signed; Hookwell tries every one and leaves it out.
    verify: (r) => pusher.webhook({ headers: { 'x-pusher-key': key.id, ...r.headers }, rawBody: r.text }).isValid(),
    sign: (r) => ({ 'x-pusher-signature': pusher.config.token.sign(r.text) }),
  },
  stripe: {
    sdk: 'stripe',
    verify: (r) => Boolean(Stripe.webhooks.constructEvent(r.text, r.headers['stripe-signature'], r.secret)),
    sign: (r) => ({ 'stripe-signature': Stripe.webhooks.generateTestHeaderString({ payload: r.text, secret: r.secret }) }),
  },
  paddle: {
    sdk: '@paddle/paddle-node-sdk',
    verify: (r) => new Paddle('none').webhooks.isSignatureValid(r.text, r.secret, r.headers['paddle-signature']),
  },
  workos: {
    // This SDK takes the parsed body and prints it again, so only a compact body can pass; the one for Python takes bytes.
    sdk: '@workos-inc/node', body: '{"id":"event_1","event":"user.created","data":{"id":"1","text":"sample é 🦀"}}',
    verify: (r) => new WorkOS('sk_1').webhooks.verifyHeader({ payload: JSON.parse(r.text), sigHeader: r.headers['workos-signature'], secret: r.secret }),
    sign: async (r, at = Date.now()) => ({
      'workos-signature': `t=${at}, v1=${await new WorkOS('sk_1').webhooks.computeSignature(at, JSON.parse(r.text), r.secret)}`,
    }),
  },
  sanity: {
    sdk: '@sanity/webhook', headers: { 'sanity-operation': 'create' },
    verify: (r) => sanity.isValidSignature(r.text, r.headers['sanity-webhook-signature'], r.secret),
    sign: async (r) => ({ 'sanity-webhook-signature': await sanity.encodeSignatureHeader(r.text, Date.now(), r.secret) }),
  },
  mux: {
    sdk: '@mux/mux-node',
    verify: async (r) => { await new Mux({ tokenId: '1', tokenSecret: '1' }).webhooks.verifySignature(r.text, r.headers, r.secret); return true; },
  },
  box: {
    sdk: 'box-node-sdk',
    verify: (r) => Box.validateMessage(r.text, r.headers, r.secret),
  },
  linear: {
    sdk: '@linear/sdk',
    body: () => `{ "type": "Issue", "action": "create", "webhookTimestamp": ${Date.now()},\n "createdAt": "2026-01-02T03:04:05Z", "data": { "id": "1", "text": "sample é", "whole": 1.0 } }\n`,
    verify: (r) => new LinearWebhookClient(r.secret).verify(Buffer.from(r.text), r.headers['linear-signature'], JSON.parse(r.text).webhookTimestamp),
  },
  discord: {
    sdk: 'discord-interactions', secret: null,
    verify: (r) => verifyKey(r.text, r.headers['x-signature-ed25519'], r.headers['x-signature-timestamp'], ed25519),
  },
  sendgrid: {
    sdk: '@sendgrid/eventwebhook', secret: null,
    body: '[{ "sg_event_id": "1", "event": "delivered",\n "timestamp": 1767322800, "text": "sample é", "whole": 1.0 }]\r\n',
    verify: (r) => {
      const { EventWebhook, EventWebhookHeader } = sendgrid;
      const [signature, timestamp] = [EventWebhookHeader.SIGNATURE(), EventWebhookHeader.TIMESTAMP()].map((name) => r.headers[name.toLowerCase()]);
      const webhook = new EventWebhook();
      return webhook.verifySignature(webhook.convertPublicKeyToECDSA(p256), Buffer.from(r.text), signature, timestamp);
    },
  },
  'hubspot-v1': hubspot('v1', 'x-hubspot-signature'),
  'hubspot-v2': hubspot('v2', 'x-hubspot-signature'),
  'hubspot-v3': hubspot('v3', 'x-hubspot-signature-v3'),
  square: {
    sdk: 'square',
    verify: (r) => Square.verifySignature({ requestBody: r.text, signatureHeader: r.headers['x-square-hmacsha256-signature'], signatureKey: r.secret, notificationUrl: r.url }),
  },
  'twilio-form': {
    sdk: 'twilio', body: 'MessageSid=SM1&MessageStatus=sent&Body=sample+%C3%A9+%F0%9F%A6%80%26&Empty=',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    verify: (r) => twilio.validateRequest(r.secret, r.headers['x-twilio-signature'], r.url, Object.fromEntries(new URLSearchParams(r.text))),
    sign: (r) => ({ 'x-twilio-signature': twilio.getExpectedTwilioSignature(r.secret, r.url, Object.fromEntries(new URLSearchParams(r.text))) }),
  },
  'twilio-json': {
    sdk: 'twilio', headers: { 'content-type': 'application/json' },
    query: (r) => `bodySHA256=${twilio.getExpectedBodyHash(r.text)}`,
    verify: (r) => twilio.validateRequestWithBody(r.secret, r.headers['x-twilio-signature'], r.url, r.text),
    sign: (r) => ({ 'x-twilio-signature': twilio.getExpectedTwilioSignature(r.secret, r.url, {}) }),
  },
  contentful: {
    sdk: '@contentful/node-apps-toolkit', secret: 'c'.repeat(64), // it takes 64 characters only
    headers: { 'x-contentful-topic': 'ContentManagement.Entry.create' },
    verify: (r) => verifyRequest(r.secret, { method: 'POST', path: r.path, headers: r.headers, body: r.text }),
    sign: (r) => signRequest(r.secret, { method: 'POST', path: r.path, headers: { 'x-contentful-topic': 'ContentManagement.Entry.create' }, body: r.text }, Date.now()),
  },
};

const variable = (name) => `${name.toUpperCase().replaceAll('-', '_')}_SECRET`;
const secret = (name) => senders[name].secret === undefined ? text : senders[name].secret;
const env = { ...process.env };
for (const name in senders) if (secret(name) !== null) env[variable(name)] = secret(name);
const hookwell = (args, input) => execFileSync(HOOKWELL, [...args, '--sources', SOURCES], { env, input, encoding: 'utf8' });

const request = (name, headers, body, query = '') => {
  const path = `/webhooks/${name}${query && `?${query}`}`;
  return { text: body, headers, path, url: `https://hooks.example.com${path}`, secret: secret(name) };
};
const changed = (body) => {
  if (!body.includes('sample')) throw new Error('nothing to change in the body');
  return body.replace('sample', 'simple');
};
const accepts = async (verify, r) => {
  try { return [await verify(r) === true, '']; } catch (error) { return [false, String(error.message ?? error).split('\n')[0]]; }
};
const report = (name, direction, problem) => {
  const { sdk } = senders[name];
  console.log(`${problem ? 'FAIL' : 'ok'}  ${name.padEnd(24)} ${`npm ${sdk} ${versions[sdk]}`.padEnd(42)} ${direction}${problem ? `: ${problem}` : ''}`);
};

const folder = mkdtempSync(join(tmpdir(), 'hookwell-sdks-'));
const asked = [];
for (const [name, sender] of Object.entries(senders)) {
  const body = typeof sender.body === 'function' ? sender.body() : sender.body ?? AWKWARD;
  const file = join(folder, name);
  writeFileSync(file, body);
  let problem;
  try {
    const signed = JSON.parse(hookwell(['sign', name, '--data', file]));
    const headers = Object.fromEntries(Object.entries(signed.headers).map(([key, value]) => [key.toLowerCase(), value]));
    if (!Buffer.from(signed.body_base64, 'base64').equals(Buffer.from(body))) problem = 'hookwell sign changed the body';
    const [isGood, why] = await accepts(sender.verify, request(name, headers, body, signed.query));
    const [isBad] = await accepts(sender.verify, request(name, headers, changed(body), signed.query));
    if (!isGood) problem = `theirs refuses ours ${why}`;
    if (isBad) problem = 'theirs accepts a changed body';
  } catch (error) {
    problem = error.message;
  }
  report(name, 'ours signs, theirs verifies', problem);
  if (!sender.sign) continue;
  const query = sender.query?.({ text: body }) ?? '';
  const headers = { ...sender.headers, ...await sender.sign(request(name, {}, body, query)) };
  const line = (text) => JSON.stringify({ source: name, method: 'POST', query, headers, body_base64: Buffer.from(text).toString('base64') });
  asked.push({ name, lines: [line(body), line(changed(body))] });
}
rmSync(folder, { recursive: true });

const answers = hookwell(['verify'], asked.flatMap(({ lines }) => lines).join('\n')).trim().split('\n').map((line) => JSON.parse(line));
for (const [index, { name }] of asked.entries()) {
  const [good, bad] = answers.slice(2 * index);
  const problem = !good.verified || good.status >= 300 ? `ours refuses theirs: ${JSON.stringify(good)}`
    : bad.verified ? 'ours accepts a changed body' : undefined;
  report(name, 'theirs signs, ours verifies', problem);
}
