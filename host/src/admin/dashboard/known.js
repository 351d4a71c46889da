// What every page may need: the server's status, its plugins, its time series. Kept
// up to date here, told by `status`, `plugins` and `series` on `known`.

import { get } from './api.js';
import { setClock } from './format.js';
import { on } from './stream.js';

export const known = new EventTarget();
known.status = null;
known.plugins = [];
known.series = null;
// Per second over the last ticks: received, refused, handled, failed.
known.rates = null;

// Ticks that "now" is an average of.
const TICKS = 5;
const PLUGINS_MS = 5_000;
const SERIES_MS_MIN = 2_000;
const SERIES_MS_MAX = 10_000;

let ticks = [];
let series_timer = null;

function tell(kind) {
  known.dispatchEvent(new CustomEvent(kind));
}

function takeStatus(status) {
  setClock(status.stats.at_ms);
  const before = ticks.at(-1);
  if (before && before.started_at_ms !== status.stats.started_at_ms) {
    ticks = [];
    loadSeries();
  }
  ticks.push(status.stats);
  if (ticks.length > TICKS + 1) ticks.shift();
  known.status = status;
  known.rates = rates();
  tell('status');
}

function rates() {
  const first = ticks[0];
  const last = ticks.at(-1);
  const s = (last.at_ms - first.at_ms) / 1_000;
  const of = (name) => (s > 0 ? Math.max(0, last.totals[name] - first.totals[name]) / s : 0);
  return { received: of('received'), refused: of('refused'), handled: of('handled'), failed: of('failed') };
}

export async function loadPlugins() {
  known.plugins = (await get('/plugins')).items;
  tell('plugins');
}

async function loadSeries() {
  clearTimeout(series_timer);
  let step_ms = SERIES_MS_MAX;
  try {
    known.series = (await get('/stats')).series;
    step_ms = known.series.step_ms;
    tell('series');
  } finally {
    const wait_ms = Math.min(Math.max(step_ms, SERIES_MS_MIN), SERIES_MS_MAX);
    series_timer = setTimeout(() => loadSeries().catch(() => {}), wait_ms);
  }
}

// Loads all; whoever shows something waits for this once.
export async function start(signal) {
  on('tick', takeStatus, signal);
  const renew = () => loadPlugins().catch(() => {});
  on(['plugin', 'operator', 'resync'], renew, signal);
  on('resync', () => loadSeries().catch(() => {}), signal);
  setInterval(() => document.hidden || renew(), PLUGINS_MS);
  const [status] = await Promise.all([get('/status'), loadPlugins()]);
  takeStatus(status);
  await loadSeries().catch(() => {});
}
