// Stands in for the host in tests, which run natively:
// `node --conditions=hookbox-test --test`.

/// <reference path="./types/plugin.d.ts" />

/** @typedef {import('./index.js').Event} Event */
/** @typedef {import('./index.js').Delivery} Delivery */
/** @typedef {import('./failure.js').Variant} Variant */
/** @typedef {{ url: string, method: string, headers: Headers, body: string }} Sent */

/** The host of the test that runs. */
let current = /** @type {FakeHost | undefined} */ (undefined);

function host() {
  if (!current) throw new Error('make a `new FakeHost()` first');
  return current;
}

/** What the plugin sees of the host, and what it did there. */
export class FakeHost {
  /** Settings and secrets. @type {Record<string, string>} */
  config = {};
  /** What the next requests get, first to last. @type {Response[]} */
  answers = [];
  /** Requests that were sent. @type {Sent[]} */
  requests = [];
  /** Lines that `log` wrote. @type {{ level: string, context: string, message: string }[]} */
  lines = [];
  /** State. Counters are in it as text. @type {Map<string, Uint8Array>} */
  keyvalue = new Map();

  constructor() {
    current = this;
  }

  /**
   * Calls a plugin as hookbox does: state is kept only after success. Gives
   * undefined for that, or else the failure.
   *
   * @param {{ handle: (event: Event, delivery: Delivery) => Promise<void> }} handler
   * @param {Event} event
   * @param {Delivery} [to]
   * @returns {Promise<Variant | undefined>}
   */
  async deliver(handler, event, to = delivery()) {
    const before = new Map(this.keyvalue);
    try {
      await handler.handle(event, to);
      return undefined;
    } catch (failure) {
      this.keyvalue = before;
      return /** @type {Variant} */ (failure);
    }
  }
}

/** Lists that are always there, empty where nothing was found. */
const LISTS = {
  ids: ['delete-video', 'livestream-delete', 'livestreamschedule-delete'],
  videoIds: [
    ...['add-playlist', 'edit-playlist', 'add-videos-to-playlist'],
    ...['delete-video-from-playlist', 'sort-videos-in-playlist'],
  ],
};

/**
 * An event as hookbox hands it over: its name, the fields of its payload, and
 * what else of it should be other than usual.
 *
 * @param {string} name as the sender spells it: `add_video`
 * @param {Record<string, unknown>} [fields]
 * @param {Partial<Event>} [more]
 * @returns {Event}
 */
export function event(name, fields, more = {}) {
  const tag = name.replaceAll('_', '-');
  const lists = Object.entries(LISTS).filter(([, tags]) => tags.includes(tag));
  const val = { ...Object.fromEntries(lists.map(([list]) => [list, []])), ...fields };
  const payload = /** @type {any} */ (fields ? { tag, val } : { tag: 'other' });
  return { name, payload, extra: [], document: JSON.stringify({ event: name }), ...more };
}

/** A delivery: of the source `main`, the first attempt. @param {Partial<Delivery>} [more] @returns {Delivery} */
export const delivery = (more) => ({
  id: '00000000-0000-7000-8000-000000000001',
  eventId: '00000000-0000-7000-8000-000000000002',
  source: 'main',
  attempt: 1,
  receivedAt: 1_700_000_000_000n,
  replay: false,
  ...more,
});

// The rest is what `host.js` has.

/** @param {string} level @param {string} context @param {string} message */
export function log(level, context, message) {
  host().lines.push({ level, context, message });
}

/** @param {string} key */
export const setting = (key) => host().config[key];

const bucket = {
  get: (/** @type {string} */ key) => host().keyvalue.get(key),
  set: (/** @type {string} */ key, /** @type {Uint8Array} */ value) =>
    void host().keyvalue.set(key, value),
  delete: (/** @type {string} */ key) => void host().keyvalue.delete(key),
  exists: (/** @type {string} */ key) => host().keyvalue.has(key),
  /** @param {bigint} [_] @returns {{ keys: string[], cursor?: bigint }} */
  listKeys: (_) => ({ keys: [...host().keyvalue.keys()] }),
};

/** @param {string} _ */
export const open = (_) => bucket;

/** @param {typeof bucket} to @param {string} key @param {bigint} delta */
export function increment(to, key, delta) {
  const old = to.get(key);
  const sum = BigInt(old ? new TextDecoder().decode(old) : 0) + delta;
  to.set(key, new TextEncoder().encode(String(sum)));
  return sum;
}

/**
 * @param {string} url
 * @param {RequestInit} [init]
 * @returns {Promise<Response>}
 */
export async function send(url, init) {
  const sent = new Request(url, init);
  const { method, headers } = sent;
  host().requests.push({ url, method, headers, body: await sent.text() });
  const answer = host().answers.shift();
  if (!answer) throw new Error(`the test has no answer to ${method} ${url}`);
  return answer;
}
