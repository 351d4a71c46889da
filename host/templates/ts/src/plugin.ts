// Counts how often each video was added or edited.

import { keyvalue, plugin, reject, want, type Event } from '../hookbox/index.js';

function handle({ name, payload }: Event): void {
  if (payload.tag !== 'add-video' && payload.tag !== 'edit-video') {
    throw reject(`${name} was not asked for`);
  }
  const video = payload.val;
  if (!video.id) throw reject('the event names no video');
  // Kept only if this returns: each delivery counts once.
  const changes = keyvalue.increment(`changes:${video.id}`);
  console.log(`video ${video.id}, ${video.name ?? '(no title)'}: change ${changes}`);
}

export const { about, handler } = plugin({
  name: '{{name}}',
  version: '0.1.0',
  events: ['add_video', 'edit_video'],
  wants: [want.keyvalue()],
  handle,
});
