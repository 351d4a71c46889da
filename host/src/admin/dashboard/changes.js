// What changed: the code that runs, the configuration, what operators did.

import { get } from './api.js';
import { el, soon } from './dom.js';
import * as explain from './explain.js';
import { filters, pick, pluginNames } from './filters.js';
import * as format from './format.js';
import { list, row } from './list.js';
import { changeBadge, digest, emptyNote, eventHref, heading, link, pluginHref, shortId } from './pieces.js';
import { on } from './stream.js';

const COLUMNS = [['When'], ['What'], ['Plugin'], ['In words', 'wide'], ['About'], ['By']];
const PAGE = 50;
// Changes whose subject is an event, not a delivery.
const OF_EVENTS = ['revealed', 'replayed'];
// Of a plugin's file: known by its beginning, as in logs.
const DIGEST = /^[0-9a-f]{64}$/;

function subject(item) {
  if (!item.subject) return '';
  if (DIGEST.test(item.subject)) return digest(item.subject);
  const short = shortId(item.subject);
  return OF_EVENTS.includes(item.kind) ? el('a', { href: eventHref(item.subject) }, short) : short;
}

function changeRow(columns, item) {
  const cells = {
    When: format.time(item.at_ms),
    What: changeBadge(item.kind),
    Plugin: item.plugin ? link(pluginHref(item.plugin), item.plugin) : '',
    'In words': el('span', { class: 'words' }, item.text),
    About: subject(item),
    By: item.actor ?? el('span', { class: 'muted' }, 'hookbox'),
  };
  return row(columns, columns.map(([name]) => cells[name]), { data: { kind: item.kind } });
}

// `query()` is what the API is asked with; `hide` a column that says nothing here.
export function changeList({ query, signal, hide, filtered }) {
  const columns = COLUMNS.filter(([name]) => name.toLowerCase() !== hide);
  return list({
    label: 'Changes',
    testid: 'changes',
    columns,
    load: (cursor) => get('/changes', { limit: PAGE, ...query(), cursor }, signal),
    key: (item) => item.id,
    show: (item) => changeRow(columns, item),
    empty: () => (filtered?.()
      ? emptyNote('No change matches.', 'Clear the filters to see all.')
      : emptyNote('Nothing has changed yet.', 'New code, new configuration and what operators do is noted here.')),
    signal,
  });
}

export function open(root, { query, signal }) {
  const kinds = explain.CHANGE_CODES.map((code) => [code, explain.change(code)[1]]);
  const fields = [
    pick('Plugin', 'plugin', pluginNames(), query),
    pick('What', 'kind', [['', 'any'], ...kinds], query),
  ];
  const chosen = filters({ page: 'changes', fields, changed: () => changes.reload(), signal });
  const changes = changeList({ query: chosen.query, signal, filtered: chosen.any });
  root.append(heading('Changes'), chosen.root, el('section', { class: 'card' }, changes.root));
  on(['plugin', 'operator', 'resync', 'journal'], soon(500, () => changes.renew(), signal), signal);
  changes.reload();
}
