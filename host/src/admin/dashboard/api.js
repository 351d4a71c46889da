// Asks the server. Whoever is not logged in any more is sent to the log-in page.

const BASE = '/api/v1';
// Longer than the server takes for anything but a hang.
const ANSWER_MS_MAX = 20_000;

// What the server answered where it did not do as asked.
export class Problem extends Error {
  constructor(status, code, detail) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

function address(path, query) {
  const chosen = Object.entries(query ?? {}).filter(([, v]) => v !== undefined && v !== null && v !== '');
  const text = new URLSearchParams(chosen).toString();
  return text ? `${BASE}${path}?${text}` : BASE + path;
}

async function problem(response) {
  const said = await response.json().catch(() => ({}));
  const detail = said.detail ?? said.title ?? `The server answered ${response.status}.`;
  return new Problem(response.status, said.code ?? String(response.status), detail);
}

async function ask(method, path, { query, body, signal } = {}) {
  const limit = AbortSignal.timeout(ANSWER_MS_MAX);
  const options = {
    method,
    headers: { accept: 'application/json' },
    signal: signal ? AbortSignal.any([signal, limit]) : limit,
  };
  if (method !== 'GET') {
    options.headers['content-type'] = 'application/json';
    options.body = JSON.stringify(body ?? {});
  }
  let response;
  try {
    response = await fetch(address(path, query), options);
  } catch (error) {
    if (signal?.aborted) throw error;
    const late = error.name === 'TimeoutError';
    throw new Problem(0, 'unreachable', late
      ? 'The server did not answer in time.'
      : 'The server cannot be reached. Is hookbox running?');
  }
  if (response.status === 401) {
    location.assign('/login');
    throw new Problem(401, 'unauthorized', 'You are not logged in any more.');
  }
  if (!response.ok) throw await problem(response);
  return response.status === 204 ? null : response.json();
}

export function get(path, query, signal) {
  return ask('GET', path, { query, signal });
}

export function post(path, body) {
  return ask('POST', path, { body });
}

export function putJson(path, body) {
  return ask('PUT', path, { body });
}

// A part of a path.
export function part(text) {
  return encodeURIComponent(text);
}

// Repeats a step until it is complete; `told` hears how many so far.
export async function steps(path, body, told) {
  let count = 0;
  let cursor;
  do {
    const report = await post(path, cursor ? { ...body, cursor } : body);
    count += report.count;
    cursor = report.next;
    told?.(count);
  } while (cursor);
  return count;
}
