// What an operator does to events and deliveries; each after a question.

import { part, post, steps } from './api.js';
import { confirm } from './dialog.js';
import { el } from './dom.js';
import { number, plural, utc } from './format.js';
import { known } from './known.js';

function button(label, danger, testid, run) {
  return el('button', { type: 'button', class: danger ? 'danger above' : 'above', data: { testid }, on: { click: run } }, label);
}

// Hands an event to a plugin once more.
export function replay(event, after) {
  return button('Replay…', false, 'replay', async () => {
    const { name, deliveries, id } = event;
    const live = known.plugins.filter((plugin) => plugin.state !== 'refused').map((plugin) => plugin.name);
    const before = deliveries.find((item) => item.state === 'dead') ?? deliveries[0];
    const select = el('select', { name: 'plugin', required: true, data: { testid: 'replay-plugin' } },
      live.map((plugin) => el('option', { value: plugin, selected: plugin === before?.plugin }, plugin)));
    const done = await confirm({
      title: `Replay ${name}`,
      text: live.length === 0
        ? 'There is no plugin that it could be handed to.'
        : 'The event is handed over once more, as a new delivery. What the plugin did with it before is not undone.',
      body: live.length === 0 ? null : el('label', { class: 'field' }, el('span', {}, 'To the plugin'), select),
      action: 'Replay',
      run: async () => {
        const report = await post(`/events/${part(id)}/replay`, { plugin: select.value });
        return report.count === 0 ? 'Nothing was handed over.' : `Handed to ${select.value}.`;
      },
    });
    if (done) after();
  });
}

// Owed again, with as many attempts as a fresh delivery.
export function redrive(delivery, plugin, after) {
  return button('Redrive', false, 'redrive', async () => {
    const done = await confirm({
      title: 'Redrive this dead letter?',
      text: `It is handed to ${plugin} again, with as many attempts as a new delivery.`,
      action: 'Redrive',
      run: async () => {
        const report = await post(`/deliveries/${part(delivery)}/redrive`);
        return report.count === 0 ? 'It was no dead letter any more.' : `It is owed to ${plugin} again.`;
      },
    });
    if (done) after();
  });
}

export function discard(delivery, plugin, after) {
  return button('Discard', true, 'discard', async () => {
    const done = await confirm({
      title: 'Discard this dead letter?',
      text: `${plugin} will not get it. It is removed in time, with its event.`,
      action: 'Discard',
      danger: true,
      run: async () => {
        const report = await post(`/deliveries/${part(delivery)}/discard`);
        return report.count === 0 ? 'It was no dead letter any more.' : 'It is discarded.';
      },
    });
    if (done) after();
  });
}

function words([name, value]) {
  if (name === 'since_ms') return `given up since ${utc(value)}`;
  return name === 'until_ms' ? `given up before ${utc(value)}` : `${name} ${value}`;
}

// All that a filter finds. Says first how many that is.
export function many(verb, filter, after) {
  const redriving = verb === 'redrive';
  return button(redriving ? 'Redrive all that match…' : 'Discard all that match…', !redriving, `${verb}-all`, async () => {
    const chosen = filter();
    const body = Object.keys(chosen).length === 0 ? { all: true } : chosen;
    const where = Object.entries(chosen).filter(([, value]) => value !== undefined).map(words).join(', ');
    const counted = el('p', { class: 'strong', data: { testid: 'counted' } }, 'Counting…');
    steps(`/dead/${verb}`, { ...body, dry_run: true }).then(
      (count) => { counted.textContent = `This concerns ${plural(count, 'dead letter')}.`; },
      (error) => { counted.textContent = error.message; },
    );
    const done = await confirm({
      title: redriving ? 'Redrive dead letters?' : 'Discard dead letters?',
      text: [where ? `Those with ${where}.` : 'All there are.',
        redriving ? 'They are handed to their plugins again, each with all its attempts.' : 'Their plugins will not get them. They are removed in time, with their events.'],
      body: counted,
      action: redriving ? 'Redrive them' : 'Discard them',
      danger: !redriving,
      run: async (told) => {
        const count = await steps(`/dead/${verb}`, body, (n) => told(`${number(n)} so far…`));
        return redriving ? `${plural(count, 'dead letter is', 'dead letters are')} owed again.` : `${plural(count, 'dead letter is', 'dead letters are')} discarded.`;
      },
    });
    if (done) after();
  });
}

// The values that are hidden; that they were looked at is recorded.
export function reveal({ id, masked, shown }) {
  return button(`Reveal ${plural(masked, 'hidden value')}…`, false, 'reveal', () => confirm({
    title: 'Reveal hidden values?',
    text: `${plural(masked, 'value is', 'values are')} hidden, since they may be stream keys or other secrets. That you looked is recorded under Changes.`,
    action: 'Reveal',
    run: async () => {
      shown(await post(`/events/${part(id)}/reveal`));
      return 'They are shown until you leave this event.';
    },
  }));
}
