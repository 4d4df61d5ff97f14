// The page of `hookwell dev`, used as a person uses it, in a real Chromium. Prints a line for each sentence that holds.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const { HOOKWELL, CHROMIUM, PROFILE, SCREENSHOTS } = process.env;
const SOURCES = ['resource', 'generic', 'stonal', 'plain'];
const SECRET = 'the-secret-that-no-page-shows';

const machine = spawn(HOOKWELL, ['dev', '--port', '0', '--json'], {
  stdio: ['ignore', 'pipe', 'ignore'],
  env: { ...process.env, HOOKWELL_SECRET_RESOURCE: SECRET },
});
const [line] = await new Promise((done) => createInterface(machine.stdout).once('line', (text) => done([text])));
const { url, dynamodb_endpoint: tables, documents_table: documents } = JSON.parse(line);

const browser = await chromium.launchPersistentContext(PROFILE, {
  executablePath: CHROMIUM,
  headless: true,
  viewport: { width: 1280, height: 800 },
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
  ],
});
const page = browser.pages()[0] ?? (await browser.newPage());
const complaints = [];
page.on('pageerror', (error) => complaints.push(String(error)));
page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));

const see = (text) => page.getByText(text).first().waitFor();
const press = (name) => page.getByRole('button', { name, exact: true }).click();
const open = (path) => page.goto(url + path);
const view = (name) => page.getByRole('navigation').getByRole('link', { name }).click();
const rows = () => page.locator('table.list tbody tr');
const leads = () => page.locator('.lead').innerText();
const becomes = async (selector, text) => page.locator(selector, { hasText: text }).first().waitFor();

async function table(operation, more) {
  const answer = await fetch(tables, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-date': '20261121T000000Z',
      'x-amz-target': `DynamoDB_20120810.${operation}`,
      authorization: 'AWS4-HMAC-SHA256 Credential=local/20261121/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=local',
    },
    body: JSON.stringify({ TableName: documents, ...more }),
  });
  assert.equal(answer.status, 200, await answer.text());
}

/** A documents table with that key. The handler can write to one with `pk` only. */
async function newDocumentsTable(key) {
  await table('DeleteTable');
  await table('CreateTable', {
    KeySchema: [{ AttributeName: key, KeyType: 'HASH' }],
    AttributeDefinitions: [{ AttributeName: key, AttributeType: 'S' }],
    BillingMode: 'PAY_PER_REQUEST',
  });
}

async function shoot(name) {
  if (!SCREENSHOTS) return;
  await page.screenshot({ path: `${SCREENSHOTS}/${name}-1280.png` });
  await page.setViewportSize({ width: 320, height: 800 });
  await page.screenshot({ path: `${SCREENSHOTS}/${name}-320.png`, fullPage: true });
  await page.setViewportSize({ width: 1280, height: 800 });
}

