// One plugin: its code, what was said of its file, its grants, its calls.

import { get, part, post } from './api.js';
import { confirm } from './dialog.js';
import { el, put, soon } from './dom.js';
import * as explain from './explain.js';
import * as format from './format.js';
import { known, loadPlugins } from './known.js';
import { list, row } from './list.js';
import * as changes from './changes.js';
import {
  copyButton, digest, emptyNote, errorText, eventHref, facts, heading, link, mono, outcomeBadge, section, stateBadge,
} from './pieces.js';
import { failures, pauseButton } from './plugins.js';
import { on } from './stream.js';

const DELIVERIES = [['Event'], ['State'], ['Attempts', 'num'], ['Received'], ['Last error', 'wide']];

function items(texts, none) {
  return texts.length === 0 ? el('span', { class: 'muted' }, none) : el('ul', { class: 'plain' }, texts.map((t) => el('li', {}, el('code', {}, t))));
}

// What is known of a plugin only from code that was live.
function unknown(plugin) {
  return plugin.digest === null && plugin.version === null && plugin.state !== 'gone';
}

function code(plugin) {
  return section('Code', {}, facts([
    ['SHA-256', digest(plugin.digest, true)],
    ['Generation', plugin.generation === null ? '–' : format.number(plugin.generation)],
    ['Live since', format.time(plugin.live_since_ms)],
    ['Says it is', [plugin.title, plugin.version].filter(Boolean).join(' ') || '–'],
    ['Events', plugin.events.join(', ') || (unknown(plugin) ? '–' : 'all')],
    ['Sources', plugin.sources.join(', ') || 'all'],
    plugin.verdict?.accepted ? ['File', ['accepted ', format.time(plugin.verdict.at_ms)]] : null,
  ]));
}

// Whether the reason of its state is said by another part of the page.
function said({ reason, breaker_until_ms, verdict: last }) {
  return breaker_until_ms !== null || last?.message === reason;
}

function verdict({ verdict: said }) {
  if (!said || said.accepted) return null;
  const fix = said.fix.join('\n');
  return section('Its newest file was refused', { 'data-testid': 'verdict' },
    el('p', {}, 
      format.time(said.at_ms), ' ', digest(said.digest), said.code ? [' ', el('code', {}, said.code)] : null),
    said.message ? el('p', { class: 'message' }, said.message) : null,
    fix ? [
      el('p', {}, 'These lines of the configuration would mend it: ', copyButton(() => fix, 'lines')),
      mono(fix),
    ] : null);
}

function grants(plugin) {
  const missing = plugin.wants.filter((want) => !plugin.granted.includes(want));
  return section('Grants', {}, facts([
    ['Granted', items(plugin.granted, 'nothing beyond logs, time and random numbers')],
    ['It wants', items(plugin.wants, unknown(plugin) ? 'not known: its code is not live' : 'nothing')],
    missing.length > 0 && plugin.state !== 'live' ? ['Missing', items(missing, '')] : null,
  ]));
}

function calls(plugin) {
  const { stats } = plugin;
  const all = Object.values(stats.outcomes).reduce((sum, n) => sum + n, 0);
  const last = stats.last_failure;
  return section('Calls', {}, facts([
    ['Now', `${format.rate(stats.rate_per_s)}/s, ${format.number(plugin.running)} running`],
    ['Took, p50 · p99', stats.calls.count === 0 ? '–' : `${format.micros(stats.calls.p50_us)} · ${format.micros(stats.calls.p99_us)}`],
    ['Owed', format.number(plugin.owed), plugin.owed && plugin.oldest_owed_at_ms ? [', the oldest ', format.time(plugin.oldest_owed_at_ms)] : null],
    ['Dead letters', plugin.dead === 0 ? '0' : link(`#/dead?plugin=${part(plugin.name)}`, format.number(plugin.dead))],
    ['Since the start', all === 0 ? 'no calls' : `${format.number(all)}, of these ${format.number(failures(stats))} failed`],
  ]),
  all === 0 ? null : el('ul', { class: 'outcomes' }, Object.entries(stats.outcomes).sort((a, b) => b[1] - a[1]).map(([outcome, count]) => {
    const [, meaning] = explain.outcome(outcome);
    return el('li', {}, el('span', { class: 'num' }, format.number(count)), outcomeBadge(outcome), el('span', { class: 'muted' }, meaning));
  })),
  last ? el('div', { class: 'last-failure' },
    el('p', {}, 'Last failure: ', outcomeBadge(last.outcome), ' ', format.time(last.at_ms), ', ', link(eventHref(last.event), 'its event')),
    mono(errorText(last.error))) : null);
}

