// A secret of each sender, and the headers of a body that is signed with it.
import { createHmac } from 'node:crypto';

export const hmac = (key, content, encoding) => createHmac('sha256', key).update(content).digest(encoding);
const seconds = () => Math.floor(Date.now() / 1000);
const url = (name) => `https://hooks.example.com/webhooks/${name}`;

const KEY = 'a-secret-of-some-length-0123456789';
export const HEX = Buffer.from(KEY).toString('hex');
const WHSEC = `whsec_${Buffer.from(KEY).toString('base64')}`;

const standard = (prefix, secret = WHSEC) => ({
  secret,
  sign: (body, at = seconds()) => ({
    [`${prefix}-id`]: 'msg_1', [`${prefix}-timestamp`]: String(at),
    [`${prefix}-signature`]: `v1,${hmac(KEY, `msg_1.${at}.${body}`, 'base64')}`,
  }),
});

export const signing = {
  adyen: { secret: HEX, sign: () => ({}) }, // its signature is in the body
  'adyen-platform': { secret: HEX, sign: (body) => ({ HmacSignature: hmac(KEY, body, 'base64') }) },
  anthropic: standard('webhook'),
  clerk: standard('svix'),
  github: { secret: KEY, sign: (body) => ({ 'X-Hub-Signature-256': `sha256=${hmac(KEY, body, 'hex')}` }) },
  'hubspot-v3': {
    secret: KEY,
    sign: (body, at = Date.now()) => ({
      'X-HubSpot-Request-Timestamp': String(at),
      'X-HubSpot-Signature-v3': hmac(KEY, `POST${url('hubspot-v3')}${body}${at}`, 'base64'),
    }),
  },
  openai: standard('webhook'),
  paddle: { secret: KEY, sign: (body, at = seconds()) => ({ 'Paddle-Signature': `ts=${at};h1=${hmac(KEY, `${at}:${body}`, 'hex')}` }) },
  polar: standard('webhook', KEY),
  resend: standard('svix'),
  shopify: { secret: KEY, sign: (body) => ({ 'X-Shopify-Hmac-SHA256': hmac(KEY, body, 'base64') }) },
  square: { secret: KEY, sign: (body) => ({ 'x-square-hmacsha256-signature': hmac(KEY, url('square') + body, 'base64') }) },
  stripe: { secret: KEY, sign: (body, at = seconds()) => ({ 'Stripe-Signature': `t=${at},v1=${hmac(KEY, `${at}.${body}`, 'hex')}` }) },
  workos: { secret: KEY, sign: (body, at = Date.now()) => ({ 'WorkOS-Signature': `t=${at}, v1=${hmac(KEY, `${at}.${body}`, 'hex')}` }) },
};
