// The first page: what flows, what needs someone, what runs.

import { putJson } from './api.js';
import { confirm } from './dialog.js';
import { el, put } from './dom.js';
import * as format from './format.js';
import { known } from './known.js';
import { notices } from './notices.js';
import { facts, link, pluginHref, section, stateBadge } from './pieces.js';
import { plot } from './plots.js';
import { pluginTable } from './plugins.js';

const FLOW = [
  { name: 'received', label: 'Received', tone: 'accent', about: 'Requests to the webhook address' },
  { name: 'refused', label: 'Refused', tone: 'wait', about: 'Requests that were turned away', href: '#/refusals' },
  { name: 'handled', label: 'Handled', tone: 'good', about: 'Calls of plugins that handled their event' },
  { name: 'failed', label: 'Failed', tone: 'bad', about: 'Calls of plugins that did not; most are tried again' },
  { name: 'pending', label: 'Owed', tone: 'violet', about: 'Deliveries that plugins are still owed', gauge: true, href: '#/plugins' },
];
const LEVELS = ['error', 'warn', 'info', 'debug', 'trace'];

// The steps count refused requests by themselves; the totals have them in `received`.
function counts(name) {
  const { [name]: steps, refused } = known.series;
  return name === 'received' ? steps.map((count, i) => count + refused[i]) : steps;
}

function tile({ name, label, tone, about, gauge, href }) {
  const big = el('span', { class: 'big', data: { testid: `now-${name}` } }, '0');
  const total = el('span', { class: 'muted', data: { testid: `total-${name}` } });
  const shape = plot({ label, tone, gauge });
  const root = el('section', { class: 'tile card', title: about },
    el('h2', {}, href ? link(href, label) : label),
    el('div', { class: 'tile-now' }, el('span', {}, big, el('span', { class: 'unit' }, gauge ? ' now' : ' /s')), total),
    shape.root);
  function status() {
    const { totals } = known.status.stats;
    put(big, gauge ? format.number(known.status.owed) : format.rate(known.rates[name]));
    if (gauge) put(total, format.plural(known.status.dead, 'dead letter'));
    else put(total, `${format.number(totals[name])} in all`);
  }
  const series = () => shape.draw(known.series, counts(name));
  return { root, status, series };
}

// What someone should look at, worst first.
function needs() {
  const found = [];
  for (const item of known.status.parts.filter((p) => !p.good)) {
    found.push([stateBadge('unloadable', item.name), item.error ?? 'It does not work.']);
  }
  for (const plugin of known.plugins) {
    const name = () => link(pluginHref(plugin.name), plugin.name);
    if (plugin.state !== 'live') found.push([stateBadge(plugin.state), [name(), plugin.reason ? `: ${format.firstLine(plugin.reason)}` : '']]);
    else if (plugin.verdict && !plugin.verdict.accepted) {
      found.push([stateBadge('refused', 'new file refused'), [name(), ' goes on with its old code: ', format.firstLine(plugin.verdict.message)]]);
    }
    if (plugin.dead > 0) {
      const href = `#/dead?plugin=${encodeURIComponent(plugin.name)}`;
      found.push([stateBadge('dead'), [name(), ' has ', link(href, format.plural(plugin.dead, 'dead letter'))]]);
    }
  }
  return found;
}

function drawNeeds(place) {
  const found = needs();
  const text = JSON.stringify(found.map(([b, w]) => [b.textContent, [w].flat().map((n) => n?.textContent ?? n)]));
  // Drawn anew only where it says something else, so that the focus stays.
  if (place.dataset.text === text) return;
  place.dataset.text = text;
  put(place, found.length === 0
    ? el('p', { class: 'fine' }, 'All parts work, every plugin gets its events, and nothing was given up.')
    : el('ul', { class: 'needs' }, found.map(([mark, words]) => el('li', {}, mark, el('span', {}, words)))));
}

function changeLevel() {
  const now = known.status.log_level;
  const levels = LEVELS.includes(now) ? LEVELS : [now, ...LEVELS];
  const select = el('select', { name: 'level' }, levels.map((level) => el('option', { value: level, selected: level === now }, level)));
  return confirm({
    title: 'Change the log level',
    text: 'It holds until the server ends, or until it is changed again. The change is recorded.',
    body: el('label', { class: 'field' }, el('span', {}, 'Level'), select),
    action: 'Change',
    run: async () => `The log level is ${(await putJson('/log-level', { level: select.value })).level}.`,
  });
}

function server(place) {
  const { status } = known;
  const { stats } = status;
  const latency = (of) => (of.count === 0 ? '–' : `${format.micros(of.p50_us)} · ${format.micros(of.p99_us)}`);
  const values = {
    'Webhooks go to': status.sources.map((source) => `${status.address}/hooks/${source}`).join('\n') || status.address,
    'Up for': format.longSpan(stats.at_ms - stats.started_at_ms),
    'Answer, p50 · p99': latency(stats.accept),
    'Commit, p50 · p99': latency(stats.commit),
    Memory: format.bytes(stats.memory_bytes),
    Journal: format.bytes(status.journal_bytes),
    Duplicates: `${format.number(stats.totals.duplicate)} of ${format.number(stats.totals.received)} received`,
    Generation: format.number(status.generation),
    'Log level': status.log_level,
  };
  if (!place.firstChild) {
    const button = el('button', { type: 'button', class: 'quiet', on: { click: changeLevel } }, 'Change');
    put(place, facts(Object.keys(values).map((name) => [
      name, el('span', { data: { fact: name } }), name === 'Log level' ? button : null,
    ])));
  }
  for (const [name, value] of Object.entries(values)) {
    const span = place.querySelector(`[data-fact="${name}"]`);
    if (span.textContent !== value) span.textContent = value;
  }
  place.querySelector('[data-fact="Up for"]').title = `since ${format.utc(stats.started_at_ms)}`;
}

export function open(root, { signal }) {
  const tiles = FLOW.map(tile);
  const attention = el('div', { data: { testid: 'needs' } });
  const about = el('div', { class: 'server' });
  const fleet = pluginTable({ brief: true, signal });
  const latest = notices(signal);
  root.append(
    el('h1', { class: 'offscreen', tabindex: '-1' }, 'Overview'),
    el('div', { class: 'tiles' }, tiles.map((t) => t.root)),
    el('div', { class: 'columns' },
      el('div', {},
        section('Plugins', {}, fleet.root),
        section('Latest', { aside: latest.hold }, latest.root)),
      el('div', {},
        section('Needs attention', {}, attention),
        section('Server', {}, about))),
  );
  const status = () => {
    for (const t of tiles) t.status();
    server(about);
    drawNeeds(attention);
  };
  const series = () => known.series && tiles.forEach((t) => t.series());
  status();
  series();
  known.addEventListener('status', status, { signal });
  known.addEventListener('plugins', () => drawNeeds(attention), { signal });
  known.addEventListener('series', series, { signal });
}
