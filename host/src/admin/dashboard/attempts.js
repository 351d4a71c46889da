// The calls of plugins with an event: how each ended, what it said, what it sent.

import { el } from './dom.js';
import * as explain from './explain.js';
import * as format from './format.js';
import { digest, errorText, link, mono, outcomeBadge, pluginHref, stateBadge } from './pieces.js';

function body(label, record) {
  if (!record || (record.bytes === 0 && !record.kept)) return null;
  const kept = record.kept?.text ?? record.kept?.base64;
  return el('div', { class: 'body' },
    el('p', { class: 'muted' }, `${label}: ${format.bytes(record.bytes)}`, record.sha256 ? [', SHA-256 ', digest(record.sha256)] : null,
      kept === undefined ? null : record.kept.base64 === undefined ? ', the first of it:' : ', the first of it as base64:'),
    kept === undefined ? null : mono(kept));
}

function request(call) {
  const status = call.status === null ? 'off' : call.status < 400 ? 'good' : 'bad';
  return el('li', { class: 'call' },
    el('p', {},
      el('code', { class: 'strong' }, call.method), ' ', el('code', { class: 'url' }, call.url), ' ',
      call.status === null ? null : el('span', { class: `badge ${status}` }, String(call.status)),
      call.code ? el('span', { class: 'badge bad' }, call.code) : null,
      el('span', { class: 'muted' }, ` ${format.micros(call.duration_us)}`, call.address ? ` · ${call.address}` : '')),
    call.error ? el('p', { class: 'message' }, call.error) : null,
    body('Sent', call.request),
    body('Received', call.response));
}

function followed(attempt, delivery) {
  if (attempt.became === 'waiting') {
    const last = attempt.number === delivery.attempts && delivery.due_at_ms !== null;
    return last ? ['then tried again ', format.time(delivery.due_at_ms)] : ['then tried again'];
  }
  return [`then ${attempt.became}`];
}

function attempt(item, delivery, folded) {
  const key = `${item.delivery}#${item.number}`;
  const failed = item.outcome !== 'handled';
  const last = item.number === delivery.attempts;
  const unfolded = folded.has(key) ? folded.get(key) : last;
  const root = el('details', { class: 'attempt', open: unfolded, id: `attempt-${key}`, data: { testid: 'attempt' } },
    el('summary', {},
      el('span', { class: 'num' }, `#${item.number}`), ' ', outcomeBadge(item.outcome), ' ',
      el('span', {}, format.micros(item.duration_us)),
      el('span', { class: 'muted' }, ' · ', format.time(item.started_at_ms), ' · code ', digest(item.digest), ` · generation ${item.generation} · `, followed(item, delivery))),
    el('div', { class: 'attempt-body' },
      failed && item.blame ? el('p', { class: 'muted' }, `${explain.outcome(item.outcome)[1]}. Look first at ${explain.blame(item.blame)}.`) : null,
      item.error ? [el('h4', {}, 'Error'), mono(errorText(item.error), { class: 'error' })] : null,
      item.log ? [el('h4', {}, 'What it said'), mono(item.log.trimEnd(), { data: { testid: 'log' } })] : el('p', { class: 'muted' }, 'It logged nothing.'),
      item.calls.length > 0 ? [el('h4', {}, 'Requests that it sent'), el('ol', { class: 'plain' }, item.calls.map(request))] : null));
  root.addEventListener('toggle', () => folded.set(key, root.open));
  return root;
}

// A delivery with its attempts, the newest first. `act(delivery)` are its buttons.
export function delivery(item, attempts, folded, act) {
  const own = attempts.filter((a) => a.delivery === item.id).reverse();
  const why = item.state === 'dead' || item.state === 'discarded' ? item.reason && explain.reason(item.reason) : explain.state(item.state)[1];
  return el('section', { class: 'card delivery', data: { testid: 'delivery', plugin: item.plugin, state: item.state } },
    el('div', { class: 'card-head' },
      el('h3', {}, link(pluginHref(item.plugin), item.plugin)), stateBadge(item.state),
      item.replay ? el('span', { class: 'badge off', title: 'An operator asked for it' }, 'replay') : null,
      el('span', { class: 'grow' }), act(item)),
    item.state === 'succeeded' && item.attempts < 2 ? null : el('p', { class: 'muted' },
      why ? `${why}. ` : null,
      item.due_at_ms !== null && item.state === 'waiting' ? ['Next attempt ', format.time(item.due_at_ms), '. '] : null,
      item.waits_for ? ['It waits for delivery ', el('code', {}, item.waits_for), '. '] : null,
      item.attempts > 1 ? `${format.number(item.attempts)} attempts so far.` : null),
    own.map((a) => attempt(a, item, folded)));
}
