// Requests whose answers become outcomes.

import * as host from '#host';
import { reject, retry, retryAfter } from './failure.js';

/** Characters of an answer's body that an operator is shown. */
const SHOWN_CHARS_MAX = 200;

/**
 * Sends a request, and gives the answer if its status is 200 to 299. What most
 * services mean by another status becomes the outcome: 408, 425, 429 and 500 on
 * are tried again (by `Retry-After`, if there is one), as are redirects, which
 * are not followed; other 400 to 499 are rejected. Where a service means
 * something else, use `fetch`, which this is made of.
 *
 * @param {string} url
 * @param {RequestInit} [init]
 * @returns {Promise<Response>}
 */
export async function request(url, init) {
  const { origin } = new URL(url);
  let response;
  try {
    response = await host.send(url, init);
  } catch (error) {
    // hookbox logs why, beside this attempt. The path may hold a secret.
    throw retry(`no answer from ${origin}: ${error instanceof Error ? error.message : error}`);
  }
  const { status, ok } = response;
  if (ok) return response;
  const text = (await response.text()).trim().slice(0, SHOWN_CHARS_MAX);
  const redirect = status >= 300 && status < 400 ? ' (redirects are not followed)' : '';
  const reason = `${origin} answered ${status}${redirect}${text && `: ${text}`}`;
  if ([408, 425, 429].includes(status) || status >= 500) {
    const afterMs = wait(response.headers.get('retry-after'));
    throw afterMs === undefined ? retry(reason) : retryAfter(reason, afterMs);
  }
  throw status < 400 ? retry(reason) : reject(reason);
}

/**
 * Milliseconds that `Retry-After` asks for: seconds, or a date (RFC 9110 10.2.3).
 *
 * @param {string | null} field
 */
function wait(field) {
  const value = field?.trim() ?? '';
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}
