// Requests that were turned away: was it genuine, and if not, what was wrong.

import { get } from './api.js';
import { el, soon } from './dom.js';
import * as explain from './explain.js';
import { filters, pick, sources, when } from './filters.js';
import * as format from './format.js';
import { list, row } from './list.js';
import { digest, emptyNote, heading } from './pieces.js';
import { on } from './stream.js';

const COLUMNS = [['When'], ['Why', 'wide'], ['Answer', 'num'], ['Source'], ['From'], ['Size', 'num'], ['Body, SHA-256']];
const PAGE = 50;

function refusalRow(item) {
  return row(COLUMNS, [
    format.time(item.at_ms),
    el('span', {}, explain.refusal(item.code), ' ', el('code', { class: 'muted' }, item.code)),
    String(item.status),
    item.source || '–',
    el('code', {}, item.peer),
    item.bytes === null ? el('span', { class: 'muted', title: 'The body was not read' }, '–') : format.bytes(item.bytes),
    item.sha256 ? digest(item.sha256, true) : el('span', { class: 'muted', title: 'Not kept where the body was not read, or may hold a right secret' }, '–'),
  ], { data: { code: item.code } });
}

export function open(root, { query, signal }) {
  const codes = explain.REFUSAL_CODES.map((code) => [code, explain.refusal(code)]);
  const fields = [
    pick('Why', 'code', [['', 'any'], ...codes], query),
    pick('Source', 'source', sources(), query),
    when(query),
  ];
  const chosen = filters({ page: 'refusals', fields, changed: () => refusals.reload(), signal });
  const refusals = list({
    label: 'Refusals',
    testid: 'refusals',
    columns: COLUMNS,
    load: (cursor) => get('/refusals', { ...chosen.query(), limit: PAGE, cursor }, signal),
    key: (item) => item.id,
    show: refusalRow,
    empty: () => (chosen.any()
      ? emptyNote('No refused request matches.', 'Clear the filters to see all.')
      : emptyNote('No request was refused.', 'A webhook with a wrong secret, to a wrong path, or with a body that cannot be read would be noted here, with its reason and without its body.')),
    signal,
  });
  root.append(heading('Refusals'), chosen.root, el('section', { class: 'card' }, refusals.root));
  // The journal takes notes of refusals once a second, so that one from just now
  // may not be there yet.
  const later = soon(1500, () => refusals.renew(), signal);
  on(['refused', 'resync'], later, signal);
  refusals.reload();
  later();
}
