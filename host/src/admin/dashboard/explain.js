// The journal's stable codes in words, and how good or bad each is. A code that
// is not here is shown as it is.

const STATES = {
  pending: ['wait', 'Not begun yet'],
  running: ['busy', 'In a call of its plugin now'],
  waiting: ['wait', 'Failed, and will be tried again'],
  blocked: ['wait', 'Waits for an earlier delivery about the same entity'],
  parked: ['wait', 'Waits: its plugin is paused, gone, or its breaker is open'],
  succeeded: ['good', 'Done'],
  dead: ['bad', 'Given up'],
  discarded: ['off', 'Given up, and not wanted any more'],
  unrouted: ['off', 'No plugin was subscribed to it'],
  live: ['good', 'It gets its events'],
  paused: ['wait', 'Its events wait: an operator paused it'],
  'breaker-open': ['bad', 'Its events wait: it failed too often in a row'],
  unloadable: ['bad', 'Its events wait: its file cannot be made live'],
  refused: ['bad', 'It gets no events: its file was refused'],
  gone: ['off', 'It gets no events: its file was deleted'],
};

const OUTCOMES = {
  handled: ['good', 'The plugin handled the event'],
  retry: ['wait', 'The plugin asked to be called again'],
  'retry-after': ['wait', 'The plugin asked to be called again later'],
  rejected: ['bad', 'The plugin refused the event for good'],
  trap: ['bad', 'The plugin’s code crashed'],
  deadline: ['bad', 'The call took longer than deadline_ms'],
  cpu: ['bad', 'The call used more processor time than cpu_ms'],
  memory: ['bad', 'The call wanted more than memory_bytes_max'],
  host: ['bad', 'hookbox could not make the call'],
  interrupted: ['wait', 'hookbox ended while the call ran'],
};

const BLAME = {
  guest: 'the plugin’s code',
  plugin: 'the plugin’s own answer',
  host: 'hookbox and the machine',
};

const REASONS = {
  rejected: 'The plugin refused it for good',
  'attempts-exhausted': 'The last attempt failed',
  'backlog-full': 'Too much was owed to the plugin',
  unreadable: 'The journal’s copy cannot be read',
  forgotten: 'The plugin was forgotten',
};

const REFUSALS = {
  'unknown-source': 'No source has this path',
  'secret-missing': 'The body has no secret',
  'secret-wrong': 'The secret is wrong',
  'secret-refused': 'The secret is missing or wrong',
  'not-json': 'The body is not JSON',
  'not-an-object': 'The body is not a JSON object',
  'too-deep': 'The body is nested too deep',
  'duplicate-member': 'The body has a member twice',
  'no-event': 'The body names no event',
  'method-not-allowed': 'Not sent by POST',
  'body-too-large': 'The body is over the limit',
  'body-too-slow': 'The body did not come in time',
  'body-broken': 'The body broke off',
  busy: 'Too many events waited to be written',
  'too-much-owed': 'Too many events wait for plugins',
  unwritable: 'The journal could not be written',
  ending: 'The server was ending',
};

const CHANGES = {
  'server-started': ['good', 'Server started'],
  'server-ended': ['off', 'Server ended'],
  'plugin-live': ['good', 'Plugin live'],
  'plugin-refused': ['bad', 'Plugin refused'],
  'plugin-gone': ['off', 'Plugin gone'],
  'plugin-waits': ['wait', 'Plugin waits'],
  'breaker-open': ['bad', 'Breaker opened'],
  'breaker-closed': ['good', 'Breaker closed'],
  configured: ['good', 'Configuration changed'],
  'configuration-refused': ['bad', 'Configuration refused'],
  'log-level': ['off', 'Log level changed'],
  paused: ['wait', 'Plugin paused'],
  resumed: ['good', 'Plugin resumed'],
  replayed: ['busy', 'Events replayed'],
  redriven: ['busy', 'Dead letters redriven'],
  discarded: ['off', 'Dead letters discarded'],
  forgotten: ['off', 'Plugin forgotten'],
  revealed: ['wait', 'Hidden values revealed'],
  'state-changed': ['busy', 'Plugin state changed'],
  'logged-in': ['off', 'Operator logged in'],
};

// What a plugin's notice says: `live`, `refused`, `gone`, `waits` and so on.
const PLUGIN_CHANGES = {
  live: ['good', 'is live'],
  refused: ['bad', 'was refused'],
  gone: ['off', 'is gone'],
  waits: ['wait', 'waits'],
  paused: ['wait', 'is paused'],
  resumed: ['good', 'goes on'],
  'breaker-open': ['bad', 'gets nothing: its breaker opened'],
  'breaker-closed': ['good', 'gets events again: its breaker closed'],
};

const pick = (table, code) => table[code] ?? ['off', code];

// A code as a label.
export const label = (code) => code.replaceAll('-', ' ');

export const state = (code) => pick(STATES, code);
export const outcome = (code) => pick(OUTCOMES, code);
export const change = (code) => pick(CHANGES, code);
export const pluginChange = (code) => pick(PLUGIN_CHANGES, code);
export const blame = (code) => BLAME[code] ?? code;
export const reason = (code) => REASONS[code] ?? code;
export const refusal = (code) => REFUSALS[code] ?? code;
export const STATE_CODES = Object.keys(STATES).slice(0, 9);
export const CHANGE_CODES = Object.keys(CHANGES);
export const REFUSAL_CODES = Object.keys(REFUSALS);
