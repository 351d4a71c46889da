// Small pieces that every page is made of: badges, digests, ids, empty states,
// error texts.

import { el, put } from './dom.js';
import * as explain from './explain.js';

function badge([tone, meaning], code, label) {
  return el('span', { class: `badge ${tone}`, title: meaning, data: { code } }, label ?? explain.label(code));
}

export const stateBadge = (code, label) => badge(explain.state(code), code, label);
export const outcomeBadge = (code) => badge(explain.outcome(code), code);

export function changeBadge(code) {
  const [tone, label] = explain.change(code);
  return badge([tone, code], code, label);
}

async function toClipboard(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Without HTTPS there is no clipboard but this way.
  const area = el('textarea', { class: 'offscreen', 'aria-hidden': 'true' });
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
}

export function copyButton(text, what) {
  const button = el('button', { type: 'button', class: 'copy', 'aria-label': `Copy ${what}`, title: `Copy ${what}` }, 'copy');
  button.addEventListener('click', () => {
    toClipboard(text()).then(
      () => { button.textContent = 'copied'; },
      () => { button.textContent = 'not allowed'; },
    );
    setTimeout(() => { button.textContent = 'copy'; }, 1_500);
  });
  return button;
}

// The short form that logs have, whole in the title and when it is copied.
export function digest(hex, copy = false) {
  if (!hex) return el('span', { class: 'muted' }, '–');
  const code = el('code', { title: `SHA-256 ${hex}`, data: { digest: hex } }, hex.slice(0, 12));
  return copy ? el('span', { class: 'nowrap' }, code, ' ', copyButton(() => hex, 'digest')) : code;
}

// Ids of one moment begin alike: what tells them apart is at the end.
export function shortId(id) {
  return el('code', { class: 'muted', title: id }, `…${id.slice(-8)}`);
}

export const pluginHref = (name) => `#/plugins/${encodeURIComponent(name)}`;
export const eventHref = (id) => `#/events/${encodeURIComponent(id)}`;

export function link(href, text, props) {
  return el('a', { href, ...props }, text);
}

export function emptyNote(title, ...advice) {
  return el('div', { class: 'empty' }, el('p', { class: 'empty-title' }, title), advice.map((text) => el('p', {}, text)));
}

// Says what went wrong, with a way to try again.
export function problemNote(error, retry) {
  const detail = error.message || 'Something went wrong.';
  return el('div', { class: 'problem', role: 'alert' },
    el('span', {}, detail),
    error.code && error.code !== 'unreachable' ? el('code', {}, error.code) : null,
    retry ? el('button', { type: 'button', on: { click: retry } }, 'Try again') : null);
}

export function section(title, props, ...children) {
  const { aside, ...rest } = props ?? {};
  return el('section', { class: 'card', ...rest },
    el('div', { class: 'card-head' }, el('h2', {}, title), aside),
    children);
}

// Names and values.
export function facts(pairs) {
  return el('dl', { class: 'facts' }, pairs.filter(Boolean).map(([name, ...value]) => [
    el('dt', {}, name),
    el('dd', {}, value),
  ]));
}

export function heading(text, ...beside) {
  return el('div', { class: 'page-head' }, el('h1', { tabindex: '-1' }, text), beside);
}

// Text of any length in the fixed font, the first of it at first.
export function mono(text, props) {
  const MOST = 20_000;
  const pre = el('pre', { tabindex: '0', ...props });
  put(pre, text.length > MOST ? text.slice(0, MOST) : text);
  if (text.length <= MOST) return pre;
  const more = el('button', { type: 'button' }, `Show all of it (${Math.ceil(text.length / 1_024)} KiB)`);
  more.addEventListener('click', () => {
    put(pre, text);
    more.remove();
  });
  return el('div', {}, pre, more);
}

// An error, with the functions of a trap on lines of their own, innermost first. What
// stands before a name does not break off from it.
export function errorText(text) {
  if (!text.startsWith('wasm trap')) return text;
  return text.replace(', in ', '\n\u00a0\u00a0in\u00a0').replaceAll(' < ', '\n\u00a0\u00a0\u00a0<\u00a0');
}

// A choice in a filter.
export function choice(label, name, options, chosen) {
  const select = el('select', { name }, options.map(([value, text]) => el('option', { value, selected: value === chosen }, text)));
  return el('label', { class: 'field' }, el('span', {}, label), select);
}
