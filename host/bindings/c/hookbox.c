/* The functions of hookbox.h, on the bindings of plugin.h. Written by
 * `hookbox build`; changes are lost. */
#include "hookbox.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Memory, or the end of the call: the host then sees a trap. */
static void *reserved(size_t len) {
  void *memory = malloc(len == 0 ? 1 : len);
  if (memory == NULL) abort();
  return memory;
}

static char *copied(const void *bytes, size_t len) {
  char *copy = reserved(len + 1);
  if (len > 0) memcpy(copy, bytes, len);
  copy[len] = '\0';
  return copy;
}

static char *formatted(const char *format, va_list values) {
  va_list again;
  va_copy(again, values);
  int len = vsnprintf(NULL, 0, format, again);
  va_end(again);
  if (len < 0) return copied("", 0);
  char *text = reserved((size_t)len + 1);
  vsnprintf(text, (size_t)len + 1, format, values);
  return text;
}

/* How many bytes the character of UTF-8 (RFC 3629) at the beginning has; 0 where
 * there is none. Ends at a NUL at the latest. */
static size_t character(const uint8_t *at) {
  if (at[0] < 0x80) return 1;
  size_t len = at[0] >= 0xc2 && at[0] <= 0xdf   ? 2
               : at[0] >= 0xe0 && at[0] <= 0xef ? 3
               : at[0] >= 0xf0 && at[0] <= 0xf4 ? 4
                                                : 0;
  for (size_t i = 1; i < len; i++)
    if ((at[i] & 0xc0) != 0x80) return 0;
  /* Longer than need be, of UTF-16, or beyond the last. */
  bool is_none = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
                 (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f);
  return is_none ? 0 : len;
}

/* What is not UTF-8 becomes a question mark: the host would end the call, for
 * half a character at the end of a text that was cut. */
static char *mended(char *text) {
  uint8_t *at = (uint8_t *)text;
  while (*at != '\0') {
    size_t len = character(at);
    if (len == 0) *at = '?';
    at += len == 0 ? 1 : len;
  }
  return text;
}

/* Points to the text: for arguments, which the host only reads. */
static plugin_string_t lent(const char *text) {
  return (plugin_string_t){.ptr = (uint8_t *)text, .len = strlen(text)};
}

/* Text */

bool hookbox_is(hookbox_text text, const char *other) {
  return text.len == strlen(other) && memcmp(text.ptr, other, text.len) == 0;
}

char *hookbox_copy(hookbox_text text) { return copied(text.ptr, text.len); }

const char *hookbox_or(hookbox_maybe_text text, const char *otherwise) {
  return text.is_some ? hookbox_copy(text.val) : otherwise;
}

char *hookbox_format(const char *format, ...) {
  va_list values;
  va_start(values, format);
  char *text = formatted(format, values);
  va_end(values);
  return text;
}

/* Outcomes */

hookbox_outcome hookbox_done(void) { return (hookbox_outcome){.kind = HOOKBOX_DONE}; }

hookbox_outcome hookbox_retry(const char *format, ...) {
  va_list values;
  va_start(values, format);
  char *reason = formatted(format, values);
  va_end(values);
  return (hookbox_outcome){.kind = HOOKBOX_RETRY, .reason = reason};
}

hookbox_outcome hookbox_retry_after(uint64_t after_ms, const char *format, ...) {
  va_list values;
  va_start(values, format);
  char *reason = formatted(format, values);
  va_end(values);
  return (hookbox_outcome){.kind = HOOKBOX_RETRY_AFTER, .after_ms = after_ms, .reason = reason};
}

hookbox_outcome hookbox_reject(const char *format, ...) {
  va_list values;
  va_start(values, format);
  char *reason = formatted(format, values);
  va_end(values);
  return (hookbox_outcome){.kind = HOOKBOX_REJECT, .reason = reason};
}

/* Logging and settings */

void hookbox_log(hookbox_level level, const char *format, ...) {
  va_list values;
  va_start(values, format);
  char *text = formatted(format, values);
  va_end(values);
  plugin_string_t context = lent("");
  plugin_string_t message = lent(mended(text));
  wasi_logging_logging_log((wasi_logging_logging_level_t)level, &context, &message);
  free(text);
}

char *hookbox_config(const char *key) {
  plugin_string_t name = lent(key);
  plugin_option_string_t value;
  wasi_config_store_error_t error;
  if (!wasi_config_store_get(&name, &value, &error) || !value.is_some) return NULL;
  return hookbox_copy(value.val);
}

/* State */

static const char *state_error = "key-value state failed";

static bool state_refused(wasi_keyvalue_store_error_t error) {
  switch (error.tag) {
    case WASI_KEYVALUE_STORE_ERROR_ACCESS_DENIED:
      state_error = "key-value state is not granted";
      break;
    case WASI_KEYVALUE_STORE_ERROR_OTHER:
      state_error = hookbox_format("key-value state: %.*s", HOOKBOX_ARG(error.val.other));
      break;
    default:
      state_error = "key-value state: there is no such store";
  }
  return false;
}

