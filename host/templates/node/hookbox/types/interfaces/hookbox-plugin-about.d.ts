/// <reference path="./hookbox-plugin-types.d.ts" />
declare module 'hookbox:plugin/about@0.1.0' {
  /**
   * Called once for each file that is loaded, before any event, with the
   * same limits as a call that handles one.
   */
  export function describe(): Description;
  export type Description = import('hookbox:plugin/types@0.1.0').Description;
}
