// All events, newest first: did it arrive, and what became of it.

import { get } from './api.js';
import { el, soon } from './dom.js';
import * as explain from './explain.js';
import { field, filters, pick, pluginNames, sources, when } from './filters.js';
import * as format from './format.js';
import { list, row } from './list.js';
import { emptyNote, eventHref, heading, link, shortId, stateBadge } from './pieces.js';
import { on } from './stream.js';

const COLUMNS = [['Event'], ['Source'], ['Received'], ['Deliveries', 'wide'], ['Size', 'num'], ['Id']];
const PAGE = 50;
// Deliveries that a row names; an event can have hundreds.
const NAMED_MAX = 6;
const RENEWED_EACH_MS = 700;
// Events that came while someone reads further down wait for a click.
const READING_PX = 240;
const NAMES = [
  'add_video', 'edit_video', 'delete_video', 'video_encoded', 'sd_encoded', 'add_playlist', 'edit_playlist',
  'add_videos_to_playlist', 'delete_video_from_playlist', 'sort_videos_in_playlist', 'edit_snapshot',
  'livestream_add_v2', 'livestream_edit', 'livestream_delete', 'livestreamschedule_add',
  'livestreamschedule_edit', 'livestreamschedule_delete',
];

// What went well is quiet; the rest stands out.
function chip(item) {
  const title = `${item.plugin}: ${explain.state(item.state)[1]}, ${format.plural(item.attempts, 'attempt')}`;
  if (item.state === 'succeeded') {
    return el('span', { class: 'went-well', title }, item.plugin, el('span', { class: 'offscreen' }, ' succeeded'));
  }
  const badge = stateBadge(item.state, `${item.plugin} ${item.state}`);
  badge.title = title;
  return badge;
}

function deliveries(event) {
  const all = event.deliveries;
  if (all.length === 0) return stateBadge('unrouted');
  return el('span', { class: 'chips' },
    all.slice(0, NAMED_MAX).map(chip),
    all.length > NAMED_MAX ? el('span', { class: 'muted' }, `and ${all.length - NAMED_MAX} more`) : null);
}

function eventRow(event) {
  return row(COLUMNS, [
    el('span', {}, link(eventHref(event.id), event.name, { class: 'row-link strong' }),
      event.repeats > 0 ? el('span', { class: 'muted', title: 'The same body came again and was answered with this id' }, ` +${event.repeats} repeated`) : null),
    event.source,
    format.time(event.received_at_ms),
    deliveries(event),
    format.bytes(event.bytes),
    shortId(event.id),
  ], { data: { event: event.id } });
}

function empty(filtered) {
  return filtered
    ? emptyNote('No event matches.', el('span', {}, 'If the sender says that it posted it, look at ', link('#/refusals', 'what was refused'), ', or clear the filters.'))
    : emptyNote('No webhook has arrived yet.', el('span', {}, 'Set the sender up with the address that the overview names, or look at ', link('#/refusals', 'what was refused'), '.'));
}

function names() {
  return el('datalist', { id: 'event-names' }, NAMES.map((name) => el('option', { value: name })));
}

export function open(root, { query, signal }) {
  const fresh = el('button', { type: 'button', class: 'fresh', hidden: true }, 'Newer events have come: show them');
  const fields = [
    field('Text in name, id or body', 'text', query, { type: 'search', id: 'search', placeholder: 'e.g. 734392', data: { testid: 'search' }, autocomplete: 'off', spellcheck: 'false' }),
    field('Event', 'event', query, { list: 'event-names', placeholder: 'any', autocomplete: 'off', size: 14 }),
    pick('Source', 'source', sources(), query),
    pick('Plugin', 'plugin', pluginNames(), query),
    pick('State', 'state', [['', 'any'], ...explain.STATE_CODES.map((code) => [code, code])], query),
    when(query),
    names(),
  ];
  const chosen = filters({ page: 'events', fields, changed: () => events.reload(), signal });
  const events = list({
    label: 'Events',
    testid: 'events',
    columns: COLUMNS,
    load: (cursor) => get('/events', { ...chosen.query(), limit: PAGE, cursor }, signal),
    key: (event) => event.id,
    show: eventRow,
    empty: () => empty(chosen.any()),
    signal,
  });
  root.append(heading('Events'), chosen.root, fresh, el('section', { class: 'card' }, events.root));
  fresh.addEventListener('click', () => {
    fresh.hidden = true;
    window.scrollTo(0, 0);
    events.renew();
  });

  const renew = soon(RENEWED_EACH_MS, () => {
    if (document.hidden) return;
    if (window.scrollY > READING_PX) fresh.hidden = false;
    else {
      fresh.hidden = true;
      events.renew();
    }
  }, signal);
  on(['received', 'attempt', 'dead', 'resync', 'operator'], renew, signal);
  document.addEventListener('visibilitychange', renew, { signal });
  events.reload();
  if (query.has('search')) queueMicrotask(() => document.getElementById('search')?.focus());
}
