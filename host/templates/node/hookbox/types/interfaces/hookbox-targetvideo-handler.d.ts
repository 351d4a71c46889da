/// <reference path="./hookbox-plugin-types.d.ts" />
/// <reference path="./hookbox-targetvideo-events.d.ts" />
declare module 'hookbox:targetvideo/handler@0.1.0' {
  /**
   * Called once for each attempt at a delivery, in a fresh instance: keep
   * nothing in memory for a later call. The same event can arrive more than
   * once, so make the work idempotent; `delivery.id` helps.
   */
  export function handle(event: Event, delivery: Delivery): void;
  export type Event = import('hookbox:targetvideo/events@0.1.0').Event;
  export type Delivery = import('hookbox:plugin/types@0.1.0').Delivery;
  export type Failure = import('hookbox:plugin/types@0.1.0').Failure;
}
