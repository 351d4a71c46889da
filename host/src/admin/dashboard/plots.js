// Small plots of a number over the last half hour, or less while the server is younger, with what
// they show in words.

import { el, put, svg } from './dom.js';
import { clock, number, rate, span } from './format.js';

const WIDTH = 300;
const HEIGHT = 48;
const WINDOWS_MS = [2, 5, 15, 30].map((minutes) => minutes * 60 * 1_000);

// `gauge`: values are levels at the end of each step; else counts within it, shown
// per second.
export function plot({ label, tone, gauge }) {
  const area = svg('path', { class: 'plot-area' });
  const line = svg('path', { class: 'plot-line', 'vector-effect': 'non-scaling-stroke' });
  const mark = svg('line', { class: 'plot-mark', y1: 0, y2: HEIGHT, visibility: 'hidden', 'vector-effect': 'non-scaling-stroke' });
  const title = svg('title');
  const picture = svg('svg', {
    class: `plot tone-${tone}`, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img',
  }, title, area, line, mark);
  const left = el('span', {}, '');
  const right = el('span', {}, '');
  const root = el('div', { class: 'plot-box' }, picture, el('div', { class: 'plot-legend' }, left, right));
  let points = [];
  let rest = '';

  const say = (value) => (gauge ? number(value) : `${rate(value)}/s`);

  function draw(series, values) {
    // A server that has counted nothing yet has no steps.
    if (!(series.step_ms > 0)) return;
    const step_s = series.step_ms / 1_000;
    // The last step is not over: its count would look like a fall.
    const whole = gauge || values.length < 2 ? values : values.slice(0, -1);
    const end_ms = series.end_ms - (whole.length < values.length ? series.step_ms : 0);
    const windows = WINDOWS_MS.map((window_ms) => Math.round(window_ms / series.step_ms));
    const slots = windows.find((window) => window >= whole.length) ?? whole.length;
    const scaled = whole.map((value) => (gauge ? value : value / step_s));
    const most = Math.max(0, ...scaled);
    const room = most > 0 ? most * 1.08 : 1;
    points = scaled.map((value, i) => ({
      x: slots > 1 ? ((slots - scaled.length + i) / (slots - 1)) * WIDTH : WIDTH,
      y: HEIGHT - 1 - (value / room) * (HEIGHT - 3),
      value,
      at_ms: end_ms - (scaled.length - 1 - i) * series.step_ms,
    }));
    const path = points.map((p, i) => `${i === 0 ? 'M' : 'L'}${p.x.toFixed(1)} ${p.y.toFixed(1)}`).join('');
    line.setAttribute('d', path);
    area.setAttribute('d', points.length > 0 ? `${path}V${HEIGHT}H${points[0].x.toFixed(1)}Z` : '');
    const peak = points.reduce((best, p) => (p.value > (best?.value ?? 0) ? p : best), null);
    rest = peak ? `peak ${say(peak.value)}` : 'none';
    const words = peak ? `at most ${say(peak.value)}, at ${clock(peak.at_ms)} UTC` : 'nothing';
    title.textContent = `${label} in the last ${span(slots * series.step_ms)}: ${words}`;
    put(left, `−${span(slots * series.step_ms)}`);
    if (mark.getAttribute('visibility') === 'hidden') put(right, rest);
  }

  picture.addEventListener('pointermove', (event) => {
    if (points.length === 0) return;
    const box = picture.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * WIDTH;
    const near = points.reduce((best, p) => (Math.abs(p.x - x) < Math.abs(best.x - x) ? p : best));
    mark.setAttribute('x1', near.x);
    mark.setAttribute('x2', near.x);
    mark.setAttribute('visibility', 'visible');
    put(right, `${say(near.value)} at ${clock(near.at_ms)}`);
  });
  picture.addEventListener('pointerleave', () => {
    mark.setAttribute('visibility', 'hidden');
    put(right, rest);
  });
  return { root, draw };
}
