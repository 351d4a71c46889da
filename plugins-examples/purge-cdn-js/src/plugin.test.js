import assert from 'node:assert/strict';
import { test } from 'node:test';

import { FakeHost, event } from '../hookbox/testing.js';
import { handler } from './plugin.js';

/** @param {Response[]} answers */
function cdn(...answers) {
  const host = new FakeHost();
  host.answers = answers;
  host.config = {
    endpoint: 'https://cdn.example/purge',
    pages: 'https://tv.example/v/{id}\nhttps://tv.example/embed/{id}',
    token: 't0ken',
  };
  return host;
}

test('each page of each deleted video is purged', async () => {
  const host = cdn(new Response('{}'));
  const gone = event('delete_video', { ids: ['5', '6/7'] });
  assert.equal(await host.deliver(handler, gone), undefined);
  const [{ url, headers, body }] = host.requests;
  assert.equal(url, 'https://cdn.example/purge');
  assert.equal(headers.get('authorization'), 'Bearer t0ken');
  assert.deepEqual(JSON.parse(body).files, [
    'https://tv.example/v/5',
    'https://tv.example/embed/5',
    'https://tv.example/v/6%2F7',
    'https://tv.example/embed/6%2F7',
  ]);
});

test('more pages than a request may have go in several', async () => {
  const host = cdn(new Response(), new Response());
  const ids = Array.from({ length: 20 }, (_, id) => String(id));
  assert.equal(await host.deliver(handler, event('delete_video', { ids })), undefined);
  assert.deepEqual(host.requests.map(({ body }) => JSON.parse(body).files.length), [30, 10]);
});

test('it comes again when the CDN says so', async () => {
  const host = cdn(new Response('slow down', { status: 429, headers: { 'retry-after': '7' } }));
  const failure = await host.deliver(handler, event('edit_video', { id: '5' }));
  assert.deepEqual(failure, {
    tag: 'retry-after',
    val: { reason: 'https://cdn.example answered 429: slow down', afterMs: 7000n },
  });
});

test('without a video there is nothing to purge', async () => {
  const failure = await cdn().deliver(handler, event('edit_snapshot', {}));
  assert.equal(failure?.tag, 'reject');
});
