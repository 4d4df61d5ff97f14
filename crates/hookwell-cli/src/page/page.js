// Keeps the open view current: asks again and again for its changing part, and puts it in place when it changed.
'use strict';

const PAUSE = 500; // milliseconds between two looks
const live = document.getElementById('live');
const filter = document.getElementById('filter');
const state = document.getElementById('state');
const pause = document.getElementById('pause');
let looking = null;
let isPaused = false;

/** What had the focus, so that a reader with a keyboard stays where they were. */
function focused() {
  const at = document.activeElement;
  return live.contains(at) && at.getAttribute('href');
}

async function look() {
  looking?.abort();
  const mine = (looking = new AbortController());
  try {
    const known = live.dataset.revision;
    const answer = await fetch(location.href, { headers: { 'x-known': known }, signal: mine.signal });
    state.textContent = '';
    count(answer.headers.get('x-dead-letters'));
    if (answer.status !== 200) return;
    const text = await answer.text();
    if (mine.signal.aborted || holdsStill()) return;
    const address = focused();
    const open = [...live.querySelectorAll('details')].map((details) => details.open);
    live.innerHTML = text;
    live.dataset.revision = answer.headers.get('x-revision');
    live.querySelectorAll('details').forEach((details, index) => { details.open = open[index]; });
    if (address) live.querySelector(`a[href="${CSS.escape(address)}"]`)?.focus();
  } catch (error) {
    if (error.name !== 'AbortError') state.textContent = 'not connected';
  }
}

/** Nothing moves under a selection or a button that is being pressed. */
function holdsStill() {
  const selection = getSelection();
  const selects = selection.type === 'Range' && live.contains(selection.anchorNode);
  return selects || live.querySelector('button:active, a:active') !== null;
}

async function keepLooking() {
  for (;;) {
    await new Promise((done) => setTimeout(done, PAUSE));
    if (!document.hidden && !isPaused) await look();
  }
}

/** The number of dead letters beside their link. */
function count(letters) {
  const at = document.getElementById('letters');
  if (letters !== null && at.textContent !== letters) at.textContent = letters;
}

if (live) {
  keepLooking();
  pause.hidden = false;
  pause.addEventListener('click', () => {
    isPaused = !isPaused;
    pause.textContent = isPaused ? 'Go on' : 'Pause';
    pause.title = isPaused ? 'Nothing new is shown until you go on' : '';
    if (isPaused) looking?.abort();
    else look();
  });
}

/** A text of the server, for the clipboard. A promise, because a browser lets only a click write there. */
async function copied(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(String(answer.status));
  return new Blob([await answer.text()], { type: 'text/plain' });
}

document.addEventListener('click', async (event) => {
  const link = event.target.closest('a[data-copy]');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const name = link.textContent;
  try {
    await navigator.clipboard.write([new ClipboardItem({ 'text/plain': copied(link.href) })]);
    link.textContent = 'Copied';
    setTimeout(() => { link.textContent = name; }, 1500);
  } catch {
    // Where the clipboard is closed to pages, the text itself is shown.
    location.href = link.href;
  }
});

if (filter && live) {
  let waits = 0;
  const show = () => {
    const query = new URLSearchParams([...new FormData(filter)].filter(([, value]) => value !== ''));
    history.replaceState(null, '', filter.getAttribute('action') + (query.size ? `?${query}` : ''));
    live.dataset.revision = '';
    look();
  };
  filter.addEventListener('input', () => {
    clearTimeout(waits);
    waits = setTimeout(show, 150);
  });
  filter.addEventListener('submit', (event) => {
    event.preventDefault();
    show();
  });
}

// A slash goes to the search, as in other tools.
document.addEventListener('keydown', (event) => {
  const search = document.querySelector('input[type=search]');
  const writes = event.target.closest('input, textarea, select');
  if (event.key === '/' && search && !writes && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    search.focus();
    search.select();
  }
});
