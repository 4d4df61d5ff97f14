// A web page of somebody else in a real Chromium, on the machine that runs `hookwell dev`: it reads nothing and changes
// nothing. Prints a line for each sentence that holds.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { openBrowser, startMachine, tables } from './machine.mjs';

// A page whose name its owner made to point here after it was loaded (DNS rebinding).
const REBOUND = 'rebound.example';

const machine = await startMachine([], {});
const { url, dynamodb_endpoint, sqs_endpoint, s3_endpoint, events_table, documents_table, queue_url } = machine;
const browser = await openBrowser(`--host-resolver-rules=MAP ${REBOUND} 127.0.0.1`);
const page = browser.pages()[0] ?? (await browser.newPage());
const table = tables(machine);

const foreign = createServer((_, answer) => answer.setHeader('content-type', 'text/html').end('<title>foreign</title>'));
foreign.listen(0, '127.0.0.1');
await once(foreign, 'listening');
const { port } = foreign.address();

const signed = {
  'x-amz-date': '20261121T000000Z',
  authorization:
    'AWS4-HMAC-SHA256 Credential=local/20261121/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=local',
};
const aws = (endpoint, target, request) => ({
  to: endpoint,
  method: 'POST',
  headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': target, ...signed },
  body: JSON.stringify(request),
});
const plain = JSON.stringify({ event: 'asset.created', data: { id: 'forged' } });
const READS = [
  { to: url, path: '/' },
  { to: url, path: '/documents' },
  { to: url, path: '/send' },
  { to: url, path: '/_hookwell' },
  { to: s3_endpoint, path: '/hookwell/there' },
  aws(dynamodb_endpoint, 'DynamoDB_20120810.ListTables', {}),
  aws(dynamodb_endpoint, 'DynamoDB_20120810.Scan', { TableName: documents_table }),
  aws(sqs_endpoint, 'AmazonSQS.ListQueues', {}),
];
const CHANGES = [
  aws(dynamodb_endpoint, 'DynamoDB_20120810.DeleteTable', { TableName: documents_table }),
  aws(dynamodb_endpoint, 'DynamoDB_20120810.PutItem', { TableName: events_table, Item: { pk: { S: 'forged' } } }),
  aws(sqs_endpoint, 'AmazonSQS.SendMessage', { QueueUrl: queue_url, MessageBody: 'forged' }),
  { to: s3_endpoint, path: '/hookwell/forged', method: 'PUT', body: 'forged' },
  { to: url, path: '/webhooks/plain', method: 'POST', headers: { 'content-type': 'application/json' }, body: plain },
  { to: url, path: '/webhooks/plain', method: 'POST', headers: { 'content-type': 'text/plain' }, body: plain },
  {
    to: url,
    path: '/send',
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'source=plain&what=create',
  },
];

/** What the open page can read of an answer: its status and text, or nothing. */
const read = (address, { method = 'GET', headers, body }, mode) =>
  page.evaluate(
    async ([to, init]) => {
      try {
        const answer = await fetch(to, init);
        return answer.type === 'opaque' ? null : { status: answer.status, text: await answer.text() };
      } catch {
        return null;
      }
    },
    [address, { method, headers, body, mode }],
  );

/** Posts a form of the open page, as a button on it does. */
const submit = async (address, fields, type) => {
  await page.evaluate(
    ([action, fields, type]) => {
      const frame = Object.assign(document.createElement('iframe'), { name: 'hidden' });
      const form = Object.assign(document.createElement('form'), { method: 'post', action, target: 'hidden', enctype: type });
      for (const [name, value] of Object.entries(fields)) form.append(Object.assign(document.createElement('input'), { name, value }));
      document.body.append(frame, form);
      form.submit();
      return new Promise((done) => { frame.onload = done; setTimeout(done, 2000); });
    },
    [address, fields, type],
  );
};

