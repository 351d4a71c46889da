// Numbers, sizes and times as people read them. Times are of the server's clock,
// which the browser's may differ from.

import { el } from './dom.js';

const THIN = '\u202f';
let ahead_ms = 0;

// What the server's clock says now, by an answer that just came.
export function setClock(server_ms) {
  ahead_ms = server_ms - Date.now();
}

export function now() {
  return Date.now() + ahead_ms;
}

export function number(value) {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, THIN);
}

export function plural(count, one, many = `${one}s`) {
  return `${number(count)} ${count === 1 ? one : many}`;
}

// Per second.
export function rate(value) {
  if (value >= 9.95) return number(value);
  if (value > 0 && value < 0.1) return '<0.1';
  return value === 0 ? '0' : value.toFixed(1);
}

export function micros(us) {
  if (us < 1_000) return `${us}${THIN}µs`;
  if (us < 9_995) return `${(us / 1_000).toFixed(2)}${THIN}ms`;
  if (us < 99_950) return `${(us / 1_000).toFixed(1)}${THIN}ms`;
  if (us < 999_500) return `${Math.round(us / 1_000)}${THIN}ms`;
  return `${(us / 1_000_000).toFixed(us < 9_950_000 ? 2 : 1)}${THIN}s`;
}

export function bytes(count) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = count;
  let unit = 0;
  while (value >= 1_024 && unit < units.length - 1) {
    value /= 1_024;
    unit += 1;
  }
  return `${unit === 0 || value >= 99.5 ? number(value) : value.toFixed(1)}${THIN}${units[unit]}`;
}

export function span(ms) {
  const s = Math.floor(Math.abs(ms) / 1_000);
  if (s < 60) return `${s}${THIN}s`;
  if (s < 3_600) return `${Math.floor(s / 60)}${THIN}min`;
  if (s < 86_400) return `${Math.floor(s / 3_600)}${THIN}h`;
  return `${Math.floor(s / 86_400)}${THIN}d`;
}

// With a second unit: `2 d 3 h`.
export function longSpan(ms) {
  const s = Math.floor(ms / 1_000);
  if (s < 60) return span(ms);
  const rest = s < 3_600 ? s % 60 : s < 86_400 ? s % 3_600 : s % 86_400;
  return rest === 0 || s < 600 && rest < 1 ? span(ms) : `${span(ms)} ${span(rest * 1_000)}`;
}

export function utc(ms) {
  return new Date(ms).toISOString().replace('T', ' ').replace('Z', ' UTC');
}

export function clock(ms) {
  return new Date(ms).toISOString().slice(11, 19);
}

function relative(ms) {
  const past = now() - ms;
  if (Math.abs(past) < 1_000) return 'now';
  return past > 0 ? `${span(past)} ago` : `in ${span(past)}`;
}

// A time that stays relative to now, with the full one in its title.
export function time(ms) {
  if (ms === null || ms === undefined) return el('span', { class: 'muted' }, '–');
  const iso = new Date(ms).toISOString();
  return el('time', { datetime: iso, title: utc(ms), data: { ms } }, relative(ms));
}

// A time of the day in UTC, for lines that follow each other.
export function clockTime(ms) {
  return el('time', { datetime: new Date(ms).toISOString(), title: utc(ms) }, clock(ms));
}

// Brings all relative times on the page up to now.
export function renewTimes() {
  for (const element of document.querySelectorAll('time[data-ms]')) {
    const text = relative(Number(element.dataset.ms));
    if (element.textContent !== text) element.textContent = text;
  }
}

// The first line of a text that may have many.
export function firstLine(text) {
  return text === null || text === undefined ? '' : text.split('\n', 1)[0];
}
