declare module 'wasi:logging/logging@0.1.0-draft' {
  /**
   * Emits one record.
   * 
   * `context` groups records of one origin, such as a module's name. It
   * may be empty.
   */
  export function log(level: Level, context: string, message: string): void;
  /**
   * How much a record matters, least first.
   * # Variants
   * 
   * ## `"trace"`
   * 
   * ## `"debug"`
   * 
   * ## `"info"`
   * 
   * ## `"warn"`
   * 
   * ## `"error"`
   * 
   * ## `"critical"`
   */
  export type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'critical';
}
