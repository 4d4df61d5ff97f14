// The page of `hookwell dev`, used as a person uses it, in a real Chromium. Prints a line for each sentence that holds.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { openBrowser, startMachine, tables } from './machine.mjs';

const { SCREENSHOTS } = process.env;
const SOURCES = ['resource', 'generic', 'stonal', 'plain'];
const SECRET = 'the-secret-that-no-page-shows';

const machine = await startMachine([], { HOOKWELL_SECRET_RESOURCE: SECRET });
const { url, documents_table: documents } = machine;
const browser = await openBrowser();
const page = browser.pages()[0] ?? (await browser.newPage());
await browser.grantPermissions(['clipboard-read', 'clipboard-write']);
const complaints = [];
page.on('pageerror', (error) => complaints.push(String(error)));
page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));

const table = tables(machine);
const see = (text) => page.getByText(text).first().waitFor();
const press = (name) => page.getByRole('button', { name, exact: true }).click();
const open = (path) => page.goto(url + path);
const view = (name) => page.getByRole('navigation').getByRole('link', { name }).click();
const rows = () => page.locator('table.list tbody tr');
const leads = () => page.locator('.lead').innerText();
const becomes = async (selector, text) => page.locator(selector, { hasText: text }).first().waitFor();

/** A documents table with that key. The handler can write to one with `pk` only. */
async function newDocumentsTable(key) {
  const { TableNames: all } = await table('ListTables', {});
  if (all.includes(documents)) await table('DeleteTable', { TableName: documents });
  await table('CreateTable', {
    TableName: documents,
    KeySchema: [{ AttributeName: key, KeyType: 'HASH' }],
    AttributeDefinitions: [{ AttributeName: key, AttributeType: 'S' }],
    BillingMode: 'PAY_PER_REQUEST',
  });
}

async function shoot(name) {
  if (!SCREENSHOTS) return;
  for (const [width, height] of [[1280, 800], [390, 844], [320, 800]]) {
    await page.setViewportSize({ width, height });
    await page.screenshot({ path: `${SCREENSHOTS}/${name}-${width}.png`, fullPage: width < 1280 });
  }
  await page.setViewportSize({ width: 1280, height: 800 });
}

const plain = (data) =>
  fetch(`${url}/webhooks/plain`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ event: 'asset.created', data }),
  });

/** A time in the form of a field for minutes, so many minutes from now. */
const minute = (more) => new Date(Date.now() + more * 60_000).toISOString().slice(0, 16);

