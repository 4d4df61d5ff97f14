// How fast the page is with 100,000 events and 20,000 documents in the tables. Prints figures and judges nothing.
import { openBrowser, startMachine, tables } from './machine.mjs';

const EVENTS = 100_000;
const DOCUMENTS = 20_000;
const SOURCES = ['resource', 'generic', 'stonal', 'plain'];
const ENDS = [['applied'], ['stale'], ['ignored'], ['rejected', 'the event names no document']];
const data = ['--data', process.env.DATA];
const millis = (time) => `${time.toFixed(time < 10 ? 1 : 0)} ms`.padStart(9);
const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;

/** Runs `work` on 0, 1, … below `count`, eight at a time. */
async function inParallel(count, work) {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}

/** Writes `count` items like the ones that are there, each made different by `change`. */
async function multiply(table, name, count, change) {
  const { Items: all } = await table('Scan', { TableName: name });
  const items = all.filter((item) => item.source); // without the events that are kept whole
  await inParallel(count / 25, async (batch) => {
    const puts = Array.from({ length: 25 }, (_, place) => {
      const number = batch * 25 + place;
      const like = items[number % items.length];
      return { PutRequest: { Item: { ...like, ...change(number, like) } } };
    });
    await table('BatchWriteItem', { RequestItems: { [name]: puts } });
  });
}

async function fill() {
  const machine = await startMachine(data, {});
  for (const source of SOURCES) {
    const body = new URLSearchParams({ source, what: 'create' });
    await fetch(`${machine.url}/send`, { method: 'POST', headers: { origin: machine.url }, body, redirect: 'manual' });
  }
  const applied = `${machine.url}/?outcome=applied`;
  while (!(await (await fetch(applied)).text()).includes('>4 of 4 deliveries')) await new Promise((done) => setTimeout(done, 100));
  const table = tables(machine);
  const now = Date.now();
  await multiply(table, machine.events_table, EVENTS, (number, { source }) => {
    const [outcome, reason] = ENDS[Math.floor(number / SOURCES.length) % ENDS.length];
    const at = now - number * 100;
    return {
      pk: { S: `${source.S}#${String(number).padStart(43, '0')}` },
      event_id: { S: `evt_${number}` },
      document_id: { S: `document-${number % DOCUMENTS}` },
      received_at: { N: String(at) },
      finished_at: { N: String(at + 25) },
      outcome: { S: outcome },
      ...(reason && { reason: { S: reason } }),
    };
  });
  await multiply(table, machine.documents_table, DOCUMENTS, (number, { source, document_type }) => ({
    pk: { S: `${source.S}#${document_type.S}#document-${number}` },
    document_id: { S: `document-${number}` },
  }));
  await machine.stop();
}

async function answers(url) {
  for (const [what, path] of [
    ['list', '/'],
    ['list, an older page', '/?before=-90000'],
    ['filter by source', '/?source=generic'],
    ['filter by outcome', '/?outcome=rejected'],
    ['search, one found', '/?q=evt_99990'],
    ['search, none found', '/?q=nothing+like+it'],
    ['search and filters', '/?q=evt_9&source=plain&outcome=stale'],
    ['documents', '/documents'],
    ['documents, search', '/documents?q=document-19999'],
    ['one event', `/event?key=${encodeURIComponent(`generic#${'9'.padStart(43, '0')}`)}`],
  ]) {
    const times = [];
    for (let turn = 0; turn < 30; turn += 1) {
      const started = performance.now();
      await (await fetch(url + path)).text();
      times.push(performance.now() - started);
    }
    times.sort((a, b) => a - b);
    console.log(`${what.padEnd(24)} median ${millis(times[15])}   slowest ${millis(times[29])}`);
  }
}

/** From the first key of a search to its only line, and how long the page could not be used meanwhile. */
async function inBrowser(url) {
  const browser = await openBrowser();
  const page = await browser.newPage();
  await page.addInitScript(() => {
    globalThis.longest = 0;
    const note = (list) => list.getEntries().forEach((one) => (globalThis.longest = Math.max(globalThis.longest, one.duration)));
    new PerformanceObserver(note).observe({ type: 'longtask' });
  });
  const opened = performance.now();
  await page.goto(url);
  console.log(`${'opened in Chromium'.padEnd(24)}        ${millis(performance.now() - opened)}`);
  const started = performance.now();
  await page.getByLabel('Search').pressSequentially('evt_99990');
  await page.waitForFunction(() => document.querySelectorAll('table.list tbody tr').length === 1);
  console.log(`${'typed, found and shown'.padEnd(24)}        ${millis(performance.now() - started)}   (150 ms of it are a pause after the last key)`);
  const longest = await page.evaluate(() => globalThis.longest);
  console.log(`${'longest task in the page'.padEnd(24)}        ${longest ? millis(longest) : ' none over 50 ms'}`);
  await browser.close();
}

const filled = performance.now();
await fill();
console.log(`${EVENTS} events and ${DOCUMENTS} documents written in ${seconds(filled)}`);
const started = performance.now();
const machine = await startMachine(data, {});
while (!(await (await fetch(machine.url)).text()).includes('100\u202f004 deliveries')) await new Promise((done) => setTimeout(done, 100));
console.log(`the page knows them ${seconds(started)} after the start`);
await answers(machine.url);
await inBrowser(machine.url);
await machine.stop();
