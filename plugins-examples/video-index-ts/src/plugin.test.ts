import assert from 'node:assert/strict';
import { test } from 'node:test';

import { keyvalue } from '../hookbox/index.js';
import { FakeHost, event } from '../hookbox/testing.js';
import { handler, merged, type Entry } from './plugin';

const at = (seconds: number) => ({ timestamp: BigInt(seconds) });

test('an edit changes only what it holds', async () => {
  const host = new FakeHost();
  await host.deliver(handler, event('add_video', { id: '5', name: 'Dawn', tags: 'sea' }, at(10)));
  await host.deliver(handler, event('edit_video', { id: '5', name: 'Dusk' }, at(20)));
  const entry: Entry = keyvalue.getJson('video:5');
  assert.equal(entry.name?.value, 'Dusk');
  assert.equal(entry.tags?.value, 'sea');
});

test('an older edit that comes late loses', () => {
  const entry = merged({}, { name: 'new' }, 20);
  assert.deepEqual(merged(entry, { name: 'old', tags: 'sea' }, 10), {
    name: { value: 'new', since: 20 },
    tags: { value: 'sea', since: 10 },
  });
});

test('what was deleted stays so', async () => {
  const host = new FakeHost();
  await host.deliver(handler, event('delete_video', { ids: ['5', '6'] }, at(20)));
  await host.deliver(handler, event('edit_video', { id: '5', name: 'late' }, at(10)));
  assert.deepEqual(keyvalue.getJson('video:5'), { deleted: 20 });
});
