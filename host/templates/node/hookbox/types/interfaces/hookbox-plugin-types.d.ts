declare module 'hookbox:plugin/types@0.1.0' {
  /**
   * One thing that a plugin needs and only the operator can give.
   */
  export type Want = WantHttp | WantConfig | WantSecret | WantKeyvalue;
  /**
   * Outgoing HTTP to one origin: `scheme://host[:port]`.
   */
  export interface WantHttp {
    tag: 'http',
    val: string,
  }
  /**
   * A settings key that must be there.
   */
  export interface WantConfig {
    tag: 'config',
    val: string,
  }
  /**
   * A settings key whose value is secret.
   */
  export interface WantSecret {
    tag: 'secret',
    val: string,
  }
  /**
   * Key-value state in the plugin's own namespace.
   */
  export interface WantKeyvalue {
    tag: 'keyvalue',
  }
  /**
   * What a plugin says of itself, once, when its file is loaded.
   */
  export interface Description {
    /**
     * For display only: a plugin's identity, to which settings and
     * history belong, is the name of its file.
     */
    name: string,
    /**
     * For display only, such as `1.4.0`.
     */
    version: string,
    /**
     * Names of the events that the plugin wants, as the sender spells
     * them (`sd_encoded`). Empty: every event. The operator can narrow
     * this, never widen it.
     */
    events: Array<string>,
    /**
     * What the plugin needs beyond logs, time and randomness. A want that
     * the operator has not granted refuses the load, and the plugin that
     * ran before under this name goes on.
     */
    wants: Array<Want>,
  }
  /**
   * Which handing-over of an event this is.
   */
  export interface Delivery {
    /**
     * The same for each attempt at this delivery, so that it can serve as
     * an idempotency key. A replay by the operator is a new delivery.
     */
    id: string,
    /**
     * The event's own id, as the sender got it in the answer.
     */
    eventId: string,
    /**
     * Name of the configured source that the event came through.
     */
    source: string,
    /**
     * 1 at first, counted up for each further attempt.
     */
    attempt: number,
    /**
     * When the event arrived: milliseconds since the Unix epoch.
     */
    receivedAt: bigint,
    /**
     * Whether the operator asked for this delivery again.
     */
    replay: boolean,
  }
  /**
   * A wish to be called again, not before some time.
   */
  export interface RetryLater {
    /**
     * For the operator to read.
     */
    reason: string,
    /**
     * Milliseconds from now. A lower bound: the host may wait longer.
     */
    afterMs: bigint,
  }
  /**
   * What went wrong, and what the host should do about it.
   */
  export type Failure = FailureRetry | FailureRetryAfter | FailureReject;
  /**
   * Try again by the plugin's retry policy. The text is for the
   * operator.
   */
  export interface FailureRetry {
    tag: 'retry',
    val: string,
  }
  /**
   * Try again, not before a time: for answers such as 429 with a
   * `Retry-After`.
   */
  export interface FailureRetryAfter {
    tag: 'retry-after',
    val: RetryLater,
  }
  /**
   * Never try again: this event is of no use to this plugin, however
   * often it is called.
   */
  export interface FailureReject {
    tag: 'reject',
    val: string,
  }
}