const untouched = async () => {
  // What was taken by mistake would be in the tables by now.
  await new Promise((done) => setTimeout(done, 500));
  const { TableNames } = await table('ListTables', {});
  assert.deepEqual(TableNames.sort(), [documents_table, events_table].sort());
  for (const name of TableNames) assert.equal((await table('Scan', { TableName: name })).Count, 0, name);
  const answer = await fetch(sqs_endpoint, {
    method: 'POST',
    headers: { 'x-amz-target': 'AmazonSQS.GetQueueAttributes' },
    body: JSON.stringify({ QueueUrl: queue_url, AttributeNames: ['All'] }),
  });
  const { Attributes } = await answer.json();
  assert.equal(Attributes.ApproximateNumberOfMessages, '0');
  assert.equal(Attributes.ApproximateNumberOfMessagesNotVisible, '0');
  assert.equal((await fetch(`${s3_endpoint}/hookwell/forged`)).status, 404);
  assert.doesNotMatch(await (await fetch(url)).text(), /forged|sample-1/);
};

const steps = {
  'a page of another site reads nothing': async () => {
    await page.goto(`http://localhost:${port}/`);
    for (const mode of ['cors', 'no-cors']) {
      for (const one of READS) {
        const got = await read(one.to + (one.path ?? '/'), one, mode);
        assert.equal(got, null, `${one.to}${one.path ?? ''} ${one.headers?.['x-amz-target'] ?? ''}: ${JSON.stringify(got)}`);
      }
    }
  },

  'a page of another site changes nothing': async () => {
    for (const mode of ['cors', 'no-cors']) {
      for (const one of CHANGES) assert.equal(await read(one.to + (one.path ?? '/'), one, mode), null);
    }
    await untouched();
  },

  'nor do its forms': async () => {
    await submit(`${url}/send`, { source: 'plain', what: 'create' }, 'application/x-www-form-urlencoded');
    await submit(`${url}/dead-letters/redrive`, { id: 'one' }, 'application/x-www-form-urlencoded');
    await submit(`${url}/webhooks/plain`, { [plain.slice(0, -1) + ',"x":"']: '"}' }, 'text/plain');
    await submit(dynamodb_endpoint, { '{"TableName":"': `${documents_table}"}` }, 'text/plain');
    await untouched();
  },

  'nor does another port of this machine': async () => {
    await page.goto(`http://127.0.0.1:${port}/`);
    for (const mode of ['cors', 'no-cors']) {
      for (const one of [...READS, ...CHANGES]) {
        assert.equal(await read(one.to + (one.path ?? '/'), one, mode), null, one.path);
      }
    }
    await submit(`${url}/send`, { source: 'plain', what: 'create' }, 'application/x-www-form-urlencoded');
    await untouched();
  },

  'a name that was made to point here reads and changes nothing': async () => {
    for (const endpoint of [url, dynamodb_endpoint, sqs_endpoint, s3_endpoint]) {
      const rebound = endpoint.replace('127.0.0.1', REBOUND);
      await page.goto(`${rebound}/nothing`);
      for (const one of [...READS, ...CHANGES].filter((one) => one.to === endpoint)) {
        const got = await read(rebound + (one.path ?? '/'), one, 'same-origin');
        assert.equal(got?.status, 403, `${rebound}${one.path ?? ''}: ${JSON.stringify(got)}`);
      }
    }
    await untouched();
  },

  'no other page holds ours in a frame': async () => {
    await page.goto(`http://localhost:${port}/`);
    await page.evaluate((source) => {
      const frame = Object.assign(document.createElement('iframe'), { src: source });
      document.body.append(frame);
      return new Promise((done) => { frame.onload = done; setTimeout(done, 2000); });
    }, url);
    for (const frame of page.frames().slice(1)) assert.doesNotMatch(await frame.content(), /Deliveries/);
  },

  'a link to the page can be followed': async () => {
    await page.evaluate((to) => { document.body.innerHTML = `<a href="${to}">there</a>`; }, url);
    await page.getByRole('link', { name: 'there' }).click();
    await page.getByText('Nothing arrived yet.').waitFor();
  },
};

let failed = 0;
page.setDefaultTimeout(15_000);
for (const [sentence, step] of Object.entries(steps)) {
  try {
    await step();
    console.log(`ok ${sentence}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${sentence}\n${error.stack}`);
  }
}
await browser.close();
foreign.close();
await machine.stop();
console.log(`${Object.keys(steps).length - failed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
