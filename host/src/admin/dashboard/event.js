// One event: was it genuine, who got it, what did they say, why did it fail.

import { get, part } from './api.js';
import { delivery } from './attempts.js';
import { el, put, soon } from './dom.js';
import * as format from './format.js';
import { copyButton, emptyNote, facts, link, mono, problemNote, section } from './pieces.js';
import * as steer from './steer.js';
import { on } from './stream.js';
import { pretty, tree } from './tree.js';

const RENEWED_EACH_MS = 300;

function about({ summary, secret }) {
  return facts([
    ['Received', format.time(summary.received_at_ms), el('span', { class: 'muted' }, ` ${format.utc(summary.received_at_ms)}`)],
    ['Genuine', el('span', { data: { testid: 'genuine' } }, 'it came with the secret ', el('strong', {}, secret), ' of source ', el('strong', {}, summary.source))],
    ['Id', el('code', { data: { testid: 'event-id' } }, summary.id), ' ', copyButton(() => summary.id, 'id')],
    ['Size', format.bytes(summary.bytes)],
    summary.repeats > 0 ? ['Repeated', `${format.plural(summary.repeats, 'time')}; each was answered with this id and handed to nobody`] : null,
  ]);
}

function content(view, revealed) {
  return [
    el('h2', {}, 'Content'),
    section('Event, as plugins get it', {}, view.typed
      ? tree(view.typed)
      : el('p', { class: 'muted' }, 'There is no typed form of it; plugins read the body.')),
    section('Body', { aside: copyButton(() => view.document, 'body') },
      el('p', { class: 'muted' }, 'As it was sent, without the shared secret',
        !revealed && view.masked > 0 ? `; ${format.plural(view.masked, 'value is', 'values are')} hidden.` : '.'),
      mono(pretty(view.document), { class: 'document', data: { testid: 'document' } })),
  ];
}

export function open(root, { subject, signal }) {
  const head = el('div', { class: 'page-head' }, el('h1', { tabindex: '-1' }, 'Event'));
  const facts_box = el('section', { class: 'card' });
  const left = el('div', { data: { testid: 'deliveries' } });
  const right = el('div');
  const note = el('div');
  const columns = el('div', { class: 'columns even' }, left, right);
  root.append(el('p', { class: 'crumb' }, link('#/events', 'Events')), head, note, facts_box, columns);
  const folded = new Map();
  const seen = { head: '', deliveries: '', content: '' };
  let revealed = null;

  // Draws a part only where it differs, and gives the focus back where it had it.
  function draw(name, place, text, make) {
    if (seen[name] === text) return;
    seen[name] = text;
    const focused = [...place.querySelectorAll('a, button, summary, pre')].indexOf(document.activeElement);
    put(place, make());
    if (focused >= 0) place.querySelectorAll('a, button, summary, pre')[focused]?.focus({ preventScroll: true });
  }

  function buttons(view) {
    return [
      steer.replay(view.summary, load),
      view.masked > 0 && !revealed ? steer.reveal({
        id: subject, masked: view.masked, shown: (whole) => { revealed = whole; show(view); },
      }) : null,
    ];
  }

  function show(view) {
    const { summary } = view;
    document.title = `${summary.name} · hookbox`;
    const texts = JSON.stringify([summary, view.secret, revealed !== null]);
    draw('head', head, texts, () => [el('h1', { tabindex: '-1', data: { testid: 'event-name' } }, summary.name), el('span', { class: 'grow' }), buttons(view)]);
    draw('facts', facts_box, JSON.stringify([summary.id, summary.repeats, view.secret]), () => about(view));
    const attempts = revealed?.attempts.length === view.attempts.length ? revealed.attempts : view.attempts;
    draw('deliveries', left, JSON.stringify([summary.deliveries, attempts]), () => [
      el('h2', {}, 'Deliveries'),
      summary.deliveries.length === 0
        ? emptyNote('No plugin was subscribed when it came.', 'It is kept. Replay hands it to a plugin that is here now.')
        : summary.deliveries.map((item) => delivery(item, attempts, folded, (d) => (d.state === 'dead'
          ? [steer.redrive(d.id, d.plugin, load), ' ', steer.discard(d.id, d.plugin, load)] : null))),
    ]);
    const whole = revealed ?? view;
    draw('content', right, JSON.stringify([whole.document, whole.typed]), () => content(whole, revealed !== null));
    put(note);
  }

  async function load() {
    try {
      const view = await get(`/events/${part(subject)}`, {}, signal);
      if (!signal.aborted) show(view);
    } catch (error) {
      if (signal.aborted) return;
      put(note, error.status === 404
        ? emptyNote('There is no such event.', 'It may have been removed after journal.keep_ms, or the address was not copied whole.')
        : problemNote(error, load));
      if (seen.head === '') {
        facts_box.hidden = true;
        columns.hidden = true;
      }
    }
  }

  const renew = soon(RENEWED_EACH_MS, load, signal);
  on(['attempt', 'dead', 'received'], (notice) => notice.event === subject && renew(), signal);
  on(['resync', 'operator'], renew, signal);
  load();
}
