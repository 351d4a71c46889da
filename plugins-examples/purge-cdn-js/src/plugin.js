// Purges pages from a CDN's cache when a video that they show has changed.
//
// | setting | kind | is |
// |---|---|---|
// | `endpoint` | setting | address of the CDN's purge API; gets `{"files": [page, …]}` |
// | `pages` | setting | addresses of pages, separated by white space, with `{id}` for the video's id |
// | `token` | secret | sent as `Authorization: Bearer …` |
//
// It also needs the grant of outgoing HTTP to the origin of `endpoint`.

import { config, plugin, reject, request, want } from '../hookbox/index.js';

/** Addresses in one request: what common CDNs take. */
const FILES_MAX = 30;

/** @param {import('../hookbox/index.js').Event} event */
async function handle(event) {
  const ids = changed(event);
  if (ids.length === 0) throw reject('the event names no video');
  const endpoint = config.required('endpoint');
  const authorization = `Bearer ${config.required('token')}`;
  const files = pages(ids);
  for (let first = 0; first < files.length; first += FILES_MAX) {
    // To purge twice does no harm, so repeated calls need no key.
    await request(endpoint, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify({ files: files.slice(first, first + FILES_MAX) }),
    });
  }
  console.log(`purged ${files.length} pages of videos ${ids.join(' ')}`);
}

/**
 * Ids of the videos that changed.
 *
 * @param {import('../hookbox/index.js').Event} event
 * @returns {string[]}
 */
function changed({ name, payload }) {
  switch (payload.tag) {
    case 'edit-video':
      return payload.val.id ? [payload.val.id] : [];
    case 'delete-video':
      return payload.val.ids;
    case 'edit-snapshot':
      return payload.val.videoId ? [payload.val.videoId] : [];
    default:
      throw reject(`${name} was not asked for`);
  }
}

/** @param {string[]} ids */
function pages(ids) {
  const templates = config.required('pages').split(/\s+/).filter(Boolean);
  // An id is of the sender's, and part of an address here.
  return ids.flatMap((id) => templates.map((page) => page.replaceAll('{id}', encodeURIComponent(id))));
}

export const { about, handler } = plugin({
  name: 'purge-cdn',
  version: '0.1.0',
  events: ['edit_video', 'delete_video', 'edit_snapshot'],
  wants: [want.config('endpoint'), want.config('pages'), want.secret('token')],
  handle,
});