/* The plugin's own bucket, opened at its first use. */
static bool state_open(wasi_keyvalue_store_borrow_bucket_t *bucket) {
  static wasi_keyvalue_store_own_bucket_t own;
  static bool is_open = false;
  if (!is_open) {
    plugin_string_t name = lent("");
    wasi_keyvalue_store_error_t error;
    if (!wasi_keyvalue_store_open(&name, &own, &error)) return state_refused(error);
    is_open = true;
  }
  *bucket = wasi_keyvalue_store_borrow_bucket(own);
  return true;
}

bool hookbox_state_get(const char *key, char **value, size_t *len) {
  wasi_keyvalue_store_borrow_bucket_t bucket;
  if (!state_open(&bucket)) return false;
  plugin_string_t name = lent(key);
  plugin_option_list_u8_t found;
  wasi_keyvalue_store_error_t error;
  if (!wasi_keyvalue_store_method_bucket_get(bucket, &name, &found, &error))
    return state_refused(error);
  *value = found.is_some ? copied(found.val.ptr, found.val.len) : NULL;
  if (len != NULL) *len = found.is_some ? found.val.len : 0;
  return true;
}

bool hookbox_state_set(const char *key, const void *value, size_t len) {
  wasi_keyvalue_store_borrow_bucket_t bucket;
  if (!state_open(&bucket)) return false;
  plugin_string_t name = lent(key);
  plugin_list_u8_t bytes = {.ptr = (uint8_t *)value, .len = len};
  wasi_keyvalue_store_error_t error;
  if (!wasi_keyvalue_store_method_bucket_set(bucket, &name, &bytes, &error))
    return state_refused(error);
  return true;
}

bool hookbox_state_delete(const char *key) {
  wasi_keyvalue_store_borrow_bucket_t bucket;
  if (!state_open(&bucket)) return false;
  plugin_string_t name = lent(key);
  wasi_keyvalue_store_error_t error;
  if (!wasi_keyvalue_store_method_bucket_delete(bucket, &name, &error))
    return state_refused(error);
  return true;
}

bool hookbox_state_increment(const char *key, uint64_t delta, uint64_t *sum) {
  wasi_keyvalue_store_borrow_bucket_t bucket;
  if (!state_open(&bucket)) return false;
  plugin_string_t name = lent(key);
  uint64_t counted;
  wasi_keyvalue_atomics_error_t error;
  if (!wasi_keyvalue_atomics_increment(bucket, &name, delta, &counted, &error))
    return state_refused(error);
  if (sum != NULL) *sum = counted;
  return true;
}

hookbox_outcome hookbox_state_failed(void) { return hookbox_retry("%s", state_error); }

/* The exports of the world */

void exports_hookbox_plugin_about_describe(exports_hookbox_plugin_about_description_t *ret) {
  memset(ret, 0, sizeof *ret);
  plugin_string_dup(&ret->name, hookbox_plugin.name);
  plugin_string_dup(&ret->version, hookbox_plugin.version);
  size_t events = 0;
  while (hookbox_plugin.events != NULL && hookbox_plugin.events[events] != NULL) events++;
  ret->events.len = events;
  ret->events.ptr = reserved(events * sizeof *ret->events.ptr);
  for (size_t i = 0; i < events; i++)
    plugin_string_dup(&ret->events.ptr[i], hookbox_plugin.events[i]);
  size_t wants = 0;
  while (hookbox_plugin.wants != NULL && hookbox_plugin.wants[wants].kind != HOOKBOX_WANTS_END)
    wants++;
  ret->wants.len = wants;
  ret->wants.ptr = reserved(wants * sizeof *ret->wants.ptr);
  for (size_t i = 0; i < wants; i++) {
    const hookbox_want *want = &hookbox_plugin.wants[i];
    /* The cases of the variant `want` come in the same order, from 0. */
    ret->wants.ptr[i].tag = (uint8_t)(want->kind - HOOKBOX_WANT_HTTP);
    if (want->kind != HOOKBOX_WANT_KEYVALUE)
      plugin_string_dup(&ret->wants.ptr[i].val.http, want->value == NULL ? "" : want->value);
  }
}

bool exports_hookbox_targetvideo_handler_handle(
    exports_hookbox_targetvideo_handler_event_t *event,
    exports_hookbox_targetvideo_handler_delivery_t *delivery,
    exports_hookbox_targetvideo_handler_failure_t *err) {
  /* A trap takes what is buffered with it: each line goes out at its end. */
  setvbuf(stdout, NULL, _IOLBF, 0);
  hookbox_outcome outcome = hookbox_handle(event, delivery);
  /* Lines of the plugin's that are not ended yet. */
  fflush(NULL);
  if (outcome.kind == HOOKBOX_DONE) return true;
  const char *reason = outcome.reason == NULL ? "" : mended(outcome.reason);
  switch (outcome.kind) {
    case HOOKBOX_REJECT:
      err->tag = HOOKBOX_PLUGIN_TYPES_FAILURE_REJECT;
      plugin_string_dup(&err->val.reject, reason);
      break;
    case HOOKBOX_RETRY_AFTER:
      err->tag = HOOKBOX_PLUGIN_TYPES_FAILURE_RETRY_AFTER;
      err->val.retry_after.after_ms = outcome.after_ms;
      plugin_string_dup(&err->val.retry_after.reason, reason);
      break;
    default:
      err->tag = HOOKBOX_PLUGIN_TYPES_FAILURE_RETRY;
      plugin_string_dup(&err->val.retry, reason);
  }
  return false;
}
