// The filters above a list, kept in the page's address so that it can be shared
// and so that going back finds them again.

import { el, soon } from './dom.js';
import { now } from './format.js';
import { known } from './known.js';
import { choice } from './pieces.js';

const SPANS = [
  ['', 'any time'], ['900000', 'last 15 min'], ['3600000', 'last hour'],
  ['86400000', 'last 24 h'], ['604800000', 'last 7 days'], ['custom', 'between …'],
];
const TYPING_MS = 250;

export const sources = () => [['', 'any'], ...(known.status?.sources ?? []).map((name) => [name, name])];
export const pluginNames = () => [['', 'any'], ...known.plugins.map(({ name }) => [name, name])];

// A choice whose chosen value is there, even where it is not known (any more).
function withChosen(options, chosen) {
  return !chosen || options.some(([value]) => value === chosen) ? options : [...options, [chosen, chosen]];
}

export function pick(label, name, options, query) {
  const chosen = query.get(name) ?? '';
  return choice(label, name, withChosen(options, chosen), chosen);
}

export function field(label, name, query, props) {
  return el('label', { class: 'field' }, el('span', {}, label), el('input', { name, value: query.get(name) ?? '', ...props }));
}

// "When", with two fields that appear where they are asked for. They are in UTC, as
// the times in the log are.
export function when(query) {
  const since = field('From (UTC)', 'from', query, { type: 'datetime-local', step: 1 });
  const until = field('Until (UTC)', 'to', query, { type: 'datetime-local', step: 1 });
  const chosen = choice('When', 'when', SPANS, query.get('when') ?? '');
  const show = () => {
    const custom = chosen.querySelector('select').value === 'custom';
    since.hidden = !custom;
    until.hidden = !custom;
  };
  chosen.addEventListener('change', show);
  show();
  return [chosen, since, until];
}

function moment(text) {
  const ms = text ? Date.parse(`${text}Z`) : NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

// A form that tells of each change. `query()` is what the API is asked with.
export function filters({ page, fields, changed, signal }) {
  const clear = el('button', { type: 'button', class: 'quiet', data: { testid: 'clear' } }, 'Clear');
  const form = el('form', { class: 'filters', role: 'search' }, fields, clear);

  function given() {
    return [...new FormData(form)].filter(([, value]) => value !== '');
  }

  function tell() {
    const pairs = given().filter(([name]) => !['from', 'to'].includes(name) || form.elements.when?.value === 'custom');
    const text = new URLSearchParams(pairs).toString();
    history.replaceState(null, '', text ? `#/${page}?${text}` : `#/${page}`);
    clear.hidden = text === '';
    changed();
  }

  const typed = soon(TYPING_MS, tell, signal);
  form.addEventListener('input', (event) => (event.target.tagName === 'SELECT' ? tell() : typed()));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    tell();
  });
  clear.addEventListener('click', () => {
    for (const element of form.elements) if (element.name) element.value = '';
    for (const select of form.querySelectorAll('select')) select.dispatchEvent(new Event('change', { bubbles: true }));
    tell();
  });
  clear.hidden = given().length === 0;

  function query() {
    const { when: span, from, to, ...rest } = Object.fromEntries(given());
    if (span === 'custom') return { ...rest, since_ms: moment(from), until_ms: moment(to) };
    return span ? { ...rest, since_ms: Math.round(now() - Number(span)) } : rest;
  }

  return { root: form, query, any: () => Object.keys(query()).length > 0 };
}