const steps = {
  'a newcomer is told what to do': async () => {
    await open('/');
    await see('Nothing arrived yet.');
    await shoot('empty');
  },

  'a sample of each source is sent and applied': async () => {
    for (const source of SOURCES) {
      await view('Send');
      await press(`Create ${source}`);
      await becomes('.lead', 'applied');
      assert.match(await leads(), /200/);
      await becomes('.timeline', 'received');
      await becomes('.timeline', 'answered 200');
    }
    await shoot('delivery');
    await view('Deliveries');
    assert.equal(await rows().count(), SOURCES.length);
    for (const source of SOURCES) await rows().filter({ hasText: source }).filter({ hasText: 'applied' }).waitFor();
  },

  'a change and a deletion are applied too': async () => {
    for (const button of ['Update generic', 'Delete generic']) {
      await view('Send');
      await press(button);
      await becomes('.lead', 'applied');
    }
    await view('Documents');
    await rows().filter({ hasText: 'generic' }).filter({ hasText: 'deleted' }).waitFor();
  },

  'a forged one is refused, and the page says why': async () => {
    await view('Send');
    await press('Forged resource');
    assert.match(await leads(), /401.*unverified/);
    await see('Why it was refused');
    await see('made with a secret that is not here, or over another body');
    await shoot('forged');
    await view('Send');
    await press('Forged plain');
    assert.match(await leads(), /403/);
    await see('203.0.113.7 is not among the addresses that may send');
  },

  'a delivery sent again is a duplicate': async () => {
    await view('Send');
    await press('Create generic');
    await becomes('.lead', 'applied');
    await press('Send again, signed anew');
    await becomes('.lead', 'duplicate');
  },

  'what arrives shows up by itself, newest first': async () => {
    await open('/');
    const before = await rows().count();
    const body = JSON.stringify({ event: 'asset.created', data: { id: 'live-1', name: 'Ada' } });
    await fetch(`${url}/webhooks/plain`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    await rows().first().filter({ hasText: 'live-1' }).filter({ hasText: 'applied' }).waitFor();
    assert.equal(await rows().count(), before + 1);
  },

  'search and filters are in the address and survive a reload': async () => {
    await open('/');
    await page.locator('select[name=source]').selectOption('plain');
    await page.getByLabel('Search').fill('live-1');
    await page.waitForURL(/q=live-1&source=plain/);
    await page.waitForFunction(() => document.querySelectorAll('table.list tbody tr').length === 1);
    await page.reload();
    assert.equal(await rows().count(), 1);
    assert.equal(await page.getByLabel('Search').inputValue(), 'live-1');
    await page.getByRole('link', { name: 'Show all' }).click();
    await page.locator('select[name=outcome]').selectOption('unverified');
    await page.waitForFunction(() => document.querySelectorAll('table.list tbody tr').length === 1);
    await page.locator('select[name=outcome]').selectOption('');
    await page.locator('select[name=status]').selectOption('403');
    await page.waitForFunction(() => document.querySelectorAll('table.list tbody tr').length === 1);
  },

  'a document shows its state and the event that made it': async () => {
    await view('Documents');
    await page.getByLabel('Search').fill('live-1');
    await page.waitForFunction(() => document.querySelectorAll('table.list tbody tr').length === 1);
    await page.getByRole('link', { name: 'live-1' }).click();
    await see('"name": "Ada"');
    await shoot('document');
    await page.getByRole('link', { name: /^event / }).click();
    await becomes('.lead', 'applied');
  },

  'a handler that fails leaves a dead letter with its reason, and redriven it is applied': async () => {
    await newDocumentsTable('other');
    await view('Send');
    await press('Create resource');
    await becomes('.lead', 'rejected');
    await view('Dead letters');
    await see('the documents table refuses the document');
    await shoot('dead-letter');
    await newDocumentsTable('pk');
    await press('Put back');
    await see('1 put back into the queue.');
    await see('Nothing failed.');
    await view('Deliveries');
    await rows().first().filter({ hasText: 'resource' }).filter({ hasText: 'applied' }).waitFor();
    await rows().first().getByRole('link').click();
    await becomes('.timeline', 'put back');
  },

  'many dead letters go back only after a question': async () => {
    for (const id of ['one', 'two']) {
      await view('Send');
      await page.locator('select[name=source]').selectOption('generic');
      const body = { id: `evt_${id}`, type: 'asset.created', created_at: '2026-11-21T09:00:00Z', data: { name: 'nobody' } };
      await page.getByLabel('Body').fill(JSON.stringify(body));
      await press('Sign and send');
      await becomes('.lead', 'rejected');
    }
    await view('Dead letters');
    await page.getByText('2 dead letters').waitFor();
    await page.getByRole('link', { name: 'put all back' }).click();
    await see('events back into the queue, to be applied again?');
    await shoot('question');
    await page.getByRole('link', { name: 'Leave them' }).click();
    await page.getByText('2 dead letters').waitFor();
    await page.getByRole('link', { name: 'put all back' }).click();
    await press('Put 2 back');
    await see('2 put back into the queue.');
  },

  'everything can be done with a keyboard': async () => {
    await open('/');
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the content');
    const reach = async (name) => {
      for (let presses = 0; presses < 60; presses += 1) {
        await page.keyboard.press('Tab');
        const at = await page.evaluate(() => {
          const one = document.activeElement;
          return one.getAttribute('aria-label') ?? one.textContent;
        });
        if (at === name) return;
      }
      assert.fail(`${name} is not reached`);
    };
    await reach('Send');
    await page.keyboard.press('Enter');
    await page.waitForURL(/send$/);
    await reach('Update stonal');
    await page.keyboard.press('Enter');
    await becomes('.lead', 'applied');
    await open('/');
    await page.keyboard.press('/');
    await page.keyboard.type('stonal');
    await page.waitForURL(/q=stonal/);
  },

  'the focus stays on its line while others arrive': async () => {
    await open('/');
    const link = rows().first().getByRole('link');
    const address = await link.getAttribute('href');
    await link.focus();
    const body = JSON.stringify({ event: 'asset.created', data: { id: 'live-2' } });
    await fetch(`${url}/webhooks/plain`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    await rows().first().filter({ hasText: 'live-2' }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute('href')), address);
  },

  'at 320 px no page scrolls sideways': async () => {
    const long = 'w'.repeat(300);
    const body = JSON.stringify({ event: `asset${long}.created`, data: { id: long, name: long } });
    await fetch(`${url}/webhooks/plain`, { method: 'POST', headers: { 'content-type': 'application/json', 'x-long': long }, body });
    await page.setViewportSize({ width: 320, height: 640 });
    await open('/');
    const delivery = await rows().first().getByRole('link').getAttribute('href');
    for (const path of ['/', delivery, '/documents', '/dead-letters', '/send', '/deliveries/1', '/?q=nothing']) {
      await open(path);
      const [width, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(width <= room, `${path} is ${width} px wide`);
    }
    await page.setViewportSize({ width: 1280, height: 800 });
  },

  'it is dark and light as the system is': async () => {
    await open('/');
    const back = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.emulateMedia({ colorScheme: 'light' });
    const light = await back();
    await shoot('list-light');
    await page.emulateMedia({ colorScheme: 'dark' });
    assert.notEqual(await back(), light);
    await shoot('list-dark');
    await page.emulateMedia({ colorScheme: null });
  },

  'what a sender writes never becomes part of the page': async () => {
    const bad = '<script>document.title = "owned"</script><img src=x onerror="document.title = \'owned\'">';
    const body = JSON.stringify({ event: `asset${bad}.created`, data: { id: bad, name: bad } });
    await fetch(`${url}/webhooks/plain`, { method: 'POST', headers: { 'content-type': 'application/json', 'x-bad': bad }, body });
    for (const path of ['/', '/documents', '/dead-letters']) {
      await open(path);
      assert.equal(await page.locator('main script, main img').count(), 0, path);
      assert.doesNotMatch(await page.title(), /^owned/);
    }
    await open('/');
    await rows().first().getByRole('link').click();
    await becomes('h2', 'Timeline');
    assert.equal(await page.locator('main script, main img').count(), 0);
  },

  'no page shows a secret or a signature': async () => {
    await open('/');
    const numbers = await page.$$eval('td.time a', (all) => all.map((one) => one.getAttribute('href')));
    assert.ok(numbers.length > 10);
    for (const path of ['/', '/documents', '/dead-letters', '/send', ...numbers]) {
      const answer = await fetch(url + path);
      const text = await answer.text();
      assert.ok(!text.includes(SECRET), `${path} shows the secret`);
      assert.doesNotMatch(text, /\b[0-9a-f]{64}\b/, `${path} shows a signature`);
    }
  },

  'the browser had nothing to complain about': async () => {
    assert.deepEqual(complaints.filter((text) => !/status of (401|403|404)/.test(text)), []);
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
    if (SCREENSHOTS) await page.screenshot({ path: `${SCREENSHOTS}/failed-${failed}.png`, fullPage: true });
  }
}
await browser.close();
machine.kill('SIGINT');
console.log(`${Object.keys(steps).length - failed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
