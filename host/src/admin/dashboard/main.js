// The frame: header, pages by the address's hash, keys.

import { add, el, put } from './dom.js';
import { number, renewTimes } from './format.js';
import { known, start as startKnown } from './known.js';
import { on, start as startStream } from './stream.js';
import { heading, problemNote } from './pieces.js';
import * as changes from './changes.js';
import * as dead from './dead.js';
import * as event from './event.js';
import * as events from './events.js';
import * as overview from './overview.js';
import * as plugin from './plugin.js';
import * as plugins from './plugins.js';
import * as refusals from './refusals.js';

const forever = new AbortController().signal;
const main = document.getElementById('main');
const PAGES = {
  '': ['overview', overview],
  events: ['events', events, event],
  plugins: ['plugins', plugins, plugin],
  dead: ['dead', dead],
  refusals: ['refusals', refusals],
  changes: ['changes', changes],
};
// What it means that a part works.
const PARTS = {
  journal: 'Events can be written to disk',
  plugins: 'Plugins are loaded and watched',
  listener: 'Webhooks are received',
  room: 'There is room for more events that wait',
};
const CONNECTIONS = {
  connecting: ['Connecting', 'Waits for the first news from the server'],
  live: ['Live', 'What happens is shown as it happens'],
  lost: ['Reconnecting', 'The connection is lost. What is shown may be old'],
};

let page = null;

// `#/events/ID?state=dead`: the page, what it is about, and its filters.
function route() {
  const [path, query] = location.hash.replace(/^#\/?/, '').split('?', 2);
  const [name, subject] = path.split('/', 2);
  let text = null;
  try {
    text = subject ? decodeURIComponent(subject) : null;
  } catch {
    text = subject;
  }
  return { name, subject: text, query: new URLSearchParams(query ?? '') };
}

function open(moved) {
  const { name, subject, query } = route();
  const [label, many, one] = PAGES[name] ?? [null, null];
  page?.abort();
  page = new AbortController();
  for (const item of document.querySelectorAll('nav a')) {
    if (item.dataset.page === label) item.setAttribute('aria-current', 'page');
    else item.removeAttribute('aria-current');
  }
  const root = el('div', { class: 'page', data: { page: label ?? 'none' } });
  put(main, root);
  if (!many) {
    add(root, [heading('No such page'), el('p', {}, el('a', { href: '#/' }, 'Go to the overview'))]);
  } else if (subject && one) {
    one.open(root, { subject, query, signal: page.signal });
  } else {
    many.open(root, { query, signal: page.signal });
  }
  document.title = `${root.querySelector('h1')?.textContent ?? 'hookbox'} · hookbox`;
  if (moved) {
    window.scrollTo(0, 0);
    root.querySelector('h1')?.focus({ preventScroll: true });
  }
}

function drawHeader() {
  const { status } = known;
  put(document.getElementById('version'), status.version);
  put(document.getElementById('parts'), status.parts.map((item) => el('li', {
    class: item.good ? 'good' : 'bad', title: item.good ? (PARTS[item.name] ?? `${item.name} works`) : item.error,
  }, item.good ? item.name : `${item.name} failing`)));
  const count = document.getElementById('dead-count');
  count.hidden = status.dead === 0;
  put(count, number(status.dead));
  const failing = status.parts.filter((item) => !item.good);
  const alert = document.getElementById('alert');
  const words = failing.map((item) => `${item.name}: ${item.error ?? 'it does not work'}`).join(' · ');
  alert.hidden = failing.length === 0;
  if (alert.textContent !== words) put(alert, words);
}

function drawConnection(state) {
  const [label, title] = CONNECTIONS[state];
  const live = document.getElementById('live');
  live.dataset.state = state;
  live.title = title;
  if (live.textContent !== label) put(live, label);
}

function key(press) {
  const typing = press.target.closest?.('input, select, textarea, dialog');
  if (press.key !== '/' || typing || press.ctrlKey || press.metaKey || press.altKey) return;
  press.preventDefault();
  if (route().name !== 'events' || route().subject) location.hash = '#/events?search';
  else document.getElementById('search')?.focus();
}

// Where no token is asked for, the log-in page leads back here.
async function showLogOut() {
  const answer = await fetch('/login', { redirect: 'manual' }).catch(() => null);
  document.getElementById('logout').hidden = !answer?.ok;
}

async function begin() {
  document.getElementById('skip').addEventListener('click', (click) => {
    click.preventDefault();
    main.focus();
  });
  document.addEventListener('keydown', key);
  known.addEventListener('status', drawHeader);
  on('connection', drawConnection, forever);
  setInterval(renewTimes, 1_000);
  showLogOut();
  try {
    await startKnown(forever);
  } catch (error) {
    drawConnection('lost');
    put(main, problemNote(error, () => location.reload()));
    return;
  }
  startStream();
  window.addEventListener('hashchange', () => open(true));
  open(false);
}

begin();
