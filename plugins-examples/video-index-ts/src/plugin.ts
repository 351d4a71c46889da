// Keeps an index of videos in its state: `video:<id>` with what is known of
// each, as JSON. `hookbox kv` shows it.
//
// - An edit holds only what changed, so it is put over what was known before.
// - Edits can come in another order than they were made: each field is that of
//   the newest event that had it. Give the plugin `order = "entity"`, and they do not.
// - What was deleted stays as a mark, lest a late edit bring it back.

import { keyvalue, plugin, reject, want, type Event, type VideoChange } from '../hookbox/index.js';

/** What the index has of a field, or of a whole video that is gone. */
interface Known {
  value: string;
  /** Seconds since the Unix epoch: the event's. */
  since: number;
}

const FIELDS = ['name', 'description', 'publish', 'tags', 'image', 'thumbnail'] as const;
type Field = (typeof FIELDS)[number];

/** What is kept of a video. */
export type Entry = Partial<Record<Field, Known>> & { deleted?: number };

/** The entry with a change put over it. */
export function merged(entry: Entry, change: VideoChange, at: number): Entry {
  const next: Entry = { ...entry };
  for (const field of FIELDS) {
    const value = change[field];
    if (value !== undefined && at >= (entry[field]?.since ?? 0)) next[field] = { value, since: at };
  }
  return next;
}

const key = (id: string): string => `video:${id}`;
const read = (id: string): Entry => (keyvalue.getJson(key(id)) as Entry | undefined) ?? {};

function handle({ name, payload, timestamp }: Event): void {
  // Without a time of its own an event is as old as can be.
  const at = Number(timestamp ?? 0n);
  switch (payload.tag) {
    case 'add-video':
    case 'edit-video': {
      const { id } = payload.val;
      if (!id) throw reject('the event names no video');
      const entry = read(id);
      if (entry.deleted !== undefined) return console.log(`video ${id} was deleted before`);
      const next = merged(entry, payload.val, at);
      keyvalue.setJson(key(id), next);
      return console.log(`video ${id}: ${next.name?.value ?? '(no title)'}`);
    }
    case 'delete-video': {
      const { ids } = payload.val;
      for (const id of ids) keyvalue.setJson(key(id), { deleted: at } satisfies Entry);
      return console.log(`deleted: ${ids.join(' ')}`);
    }
    default:
      throw reject(`${name} was not asked for`);
  }
}

export const { about, handler } = plugin({
  name: 'video-index',
  version: '0.1.0',
  events: ['add_video', 'edit_video', 'delete_video'],
  wants: [want.keyvalue()],
  handle,
});
