// JSON as a tree that can be read, and as text that keeps every digit.

import { el } from './dom.js';
import { number, plural } from './format.js';

const CHILDREN_MAX = 200;
const OPEN_DEPTH = 6;
const HIDDEN = '[hidden]';

// Nothing was sent for these.
function blank(value) {
  return value === null || (Array.isArray(value) && value.length === 0);
}

function leaf(value) {
  if (value === HIDDEN) return el('span', { class: 'badge off', title: 'Hidden, since it may be a secret. It can be revealed' }, 'hidden');
  const kind = value === null ? 'null' : typeof value;
  return el('span', { class: `value ${kind}` }, typeof value === 'string' ? value : JSON.stringify(value));
}

function children(entries, depth) {
  const list = el('ul', { class: 'tree' });
  let shown = 0;
  function more() {
    const part = entries.slice(shown, shown + CHILDREN_MAX);
    shown += part.length;
    list.append(...part.map(([name, value]) => node(name, value, depth)));
    if (shown < entries.length) {
      const button = el('button', { type: 'button' }, `${number(entries.length - shown)} more`);
      const item = el('li', {}, button);
      button.addEventListener('click', () => {
        item.remove();
        more();
      });
      list.append(item);
    }
  }
  more();
  return list;
}

function node(name, value, depth) {
  const key = el('span', { class: 'key' }, name);
  if (value === null || typeof value !== 'object') return el('li', {}, key, ' ', leaf(value));
  const entries = Object.entries(value);
  const count = Array.isArray(value) ? plural(entries.length, 'item') : '';
  if (entries.length === 0) return el('li', {}, key, ' ', el('span', { class: 'value null' }, Array.isArray(value) ? 'empty list' : 'empty'));
  if (Array.isArray(value) && entries.length <= 12 && value.every((v) => v === null || typeof v !== 'object')) {
    return el('li', {}, key, ' ', value.map((v, i) => [i > 0 ? ', ' : '', leaf(v)]));
  }
  return el('li', {}, el('details', { open: depth < OPEN_DEPTH },
    el('summary', {}, key, count ? el('span', { class: 'muted' }, ` ${count}`) : null),
    children(entries, depth + 1)));
}

// Without the fields that nothing was sent for, and how many they are.
function trimmed(value) {
  let left_out = 0;
  function go(item) {
    if (Array.isArray(item)) return item.map(go);
    if (item === null || typeof item !== 'object') return item;
    const kept = Object.entries(item).filter(([, v]) => !blank(v));
    left_out += Object.keys(item).length - kept.length;
    return Object.fromEntries(kept.map(([k, v]) => [k, go(v)]));
  }
  return [go(value), left_out];
}

export function tree(value) {
  const [short, left_out] = trimmed(value);
  const root = el('div', { data: { testid: 'typed' } });
  const entries = (of) => children(Object.entries(of ?? {}), 0);
  root.append(entries(short));
  if (left_out > 0) {
    const all = el('button', { type: 'button', class: 'quiet' }, `Show ${number(left_out)} fields that were not sent`);
    all.addEventListener('click', () => root.replaceChildren(entries(value)));
    root.append(all);
  }
  return root;
}

// Indents JSON text without reading its values: a number of 30 digits keeps them.
export function pretty(text) {
  let out = '';
  let depth = 0;
  const line = () => `\n${'  '.repeat(depth)}`;
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
  for (let i = 0; i < tokens.length; i += 1) {
    const token = tokens[i];
    if (token === '{' || token === '[') {
      const close = token === '{' ? '}' : ']';
      if (tokens[i + 1] === close) {
        out += token + close;
        i += 1;
      } else {
        depth += 1;
        out += token + line();
      }
    } else if (token === '}' || token === ']') {
      depth = Math.max(0, depth - 1);
      out += line() + token;
    } else if (token === ',') out += token + line();
    else out += token === ':' ? ': ' : token;
  }
  return out;
}