function forget(plugin) {
  const button = el('button', { type: 'button', class: 'danger' }, 'Forget');
  button.addEventListener('click', () => confirm({
    title: `Forget ${plugin.name}?`,
    text: `All that it is owed (${format.plural(plugin.owed, 'delivery', 'deliveries')}) is given up and discarded. Do this where the plugin will not come back.`,
    action: 'Forget',
    danger: true,
    run: async () => {
      let count = 0;
      let report;
      do {
        report = await post(`/plugins/${part(plugin.name)}/forget`, report ? { cursor: report.next } : {});
        count += report.count;
      } while (report.next);
      loadPlugins().catch(() => {});
      return `${format.plural(count, 'delivery was', 'deliveries were')} discarded.`;
    },
  }));
  return button;
}

function deliveryRow(item) {
  return row(DELIVERIES, [
    link(eventHref(item.event), item.name, { class: 'row-link strong' }),
    el('span', {}, stateBadge(item.state), item.replay ? el('span', { class: 'muted' }, ' replay') : null),
    format.number(item.attempts),
    format.time(item.received_at_ms),
    el('span', { class: 'clip', title: item.error ?? '' }, format.firstLine(item.error) || (item.reason ? explain.reason(item.reason) : '')),
  ]);
}

export function open(root, { subject, signal }) {
  const title = heading(subject);
  const top = el('div', { data: { testid: 'plugin' } });
  const deliveries = list({
    label: `Deliveries to ${subject}`,
    columns: DELIVERIES,
    load: (cursor) => get('/deliveries', { plugin: subject, limit: 20, cursor }, signal),
    key: (item) => item.id,
    show: deliveryRow,
    empty: () => emptyNote('It was handed nothing yet.', 'Post a webhook that it asks for, or replay an event to it from the event’s page.'),
    signal,
  });
  const history = changes.changeList({ query: () => ({ plugin: subject, limit: 20 }), signal, hide: 'plugin' });
  root.append(el('p', { class: 'crumb' }, link('#/plugins', 'Plugins')), title, top,
    section('Deliveries', {}, deliveries.root), section('What changed', {}, history.root));
  let before = '';

  function draw() {
    const plugin = known.plugins.find((item) => item.name === subject);
    const text = JSON.stringify(plugin ?? null);
    if (text === before) return;
    before = text;
    if (!plugin) {
      put(top, emptyNote(`No plugin ${subject} is known.`, 'Its file may have another name. Deliveries and changes of that name are below, where there are any.'));
      return;
    }
    const head = el('div', { class: 'page-head' }, el('h1', { tabindex: '-1' }, subject), stateBadge(plugin.state),
      el('span', { class: 'grow' }), pauseButton(plugin), plugin.state === 'gone' ? forget(plugin) : null);
    title.replaceChildren(...head.childNodes);
    put(top,
      plugin.reason && !said(plugin) ? el('p', { class: 'message' }, plugin.reason) : null,
      plugin.paused_at_ms !== null ? el('p', { class: 'message' }, 'Paused by an operator ', format.time(plugin.paused_at_ms), '. Its events are kept for it.') : null,
      plugin.breaker_until_ms !== null ? el('p', { class: 'message' }, 'It failed too often in a row: its breaker is open. The next trial call is ', format.time(plugin.breaker_until_ms), '.') : null,
      verdict(plugin),
      el('div', { class: 'cards' }, el('div', {}, code(plugin), grants(plugin)), calls(plugin)));
  }

  draw();
  deliveries.reload();
  history.reload();
  known.addEventListener('plugins', draw, { signal });
  const renew = soon(1_000, () => deliveries.renew(), signal);
  on(['attempt', 'dead'], (notice) => notice.plugin === subject && renew(), signal);
  on(['received', 'resync'], renew, signal);
  on(['plugin', 'operator', 'resync'], soon(500, () => history.renew(), signal), signal);
}
