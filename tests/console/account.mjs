// The page of `hookwell console` over an account with more records than it reads at once, in a real Chromium. Prints a line
// for each sentence that holds.
import assert from 'node:assert/strict';
import { openBrowser, startConsole, startMachine, tables } from './machine.mjs';

const { SCREENSHOTS } = process.env;
// More than the page reads at once (NEWEST in fill.rs), by as many as it must still be asked for.
const OLD = 10_005;
const LONG = 'w'.repeat(200);
const BAD = '<script>document.title = "owned"</script><img src=x onerror="document.title = \'owned\'">';

const machine = await startMachine([]);
const table = tables(machine);
const post = (source, body) =>
  fetch(`${machine.url}/webhooks/${source}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
const records = async () => (await table('Scan', { TableName: machine.events_table })).Items;

/** Waits until that many events have ended. */
async function ended(count) {
  for (;;) {
    const done = (await records()).filter((item) => item.finished_at);
    if (done.length === count) return;
    await new Promise((next) => setTimeout(next, 50));
  }
}

// Long and hostile ones, one that is rejected, and one that becomes many.
await post('plain', { event: 'asset.created', data: { id: 'asset-1', name: 'Ada' } });
await post('plain', { event: `asset${LONG}.created`, data: { id: LONG, name: LONG } });
await post('plain', { event: `asset${BAD}.created`, data: { id: BAD, name: BAD } });
await post('plain', { event: 'asset.created', data: { no: 'id' } });
await ended(4);
const model = (await records()).find((item) => item.event_id && item.document_id.S === 'asset-1');
for (let from = 0; from < OLD; from += 25) {
  const puts = [];
  for (let number = from; number < Math.min(from + 25, OLD); number += 1) {
    const received_at = { N: String(Number(model.received_at.N) - 1000 * (number + 1)) };
    const changed = { pk: { S: `plain#old-${number}` }, event_id: { S: `old-${number}.` }, received_at, shard: { N: String(number % 16) } };
    puts.push({ PutRequest: { Item: { ...model, ...changed } } });
  }
  await table('BatchWriteItem', { RequestItems: { [machine.events_table]: puts } });
}
const documents = (await table('Scan', { TableName: machine.documents_table })).Items;
for (let from = 0; from < 150; from += 25) {
  const puts = [];
  for (let number = from; number < from + 25; number += 1) {
    const changed = { pk: { S: `plain#asset#many-${number}` }, document_id: { S: `many-${number}` } };
    puts.push({ PutRequest: { Item: { ...documents[0], ...changed } } });
  }
  await table('BatchWriteItem', { RequestItems: { [machine.documents_table]: puts } });
}

const account = await startConsole(machine);
const browser = await openBrowser();
const page = browser.pages()[0] ?? (await browser.newPage());
const complaints = [];
page.on('pageerror', (error) => complaints.push(String(error)));
page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
const see = (text) => page.getByText(text).first().waitFor();
const press = (name) => page.getByRole('button', { name, exact: true }).click();
const open = (path) => page.goto(new URL(path, account.url).href);
const view = (name) => page.getByRole('navigation').getByRole('link', { name }).click();

/** Pictures of a view, dark and light, as wide as a desk and as a phone. */
async function shoot(name) {
  if (!SCREENSHOTS) return;
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    for (const [width, height] of [[1280, 800], [390, 844]]) {
      await page.setViewportSize({ width, height });
      await page.screenshot({ path: `${SCREENSHOTS}/account-${name}-${colorScheme}-${width}.png` });
    }
  }
  await page.emulateMedia({ colorScheme: null });
  await page.setViewportSize({ width: 1280, height: 800 });
}

const steps = {
  'nobody sees an account without the secret of its address': async () => {
    const answer = await fetch(new URL('/', account.url));
    assert.equal(answer.status, 403);
  },

  'the newest events of an account come first, and older ones when they are asked for': async () => {
    await page.goto(account.url);
    await see(/10\s000 events/);
    await shoot('newest');
    await open('/?q=old-10004.');
    await see('Nothing fits');
    await open('/');
    await press('Read older ones');
    await see(/10\s009 events/);
    assert.equal(await page.getByRole('button', { name: 'Read older ones' }).count(), 0);
    await open('/?q=old-10004.');
    await see(/1 of 10\s009 event/);
  },

  'an event that comes is seen without a hand': async () => {
    await open('/');
    await see(/10\s009 events/);
    await post('plain', { event: 'asset.updated', data: { id: 'asset-1', name: 'Eve' } });
    await see(/10\s010 events/);
  },

  'a dead letter is seen in the navigation and goes back': async () => {
    await view('Dead letters');
    await see('the event names no document');
    await shoot('letters');
    await press('Put back');
    await see('1 put back into the queue.');
  },

  'all documents are seen, page by page': async () => {
    await view('Documents');
    await see('100 on this page');
    await shoot('documents');
    await page.getByRole('link', { name: 'More' }).click();
    await see('53 on this page');
    assert.equal(await page.getByRole('link', { name: 'More' }).count(), 0);
    await open('/documents?q=many-14');
    await see('11 on this page');
  },

  'sources, an event and a document fit a phone': async () => {
    for (const [name, path] of Object.entries({ sources: '/sources', list: '/', letters: '/dead-letters', documents: '/documents' })) {
      await open(path);
      await shoot(name);
      await page.setViewportSize({ width: 390, height: 844 });
      const [width, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(width <= room, `${path} is ${width} px wide`);
      await page.setViewportSize({ width: 1280, height: 800 });
      assert.equal(await page.locator('main script, main img').count(), 0, path);
      assert.doesNotMatch(await page.title(), /^owned/);
    }
  },

  'the browser had nothing to complain about': async () => {
    assert.deepEqual(complaints, []);
  },
};

let failed = 0;
page.setDefaultTimeout(30_000);
for (const [sentence, step] of Object.entries(steps)) {
  try {
    await step();
    console.log(`ok ${sentence}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${sentence}\n${error.stack}`);
    if (SCREENSHOTS) await page.screenshot({ path: `${SCREENSHOTS}/account-failed-${failed}.png`, fullPage: true });
  }
}
await browser.close();
await account.stop();
await machine.stop();
console.log(`${Object.keys(steps).length - failed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
