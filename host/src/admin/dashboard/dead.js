// Dead letters: what was given up, and what to do about it.

import { get } from './api.js';
import { el, soon } from './dom.js';
import * as explain from './explain.js';
import { field, filters, pick, pluginNames, sources, when } from './filters.js';
import * as format from './format.js';
import { list, row } from './list.js';
import { emptyNote, eventHref, heading, link, pluginHref, stateBadge } from './pieces.js';
import * as steer from './steer.js';
import { on } from './stream.js';

const COLUMNS = [['Event'], ['Plugin'], ['Why', 'wide'], ['Attempts', 'num'], ['Given up'], ['', 'action']];
const PAGE = 50;

function why(letter) {
  return el('span', { class: 'two' },
    el('span', { title: letter.reason }, explain.reason(letter.reason)),
    letter.error ? el('span', { class: 'muted clip', title: letter.error }, format.firstLine(letter.error)) : null);
}

export function open(root, { query, signal }) {
  const after = () => letters.renew();
  function letterRow(letter) {
    return row(COLUMNS, [
      el('span', {}, link(eventHref(letter.event), letter.name, { class: 'row-link strong' }), el('span', { class: 'muted' }, ` ${letter.source}`)),
      link(pluginHref(letter.plugin), letter.plugin, { class: 'above' }),
      why(letter),
      format.number(letter.attempts),
      format.time(letter.died_at_ms),
      letter.discarded_at_ms === null
        ? el('span', { class: 'buttons' }, steer.redrive(letter.delivery, letter.plugin, after), steer.discard(letter.delivery, letter.plugin, after))
        : stateBadge('discarded'),
    ], { data: { delivery: letter.delivery } });
  }

  const fields = [
    pick('Plugin', 'plugin', pluginNames(), query),
    field('Event', 'event', query, { placeholder: 'any', autocomplete: 'off', size: 16 }),
    pick('Source', 'source', sources(), query),
    when(query),
  ];
  const chosen = filters({ page: 'dead', fields, changed: () => letters.reload(), signal });
  const letters = list({
    label: 'Dead letters',
    testid: 'dead',
    columns: COLUMNS,
    load: (cursor) => get('/dead', { ...chosen.query(), limit: PAGE, cursor }, signal),
    key: (letter) => letter.delivery,
    show: letterRow,
    empty: () => (chosen.any()
      ? emptyNote('No dead letter matches.', 'Clear the filters to see all.')
      : emptyNote('Nothing was given up.', 'A delivery is given up when its plugin refuses it for good, or when its last attempt fails. It is kept here until you redrive or discard it.')),
    signal,
  });
  root.append(
    heading('Dead letters', el('span', { class: 'grow' }), steer.many('redrive', chosen.query, after), steer.many('discard', chosen.query, after)),
    chosen.root,
    el('section', { class: 'card' }, letters.root),
  );
  on(['dead', 'operator', 'resync'], soon(500, () => letters.renew(), signal), signal);
  letters.reload();
}
