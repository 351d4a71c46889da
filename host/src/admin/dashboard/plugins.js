// All plugins: what runs, since when, how well.

import { post, part } from './api.js';
import { confirm } from './dialog.js';
import { arrange, el, put } from './dom.js';
import * as format from './format.js';
import { known, loadPlugins } from './known.js';
import { row, table } from './list.js';
import { digest, emptyNote, heading, link, pluginHref, stateBadge } from './pieces.js';

const COLUMNS = [
  ['Plugin'], ['State'],
  ['Code', '', 'The first of its SHA-256, and the generation in which it became live'],
  ['Since'],
  ['Calls/s', 'num', 'Over the last minute'],
  ['p50 · p99', 'num', 'Half of the calls were faster · 99 of 100 were faster, in the last five minutes'],
  ['Failures', 'num', 'Calls that failed since the server started; most are tried again'],
  ['Owed', 'num', 'Deliveries that it is still to get'],
  ['Dead', 'num', 'Deliveries that were given up'],
];
const ACTION = ['', 'action'];

export function failures(stats) {
  return Object.entries(stats.outcomes).reduce((sum, [code, count]) => (code === 'handled' ? sum : sum + count), 0);
}

function dead(plugin) {
  if (plugin.dead === 0) return '0';
  return link(`#/dead?plugin=${part(plugin.name)}`, format.number(plugin.dead), { class: 'bad above' });
}

// Stops or goes on with a plugin, after a question.
export function pauseButton(plugin) {
  const paused = plugin.paused_at_ms !== null;
  // What gets no events has none to hold back.
  if (!paused && ['refused', 'gone'].includes(plugin.state)) return null;
  const button = el('button', { type: 'button', class: 'above', data: { testid: paused ? 'resume' : 'pause' } }, paused ? 'Resume' : 'Pause');
  button.addEventListener('click', async () => {
    await confirm({
      title: `${paused ? 'Resume' : 'Pause'} ${plugin.name}?`,
      text: paused
        ? `It gets events again, first the ${format.plural(plugin.owed, 'delivery', 'deliveries')} that it is owed.`
        : 'It gets no calls until it is resumed, over restarts too. Its events are kept for it; calls that run now end as they do. Other plugins are not concerned.',
      action: paused ? 'Resume' : 'Pause',
      run: async () => {
        await post(`/plugins/${part(plugin.name)}/${paused ? 'resume' : 'pause'}`);
        loadPlugins().catch(() => {});
        return paused ? `${plugin.name} goes on.` : `${plugin.name} is paused.`;
      },
    });
  });
  return button;
}

function cells(plugin) {
  const { stats } = plugin;
  const refused = plugin.state === 'live' && plugin.verdict && !plugin.verdict.accepted;
  return [
    el('span', {}, link(pluginHref(plugin.name), plugin.name, { class: 'row-link strong' }),
      plugin.version ? el('span', { class: 'muted' }, ` ${plugin.version}`) : null),
    el('span', {}, stateBadge(plugin.state), refused ? [' ', stateBadge('refused', 'new file refused')] : null),
    el('span', { class: 'nowrap' }, digest(plugin.digest),
      plugin.generation === null ? null : el('span', { class: 'muted', title: 'The generation in which this code became live' }, ` gen\u00a0${plugin.generation}`)),
    format.time(plugin.live_since_ms),
    format.rate(stats.rate_per_s),
    stats.calls.count === 0 ? '–' : `${format.micros(stats.calls.p50_us)} · ${format.micros(stats.calls.p99_us)}`,
    format.number(failures(stats)),
    el('span', plugin.oldest_owed_at_ms && plugin.owed ? { title: `the oldest since ${format.utc(plugin.oldest_owed_at_ms)}` } : {}, format.number(plugin.owed)),
    dead(plugin),
  ];
}

// The table, up to date by itself. `brief`: without what changes something.
export function pluginTable({ brief, signal }) {
  const columns = brief ? COLUMNS : [...COLUMNS, ACTION];
  const { root: grid, body } = table('Plugins', columns, { data: { testid: 'plugins' } });
  const note = el('div');
  const rows = new Map();

  function rowOf(plugin) {
    const text = JSON.stringify(plugin);
    const old = rows.get(plugin.name);
    if (old?.text === text) return old.node;
    const shown = brief ? cells(plugin) : [...cells(plugin), pauseButton(plugin)];
    const fresh = row(columns, shown, { data: { plugin: plugin.name, state: plugin.state, generation: plugin.generation ?? '' } });
    if (!old) {
      rows.set(plugin.name, { text, node: fresh });
      return fresh;
    }
    // The row stays, so that the focus can be given back to where it was in it.
    const focused = [...old.node.querySelectorAll('a, button')].indexOf(document.activeElement);
    arrange(old.node, [...fresh.childNodes]);
    Object.assign(old.node.dataset, fresh.dataset);
    if (focused >= 0) old.node.querySelectorAll('a, button')[focused]?.focus({ preventScroll: true });
    old.text = text;
    return old.node;
  }

  function draw() {
    const names = new Set(known.plugins.map((plugin) => plugin.name));
    for (const name of rows.keys()) if (!names.has(name)) rows.delete(name);
    arrange(body, known.plugins.map(rowOf));
    grid.hidden = known.plugins.length === 0;
    put(note, known.plugins.length > 0 ? null : emptyNote('There are no plugins yet.',
      'Drop a compiled component (a .wasm file) into the plugins directory; it appears here at once. Webhooks that come before are kept without a plugin and can be replayed.'));
  }

  draw();
  known.addEventListener('plugins', draw, { signal });
  return { root: el('div', {}, grid, note) };
}

export function open(root, { signal }) {
  root.append(
    heading('Plugins'),
    el('section', { class: 'card' }, pluginTable({ signal }).root),
  );
}
