// What happens, as it happens. Tells listeners of each notice by its kind, of
// `tick` each second, of `missed`, of `connection`, and of `resync` when things may have happened
// that nobody told of. A tab that is hidden for long lets its connection go.

import { get } from './api.js';

const KINDS = ['received', 'refused', 'attempt', 'dead', 'plugin', 'journal', 'operator', 'tick', 'missed'];
// The server tells something each second.
const SILENCE_MS_MAX = 8_000;
const RETRY_MS_MAX = 15_000;
const HIDDEN_MS_MAX = 30_000;

export const stream = new EventTarget();

let source = null;
let heard_ms = 0;
let retry_ms = 1_000;
let retry = null;
let hidden = null;
let lost = false;

function tell(kind, detail) {
  stream.dispatchEvent(new CustomEvent(kind, { detail }));
}

// Listens until the signal.
export function on(kinds, listener, signal) {
  for (const kind of [kinds].flat()) {
    stream.addEventListener(kind, (event) => listener(event.detail, kind), { signal });
  }
}

function close() {
  source?.close();
  source = null;
  clearTimeout(retry);
}

function open() {
  close();
  const own = new EventSource('/api/v1/stream');
  source = own;
  heard_ms = Date.now();
  own.addEventListener('open', () => {
    heard_ms = Date.now();
    retry_ms = 1_000;
    tell('connection', 'live');
    if (lost) tell('resync');
    lost = false;
  });
  own.addEventListener('error', () => {
    lost = true;
    tell('connection', 'lost');
    // The browser goes on by itself unless the answer was no stream at all.
    if (own.readyState === EventSource.CLOSED) again();
  });
  for (const kind of KINDS) {
    own.addEventListener(kind, (event) => {
      heard_ms = Date.now();
      tell(kind, JSON.parse(event.data));
      if (kind === 'missed') tell('resync');
    });
  }
}

// Tries once more, after a question whose answer says whether one is logged in.
function again() {
  close();
  lost = true;
  retry = setTimeout(() => {
    get('/status').then(open, again);
  }, retry_ms);
  retry_ms = Math.min(retry_ms * 2, RETRY_MS_MAX);
}

function look() {
  if (source?.readyState === EventSource.OPEN && Date.now() - heard_ms > SILENCE_MS_MAX) {
    tell('connection', 'lost');
    again();
  }
}

function seen() {
  clearTimeout(hidden);
  if (document.hidden) {
    hidden = setTimeout(() => {
      close();
      lost = true;
    }, HIDDEN_MS_MAX);
  } else if (!source) {
    open();
  }
}

export function start() {
  open();
  setInterval(look, 1_000);
  document.addEventListener('visibilitychange', seen);
}
