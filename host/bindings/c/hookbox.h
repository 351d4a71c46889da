/* What a plugin in C has to do with its host: it says what it is, handles
 * events, and uses what it was granted. Written by `hookbox build`; changes are
 * lost.
 *
 * A plugin defines `hookbox_plugin` and `hookbox_handle`. Each call runs in a
 * fresh instance, so nothing needs to be freed, and nothing lasts.
 *
 * Types of events and of their payloads are those of plugin.h, made from the
 * WIT in `wit`; so is all that is not here.
 */
#ifndef HOOKBOX_H
#define HOOKBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define HOOKBOX_FORMAT(text, first) __attribute__((__format__(__printf__, text, first)))
#else
#define HOOKBOX_FORMAT(text, first)
#endif

/* Text of the host's: UTF-8, a pointer and a length, no NUL at its end. */
typedef plugin_string_t hookbox_text;
/* Text that may be missing: `is_some`, and if so `val`. */
typedef plugin_option_string_t hookbox_maybe_text;
/* One webhook, verified and typed. `payload.tag` is one of
 * HOOKBOX_TARGETVIDEO_EVENTS_PAYLOAD_…, and says which of `payload.val` holds. */
typedef hookbox_targetvideo_events_event_t hookbox_event;
/* Which handing-over of an event this is. */
typedef hookbox_plugin_types_delivery_t hookbox_delivery;

/* What a plugin says of itself. */

/* One thing that a plugin needs and only the operator can give. */
typedef struct hookbox_want {
  enum {
    HOOKBOX_WANTS_END,
    HOOKBOX_WANT_HTTP,   /* `value`: scheme://host[:port] */
    HOOKBOX_WANT_CONFIG, /* `value`: a setting's key */
    HOOKBOX_WANT_SECRET, /* `value`: a secret setting's key */
    HOOKBOX_WANT_KEYVALUE,
  } kind;
  const char *value;
} hookbox_want;

typedef struct hookbox_description {
  /* For display: a plugin's identity is the name of its file. */
  const char *name;
  const char *version;
  /* Names of events as the sender spells them; NULL ends them. None: every
   * event. */
  const char *const *events;
  /* What the file is refused without; HOOKBOX_WANTS_END ends them. NULL: none. */
  const hookbox_want *wants;
} hookbox_description;

/* The plugin defines it. */
extern const hookbox_description hookbox_plugin;

/* What became of an event. */

typedef struct hookbox_outcome {
  enum { HOOKBOX_DONE, HOOKBOX_RETRY, HOOKBOX_RETRY_AFTER, HOOKBOX_REJECT } kind;
  uint64_t after_ms;
  char *reason;
} hookbox_outcome;

/* It worked. */
hookbox_outcome hookbox_done(void);
/* It may work later: tried again after a wait. Reasons are for the operator. */
hookbox_outcome hookbox_retry(const char *format, ...) HOOKBOX_FORMAT(1, 2);
/* It may work later, but not before a time. */
hookbox_outcome hookbox_retry_after(uint64_t after_ms, const char *format, ...)
    HOOKBOX_FORMAT(2, 3);
/* This event is of no use to this plugin: never tried again. */
hookbox_outcome hookbox_reject(const char *format, ...) HOOKBOX_FORMAT(1, 2);

/* The plugin defines it: called once for each attempt at a delivery. */
hookbox_outcome hookbox_handle(const hookbox_event *event, const hookbox_delivery *delivery);

/* Logging. `printf` works too, and gives lines of the level info. */

typedef enum hookbox_level {
  HOOKBOX_TRACE,
  HOOKBOX_DEBUG,
  HOOKBOX_INFO,
  HOOKBOX_WARN,
  HOOKBOX_ERROR,
} hookbox_level;

void hookbox_log(hookbox_level level, const char *format, ...) HOOKBOX_FORMAT(2, 3);

/* Text. */

/* For `%.*s`: printf("%.*s\n", HOOKBOX_ARG(event->name)). */
#define HOOKBOX_ARG(text) (int)(text).len, (const char *)(text).ptr

/* Whether it is the same. */
bool hookbox_is(hookbox_text text, const char *other);
/* A copy that ends with NUL. */
char *hookbox_copy(hookbox_text text);
/* A copy that ends with NUL, or `otherwise` where the text is missing. */
const char *hookbox_or(hookbox_maybe_text text, const char *otherwise);
/* A new text by a format, as of printf: for keys and the like. */
char *hookbox_format(const char *format, ...) HOOKBOX_FORMAT(1, 2);

/* Settings and secrets: a copy of the value, or NULL where it is not set. */
char *hookbox_config(const char *key);

/* The plugin's own key-value state. It is kept only if the call is done.
 * Each gives false where the host refused; hookbox_state_failed() then is the
 * outcome to return. */

/* `value` is a copy with a NUL behind its end, or NULL where there is none.
 * `len` may be NULL. */
bool hookbox_state_get(const char *key, char **value, size_t *len);
bool hookbox_state_set(const char *key, const void *value, size_t len);
/* What is not there is no error. */
bool hookbox_state_delete(const char *key);
/* Adds to a counter, 0 at first. `sum`, its new value, may be NULL. */
bool hookbox_state_increment(const char *key, uint64_t delta, uint64_t *sum);
/* Try again, for the reason that the host gave last. */
hookbox_outcome hookbox_state_failed(void);

/* Outgoing HTTP, to origins that the operator granted. Where a call fails later
 * on, it is handled again and sends again: give the delivery's id along, as its
 * idempotency key. Redirects are not followed. */

/* A name that is NULL ends a list of them. */
typedef struct hookbox_header {
  const char *name;
  const char *value;
} hookbox_header;

typedef struct hookbox_request {
  /* In capitals; NULL: GET. */
  const char *method;
  /* https://host[:port]/path?query, with what belongs to a query encoded. */
  const char *url;
  /* NULL: none. Host and Content-Length come by themselves. */
  const hookbox_header *headers;
  const void *body;
  size_t body_len;
  /* Milliseconds to connect, until the answer begins, and between its parts; 0:
   * 10,000 each. The call's own deadline holds besides. */
  uint32_t timeout_ms;
  /* Bytes that the body of the answer may have; 0: 1,048,576. */
  size_t answer_max;
} hookbox_request;

typedef struct hookbox_response {
  uint16_t status;
  /* In the order they came in, names in lower case. */
  const hookbox_header *headers;
  /* With a NUL behind its end. */
  char *body;
  size_t body_len;
  /* https://host[:port], for messages. */
  const char *origin;
} hookbox_response;

/* Sends it and reads the whole answer, whatever its status. False where none
 * came; hookbox_http_failed() then is the outcome to return. */
bool hookbox_http_send(const hookbox_request *request, hookbox_response *response);
/* Try again, for the reason of the last request without an answer. */
hookbox_outcome hookbox_http_failed(void);
/* The first value of a header field, whatever the case of its name, or NULL. */
const char *hookbox_http_header(const hookbox_response *response, const char *name);
/* What most services mean by a status: 200 to 299 done; 408, 425, 429 and 500 on
 * try again, not before the seconds of Retry-After if it has any; redirects try
 * again; other 400 to 499 reject. The reason has the beginning of the body. */
hookbox_outcome hookbox_http_outcome(const hookbox_response *response);

#ifdef __cplusplus
}
#endif
#endif
