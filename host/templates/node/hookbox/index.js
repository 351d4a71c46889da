// What a plugin uses of hookbox: its two exports, outcomes, logging, settings,
// state and HTTP. Short on purpose: what is missing here can be imported from
// `wasi:…` directly; `types` has the declarations.

/// <reference path="./types/plugin.d.ts" />

import * as host from '#host';
import { Failure, toFailure } from './failure.js';

export { Failure, reject, retry, retryAfter } from './failure.js';
export { request } from './http.js';

/** @typedef {import('hookbox:targetvideo/events@0.1.0').Event} Event */
/** @typedef {import('hookbox:targetvideo/events@0.1.0').Payload} Payload */
/** @typedef {import('hookbox:targetvideo/events@0.1.0').VideoChange} VideoChange */
/** @typedef {import('hookbox:plugin/types@0.1.0').Delivery} Delivery */
/** @typedef {import('hookbox:plugin/types@0.1.0').Want} Want */

/**
 * @typedef {object} Description
 * @property {string} name for display; a plugin's identity is its file's name
 * @property {string} version for display
 * @property {string[]} [events] as the sender spells them; left out: every event
 * @property {Want[]} [wants] what the plugin cannot do without
 * @property {(event: Event, delivery: Delivery) => void | Promise<void>} handle
 *   called once for each attempt, in a fresh instance. Returning is success;
 *   throw `retry`, `retryAfter` or `reject` for other outcomes. Any other
 *   exception is tried again, with its stack as the reason.
 */

/**
 * The two exports of a plugin: `export const { about, handler } = plugin({ … })`.
 *
 * @param {Description} description
 */
export function plugin({ name, version, events = [], wants = [], handle }) {
  return {
    about: { describe: () => ({ name, version, events, wants }) },
    handler: {
      /**
       * @param {Event} event
       * @param {Delivery} delivery
       */
      async handle(event, delivery) {
        try {
          await handle(event, delivery);
        } catch (error) {
          throw toFailure(error);
        }
      },
    },
  };
}

/** What a plugin can want of its operator. */
export const want = {
  /** Key-value state of its own. @returns {Want} */
  keyvalue: () => ({ tag: 'keyvalue' }),
  /** A setting. @param {string} key @returns {Want} */
  config: (key) => ({ tag: 'config', val: key }),
  /** A setting whose value is secret. @param {string} key @returns {Want} */
  secret: (key) => ({ tag: 'secret', val: key }),
  /** HTTP to `scheme://host[:port]`. @param {string} origin @returns {Want} */
  http: (origin) => ({ tag: 'http', val: origin }),
};

/** @typedef {import('wasi:logging/logging@0.1.0-draft').Level} Level */
/** @param {Level} level @returns {(message: string, context?: string) => void} */
const logAt = (level) => (message, context = '') => host.log(level, context, message);

/** Log lines with a level. `console.log` writes one at info, `console.error` at warn. */
export const log = {
  debug: logAt('debug'),
  info: logAt('info'),
  warn: logAt('warn'),
  error: logAt('error'),
};

/** Settings and secrets, read alike. */
export const config = {
  /** Undefined where the operator has not set it. @param {string} key */
  get: (key) => host.setting(key),
  /** Missing, the event is tried again. @param {string} key */
  required(key) {
    const value = host.setting(key);
    if (value === undefined) {
      throw new Failure({
        tag: 'retry',
        val:
          `the setting \`${key}\` is missing: the operator can set it by \`config\` or ` +
          "`secrets` in this plugin's section of the configuration",
      });
    }
    return value;
  },
};

const bucket = () => host.open('');

/**
 * State of the plugin's own. What a call writes is kept only if it succeeds, so
 * each delivery is seen exactly once.
 */
export const keyvalue = {
  /** @param {string} key @returns {Uint8Array | undefined} */
  get: (key) => bucket().get(key) ?? undefined,
  /** @param {string} key @param {Uint8Array | string} value */
  set(key, value) {
    bucket().set(key, typeof value === 'string' ? new TextEncoder().encode(value) : value);
  },
  /** @param {string} key @returns {string | undefined} */
  getText(key) {
    const value = this.get(key);
    return value && new TextDecoder().decode(value);
  },
  /** What `setJson` wrote. @param {string} key @returns {any} */
  getJson(key) {
    const text = this.getText(key);
    return text === undefined ? undefined : JSON.parse(text);
  },
  /** @param {string} key @param {unknown} value */
  setJson(key, value) {
    this.set(key, JSON.stringify(value));
  },
  /** @param {string} key */
  delete: (key) => bucket().delete(key),
  /** @param {string} key */
  exists: (key) => bucket().exists(key),
  /** Adds to a counter, 0 at first, and gives its new value. @param {string} key @param {number} [delta] */
  increment: (key, delta = 1) => Number(host.increment(bucket(), key, BigInt(delta))),
  /** All keys, in no order; its cost grows with the state. @returns {string[]} */
  keys() {
    /** @type {string[]} */
    const all = [];
    /** @type {bigint | undefined} */
    let cursor;
    do {
      const page = bucket().listKeys(cursor);
      all.push(...page.keys);
      cursor = page.cursor ?? undefined;
    } while (cursor !== undefined);
    return all;
  },
};
