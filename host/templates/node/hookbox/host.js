// What the host offers, by the plugin interface. In tests `testing.js` stands in
// its place: see `imports` in package.json here.

export { log } from 'wasi:logging/logging@0.1.0-draft';
export { get as setting } from 'wasi:config/store@0.2.0-rc.1';
export { open } from 'wasi:keyvalue/store@0.2.0-draft';
export { increment } from 'wasi:keyvalue/atomics@0.2.0-draft';

/**
 * The engine's `fetch`, on the outgoing HTTP of the host.
 *
 * @param {string} url
 * @param {RequestInit} [init]
 */
export const send = (url, init) => fetch(url, init);
