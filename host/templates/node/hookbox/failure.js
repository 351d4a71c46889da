// Outcomes other than success, and what becomes of exceptions.

/** @typedef {import('hookbox:plugin/types@0.1.0').Failure} Variant */

/** The longest wait that hookbox keeps to: seven days. */
const AFTER_MS_MAX = 604_800_000;

/** Thrown by a handler to say what hookbox should do. */
export class Failure extends Error {
  /** @param {Variant} variant */
  constructor(variant) {
    super(typeof variant.val === 'string' ? variant.val : variant.val.reason);
    this.name = 'Failure';
    this.variant = variant;
  }
}

/** `throw retry(…)`: it may work later. @param {string} reason for the operator */
export const retry = (reason) => new Failure({ tag: 'retry', val: reason });

/**
 * `throw retryAfter(…)`: it may work later, not before that time.
 *
 * @param {string} reason for the operator
 * @param {number} afterMs milliseconds from now, at most seven days
 */
export function retryAfter(reason, afterMs) {
  const after = BigInt(Math.min(Math.max(0, Math.ceil(afterMs)), AFTER_MS_MAX));
  return new Failure({ tag: 'retry-after', val: { reason, afterMs: after } });
}

/** `throw reject(…)`: never try again. @param {string} reason for the operator */
export const reject = (reason) => new Failure({ tag: 'reject', val: reason });

/**
 * The outcome of what a handler threw.
 *
 * @param {unknown} error
 * @returns {unknown}
 */
export function toFailure(error) {
  if (error instanceof Failure) return error.variant;
  // The call ends by it, and hookbox names the limit.
  if (error === 'out of memory') return error;
  // An error of one of the host's interfaces comes as a payload.
  if (error instanceof Object && 'payload' in error) {
    return retry(`refused by the host: ${shown(error.payload)}`).variant;
  }
  if (!(error instanceof Error)) return retry(`thrown: ${shown(error)}`).variant;
  const text = `${error.name}: ${error.message}`;
  const stack = frames(error.stack ?? '');
  const cause = error.cause === undefined ? '' : `\ncaused by ${shown(error.cause)}`;
  return retry([text, ...stack].join('\n') + cause).variant;
}

/** @param {unknown} value */
function shown(value) {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (typeof value === 'string') return value;
  const plain = (/** @type {string} */ _, /** @type {unknown} */ v) =>
    typeof v === 'bigint' ? String(v) : v;
  return JSON.stringify(value, plain) ?? String(value);
}

/**
 * The stack with the lines of the sources instead of those of the bundle
 * (`build.mjs` left a table). What is not of the plugin is left out.
 *
 * @param {string} stack as SpiderMonkey has it: `function@file:line:column`
 */
function frames(stack) {
  /** @type {(string | null)[] | undefined} */
  const lines = /** @type {any} */ (globalThis).__hookboxLines;
  // In a test: as the engine there has it.
  if (!lines) return stack.split('\n').slice(1);
  return stack.split('\n').flatMap((frame) => {
    const [, name, line] = /^(.*)@.*plugin\.bundle\.js:(\d+):\d+$/.exec(frame) ?? [];
    const place = lines[Number(line) - 1];
    return place ? [`    at ${name || '(top level)'} (${place})`] : [];
  });
}
