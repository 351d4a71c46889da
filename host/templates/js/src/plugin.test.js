import assert from 'node:assert/strict';
import { test } from 'node:test';

import { keyvalue } from '../hookbox/index.js';
import { FakeHost, event } from '../hookbox/testing.js';
import { handler } from './plugin.js';

test('each change is counted', async () => {
  const host = new FakeHost();
  for (const name of ['add_video', 'edit_video']) {
    assert.equal(await host.deliver(handler, event(name, { id: '734392' })), undefined);
  }
  assert.equal(keyvalue.getText('changes:734392'), '2');
});

test('an event without a video is rejected', async () => {
  const failure = await new FakeHost().deliver(handler, event('add_video', {}));
  assert.equal(failure?.tag, 'reject');
});
