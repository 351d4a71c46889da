// A list that goes back page by page and stays up to date at its beginning.
//
// Invariant: what is renewed keeps its rows, so that the focus, a selection and
// what was unfolded stay.

import { arrange, el, put } from './dom.js';
import { emptyNote, problemNote } from './pieces.js';

// Pages without items that are read on by themselves: a filter can skip many rows.
const BARREN_PAGES_MAX = 5;

// Roles are named, since narrow screens show rows as cards, and browsers then take
// them for no table any more.
export function table(label, columns, props) {
  const head = el('tr', { role: 'row' }, columns.map(([text, kind, title]) => el('th', { scope: 'col', role: 'columnheader', class: kind, title }, text)));
  const body = el('tbody', { role: 'rowgroup' });
  const root = el('table', { role: 'table', 'aria-label': label, ...props }, el('thead', { role: 'rowgroup' }, head), body);
  return { root, body };
}

// A row whose cells know their column's name, for narrow screens.
export function row(columns, cells, props) {
  return el('tr', { role: 'row', ...props }, cells.map((cell, i) => el('td', { role: 'cell', class: columns[i][1], data: { label: columns[i][0] } }, cell)));
}

// `load(cursor)` answers a page, `key(item)` is its identity, `show(item)` its
// row, `empty()` what stands there when there is none.
export function list({ label, columns, load, key, show, empty, testid, signal }) {
  const { root: grid, body } = table(label, columns, { data: { testid } });
  const older = el('button', { type: 'button', data: { testid: 'older' } }, 'Older');
  const note = el('div', { 'aria-live': 'polite' });
  const root = el('div', { class: 'list', 'aria-busy': 'true' }, grid, note, el('div', { class: 'more' }, older));
  const rows = new Map();
  let items = [];
  let next = null;
  let turn = 0;
  older.hidden = true;

  function rowOf(item) {
    const id = key(item);
    const text = JSON.stringify(item);
    const old = rows.get(id);
    if (old?.text === text) return old.node;
    const node = show(item);
    if (old && old.node.contains(document.activeElement)) {
      const at = [...old.node.querySelectorAll('a, button')].indexOf(document.activeElement);
      queueMicrotask(() => node.querySelectorAll('a, button')[at]?.focus());
    }
    rows.set(id, { text, node });
    return node;
  }

  function draw() {
    const kept = new Set(items.map(key));
    for (const id of rows.keys()) if (!kept.has(id)) rows.delete(id);
    arrange(body, items.map(rowOf));
    grid.hidden = items.length === 0;
    older.hidden = next === null;
    older.textContent = items.length === 0 ? 'Search further back' : 'Older';
    if (items.length > 0) put(note);
    else put(note, next === null ? empty() : emptyNote('Nothing found so far.'));
    root.setAttribute('aria-busy', 'false');
  }

  async function read(cursor) {
    let page = await load(cursor);
    for (let n = 1; page.items.length === 0 && page.next && n < BARREN_PAGES_MAX; n += 1) page = await load(page.next);
    return page;
  }

  // `step` answers what there is then. Only the newest one counts.
  async function run(step, loud) {
    turn += 1;
    const own = turn;
    try {
      const found = await step();
      if (own !== turn || signal.aborted) return;
      ({ items, next } = found);
      draw();
    } catch (error) {
      if (own !== turn || signal.aborted) return;
      root.setAttribute('aria-busy', 'false');
      if (loud) put(note, problemNote(error, reload));
    }
  }

  // From the beginning, forgetting what was there.
  function reload() {
    root.setAttribute('aria-busy', 'true');
    return run(() => read(), true);
  }

  // The beginning anew; older rows stay where they still join on. It gives way to
  // what someone waits for.
  function renew() {
    if (older.disabled || root.getAttribute('aria-busy') === 'true') return Promise.resolve();
    return run(async () => {
      const page = await read();
      const last = page.items.at(-1);
      const joins = last ? items.findIndex((item) => key(item) === key(last)) : -1;
      if (joins < 0 || page.next === null) return page;
      return { items: [...page.items, ...items.slice(joins + 1)], next };
    }, false);
  }

  older.addEventListener('click', () => {
    older.disabled = true;
    run(async () => {
      const page = await read(next);
      const had = new Set(items.map(key));
      return { items: [...items, ...page.items.filter((item) => !had.has(key(item)))], next: page.next };
    }, true).finally(() => { older.disabled = false; });
  });

  return { root, reload, renew, count: () => items.length };
}