const steps = {
  'a newcomer is told what to do': async () => {
    await open('/');
    await see('Nothing arrived yet.');
    await shoot('empty');
    await view('Send');
    await see('A body of your own');
    await shoot('send');
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

  'a forged one is refused': async () => {
    await view('Send');
    await press('Forged resource');
    assert.match(await leads(), /401.*unverified/);
    await view('Deliveries');
    await rows().first().filter({ hasText: 'resource' }).filter({ hasText: 'unverified' }).waitFor();
  },

  'the page says why it was refused': async () => {
    await rows().first().getByRole('link').click();
    await see('Why it was refused');
    await see('Another secret, another body and a way of signing that was not tried look the same from here');
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

  'a document shows its history': async () => {
    await plain({ id: 'story-1', name: 'first' });
    await plain({ id: 'story-1', name: 'second' });
    await plain({ id: 'story-2', name: 'another' });
    await open('/documents?q=story-1');
    await rows().filter({ hasText: 'second' }).getByRole('link').click();
    const history = page.locator('table.history tbody tr');
    assert.equal(await history.count(), 2);
    await history.first().filter({ hasText: 'applied' }).filter({ hasText: 'made this state' }).waitFor();
    await shoot('history');
    await history.last().getByRole('link').click();
    await becomes('.timeline', 'received');
  },

  'a delivery is copied as JSON line, curl, body and URL': async () => {
    const copy = async (name) => {
      await page.getByRole('link', { name, exact: true }).click();
      await page.getByRole('link', { name: 'Copied' }).waitFor();
      await page.getByRole('link', { name, exact: true }).waitFor();
      return page.evaluate(() => navigator.clipboard.readText());
    };
    await view('Send');
    await press('Create resource');
    await becomes('.lead', 'applied');
    const address = page.url();
    const line = JSON.parse(await copy('JSON line'));
    assert.deepEqual([line.source, line.outcome, line.status], ['resource', 'applied', 200]);
    const body = await copy('Body');
    assert.equal(Buffer.from(line.body_base64, 'base64').toString(), body);
    assert.equal(await copy('URL'), `${url}/webhooks/resource`);
    const curl = await copy('curl');
    for (const text of [JSON.stringify(line), body, curl]) assert.ok(!text.includes(SECRET));
    assert.match(execFileSync('sh', ['-c', curl], { encoding: 'utf8' }), /200 OK[^]*duplicate/);
    assert.equal(page.url(), address);
  },

  'a curl command of a hostile delivery does nothing else': async () => {
    const body = `{"event":"asset.created","data":{"id":"it's $(touch $HOME/owned) \\\\"}}\n`;
    const sent = await fetch(`${url}/webhooks/plain?token=${SECRET}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-bad': `'; touch $HOME/owned; '`, authorization: 'Bearer of-somebody' },
      body,
    });
    assert.equal(sent.status, 200);
    await open('/');
    await rows().first().filter({ hasText: 'owned' }).waitFor();
    const path = await rows().first().getByRole('link').getAttribute('href');
    const text = await (await fetch(`${url}${path}/copy/curl`)).text();
    assert.ok(!text.includes(SECRET) && !text.includes('of-somebody'), text);
    const seen = execFileSync('sh', ['-c', `curl() { for one; do printf '<%s>\n' "$one"; done; }\n${text}`], { encoding: 'utf8' });
    assert.ok(seen.includes(`<${body}>`) && seen.includes(`<x-bad: '; touch $HOME/owned; '>`), seen);
    assert.equal((await fetch(`${url}${path}/copy/else`)).status, 400);
  },

  'paused, the list holds still until it may go on': async () => {
    await open('/');
    await press('Pause');
    const before = await rows().count();
    await plain({ id: 'paused-1' });
    await page.waitForTimeout(1500);
    assert.equal(await rows().count(), before);
    await shoot('paused');
    await press('Go on');
    await rows().first().filter({ hasText: 'paused-1' }).waitFor();
    await press('Pause');
    await page.getByLabel('Search').fill('paused-1');
    await page.waitForFunction(() => document.querySelectorAll('table.list tbody tr').length === 1);
  },

  'a date range leaves out what came before and after, and the charts follow': async () => {
    await open('/');
    const shown = () => page.locator('figure b').first().innerText();
    const all = await rows().count();
    assert.equal(await shown(), String(all));
    await page.locator('select[name=source]').selectOption('stonal');
    await page.waitForFunction(() => document.querySelector('figure b').innerText === '1');
    await page.locator('select[name=source]').selectOption('');
    await page.getByLabel('From, UTC').fill(minute(-5));
    await page.waitForURL(/from=2/);
    await page.waitForFunction((all) => document.querySelector('figure b').innerText === all, String(all));
    await see(/^Deliveries, 20..-..-.. ..:.. – ..:../);
    await shoot('range');
    await page.getByLabel('To, UTC').fill(minute(-5));
    await see('Nothing fits.');
    assert.equal(await shown(), '0');
    await page.reload();
    assert.match(await page.getByLabel('To, UTC').inputValue(), /^20..-..-..T..:..$/);
    await see('Nothing fits.');
    await page.getByRole('link', { name: 'Show all' }).first().click();
    assert.equal(await rows().count(), all);
    assert.equal((await fetch(`${url}/?from=yesterday`)).status, 400);
  },

  'each source has its health': async () => {
    await view('Sources');
    const line = (source) => rows().filter({ has: page.getByRole('link', { name: source, exact: true }) });
    await line('resource').filter({ hasText: 'some failed' }).filter({ hasText: 'unverified' }).waitFor();
    await line('stonal').filter({ hasText: 'healthy' }).waitFor();
    await shoot('sources');
    await view('Send');
    await press('Forged stonal');
    await view('Sources');
    await line('stonal').filter({ hasText: 'failing' }).waitFor();
    await page.getByRole('link', { name: 'stonal', exact: true }).click();
    await page.waitForURL(/source=stonal/);
    assert.equal(await rows().count(), 2);
  },

  'a failed try is told, and when the next one is': async () => {
    await table('DeleteTable', { TableName: documents });
    await view('Send');
    await press('Create generic');
    await becomes('.timeline', 'failed on try 1');
    await becomes('.timeline', 'next is try 2 of 3');
    await shoot('retrying');
    await newDocumentsTable('pk');
    await becomes('.lead', 'applied');
    await becomes('.timeline', 'applied on try 2');
  },

  'the handler breaks, and what it is given is rejected': async () => {
    await newDocumentsTable('other');
    await view('Send');
    await press('Create resource');
    await becomes('.lead', 'rejected');
    await becomes('.timeline', 'the documents table refuses the document');
  },

  'the dead letter is listed with its reason': async () => {
    await view('Dead letters');
    await see('1 dead letter');
    assert.equal(await page.locator('#letters').innerText(), '1');
    await rows().filter({ hasText: 'resource' }).filter({ hasText: 'the documents table refuses the document' }).waitFor();
    await shoot('dead-letter');
    await page.getByRole('link', { name: /^evt_/ }).click();
    await page.getByRole('link', { name: 'See the dead letters' }).waitFor();
    await shoot('event');
  },

  'the handler is mended and the dead letter redriven': async () => {
    await newDocumentsTable('pk');
    await page.getByRole('link', { name: 'See the dead letters' }).click();
    await press('Put back');
    await see('1 put back into the queue.');
    await see('Nothing failed.');
  },

  'redriven, it is applied': async () => {
    await view('Deliveries');
    await page.waitForFunction(() => document.getElementById('letters').textContent === '');
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
    // The navigation counts them without a reload.
    await page.waitForFunction(() => document.getElementById('letters').textContent === '2');
    await shoot('counted');
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

  'an event that was kept is replayed from its page': async () => {
    await view('Send');
    await press('Create generic');
    await becomes('.lead', 'applied');
    await page.getByRole('link', { name: /^event / }).click();
    await press('Replay');
    await becomes('.timeline', 'put back');
    await becomes('.lead', 'applied');
    await becomes('.pairs', 'reopened_by');
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
    const long = 'w'.repeat(200);
    const body = JSON.stringify({ event: `asset${long}.created`, data: { id: long, name: long } });
    await fetch(`${url}/webhooks/plain`, { method: 'POST', headers: { 'content-type': 'application/json', 'x-long': long }, body });
    await page.setViewportSize({ width: 320, height: 640 });
    await open('/');
    await rows().first().filter({ hasText: long }).filter({ hasText: 'applied' }).waitFor();
    const delivery = await rows().first().getByRole('link').getAttribute('href');
    const document = `/document?key=${encodeURIComponent(`plain#asset${long}#${long}`)}`;
    for (const path of ['/', delivery, document, '/documents', '/sources', '/dead-letters', '/send', '/deliveries/1', '/?q=nothing']) {
      await open(path);
      const [width, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(width <= room, `${path} is ${width} px wide`);
      assert.doesNotMatch(await page.title(), /No such doc/);
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
    const delivery = await rows().nth(5).getByRole('link').getAttribute('href');
    for (const [name, path] of Object.entries({ sources: '/sources', documents: '/documents', delivery })) {
      await open(path);
      await shoot(`${name}-dark`);
    }
    await page.emulateMedia({ colorScheme: null });
  },

  'what a sender writes never becomes part of the page': async () => {
    const bad = '<script>document.title = "owned"</script><img src=x onerror="document.title = \'owned\'">';
    const body = JSON.stringify({ event: `asset${bad}.created`, data: { id: bad, name: bad } });
    await fetch(`${url}/webhooks/plain`, { method: 'POST', headers: { 'content-type': 'application/json', 'x-bad': bad }, body });
    for (const path of ['/', '/documents', '/sources', '/dead-letters']) {
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
    for (const path of ['/', '/documents', '/sources', '/dead-letters', '/send', ...numbers]) {
      const answer = await fetch(url + path);
      const text = await answer.text();
      assert.ok(!text.includes(SECRET), `${path} shows the secret`);
      assert.doesNotMatch(text, /\b[0-9a-f]{64}\b/, `${path} shows a signature`);
    }
  },

  'a body of several megabytes is sent': async () => {
    await view('Send');
    await page.locator('select[name=source]').selectOption('plain');
    const body = JSON.stringify({ event: 'asset.created', data: { id: 'large-1', name: 'n'.repeat(3_000_000) } });
    await page.getByLabel('Body').evaluate((at, body) => { at.value = body; }, body);
    await page.getByRole('button', { name: 'Sign and send' }).click({ timeout: 60_000 });
    await becomes('.timeline', `received ${body.length} bytes`);
  },

  'at 500 deliveries a second the open list shows every one': async () => {
    await open('/');
    const count = async () => Number((await page.locator('.found').innerText()).replace(/\D/g, ''));
    const before = await count();
    const sent = [];
    for (let number = 0; number < 1000; number += 1) {
      // Refused ones are in no table: only the list has them.
      const path = number % 10 ? `/webhooks/nobody-${number}` : '/webhooks/plain';
      const body = JSON.stringify({ event: 'asset.created', data: { id: `fast-${number}` } });
      sent.push(fetch(url + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body }));
      if (number % 10 === 9) await new Promise((done) => setTimeout(done, 20));
    }
    await Promise.all(sent);
    await page.waitForFunction(
      (all) => Number(document.querySelector('.found').innerText.replace(/\D/g, '')) === all,
      before + 1000,
    );
    const seen = new Set();
    for (let more = true; more; ) {
      for (const text of await rows().allInnerTexts()) {
        const name = /(nobody|fast)-(\d+)/.exec(text);
        if (name) seen.add(name[2]);
      }
      const older = page.getByRole('link', { name: 'Older' });
      more = (await older.count()) > 0;
      if (more) await open(await older.getAttribute('href'));
    }
    assert.equal(seen.size, 1000);
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
await machine.stop();
console.log(`${Object.keys(steps).length - failed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
