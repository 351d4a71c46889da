// What happened last, as it happens. Bounded, and drawn a few times a second at
// most, so that a flood of webhooks does not stop the page.

import { arrange, el } from './dom.js';
import * as explain from './explain.js';
import { clockTime, firstLine, micros, plural } from './format.js';
import { changeBadge, digest, emptyNote, eventHref, link, outcomeBadge, pluginHref } from './pieces.js';
import { on } from './stream.js';

const KEPT_MAX = 60;
const DRAWN_EACH_MS = 250;

const badge = (tone, text) => el('span', { class: `badge ${tone}` }, text);

// Each: what kind, the sentence, more of it.
const SHOWN = {
  received: (n) => [
    badge(n.duplicate ? 'off' : 'busy', n.duplicate ? 'duplicate' : 'received'),
    [link(eventHref(n.event), n.name), ` from ${n.source}`,
      n.duplicate ? ', known already' : n.plugins === 0 ? ', no plugin asked for it' : ` for ${plural(n.plugins, 'plugin')}`],
    null,
  ],
  refused: (n) => [
    badge('bad', 'refused'),
    [link('#/refusals', `${explain.refusal(n.code)}`), ` (${n.status}), source ${n.source || '–'}, from ${n.peer}`],
    null,
  ],
  attempt: (n) => [
    outcomeBadge(n.outcome),
    [link(pluginHref(n.plugin), n.plugin), ' on ', link(eventHref(n.event), n.name),
      ` in ${micros(n.duration_us)}`, n.attempt > 1 ? `, attempt ${n.attempt}` : ''],
    firstLine(n.error ?? n.log),
  ],
  dead: (n) => [
    badge('bad', 'dead letter'),
    [link(pluginHref(n.plugin), n.plugin), ' gave up on ', link(eventHref(n.event), 'an event'), `: ${explain.reason(n.reason)}`],
    null,
  ],
  plugin: (n) => {
    const [tone, words] = explain.pluginChange(n.change);
    return [
      badge(tone, 'plugin'),
      [link(pluginHref(n.plugin), n.plugin), ` ${words}`, n.digest ? [', code ', digest(n.digest)] : null,
        n.generation ? `, generation ${n.generation}` : ''],
      firstLine(n.text),
    ];
  },
  journal: (n) => [badge(n.good ? 'good' : 'bad', 'journal'), n.good ? 'The journal can be written' : 'The journal cannot be written', firstLine(n.error)],
  operator: (n) => [changeBadge(n.change), [`${n.actor}: ${firstLine(n.text)}`], null],
  missed: (n) => [badge('off', 'missed'), `${plural(n.count, 'notice')} came faster than this page could take them`, null],
};

function line(notice, kind) {
  const [mark, words, more] = SHOWN[kind](notice);
  return el('li', { class: 'notice', data: { kind } },
    clockTime(notice.at_ms ?? Date.now()),
    mark,
    el('span', { class: 'notice-words' }, words),
    more ? el('span', { class: 'notice-more', title: more }, more) : null);
}

export function notices(signal) {
  const lines = el('ol', { class: 'notices', data: { testid: 'notices' } });
  const empty = emptyNote('Nothing has happened since this page was opened.', 'Webhooks, calls of plugins and changes appear here as they happen.');
  const hold = el('button', { type: 'button', 'aria-pressed': 'false' }, 'Hold');
  const root = el('div', {}, empty, lines);
  let kept = [];
  let held = false;
  let drawn = true;

  hold.addEventListener('click', () => {
    held = !held;
    hold.setAttribute('aria-pressed', String(held));
    hold.textContent = held ? 'Go on' : 'Hold';
  });
  on(Object.keys(SHOWN), (notice, kind) => {
    kept.unshift({ notice, kind, node: null });
    if (kept.length > KEPT_MAX) kept.length = KEPT_MAX;
    drawn = false;
  }, signal);

  const timer = setInterval(() => {
    if (drawn || held || document.hidden) return;
    drawn = true;
    empty.hidden = true;
    arrange(lines, kept.map((item) => {
      item.node ??= line(item.notice, item.kind);
      return item.node;
    }));
  }, DRAWN_EACH_MS);
  signal.addEventListener('abort', () => {
    clearInterval(timer);
    kept = [];
  });
  return { root, hold };
}
