/* Outgoing HTTP of hookbox.h, on the bindings of plugin.h. Written by `hookbox
 * build`; changes are lost. */
#include "hookbox.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What one call of a stream may carry: wasi:io allows 4,096 bytes to be written
 * at once. */
#define WRITE_MAX 4096
#define READ_MAX (64 * 1024)

#define TIMEOUT_MS 10000
#define ANSWER_MAX (1024 * 1024)
/* Bytes of an answer's body that a reason shows. */
#define SHOWN_MAX 200
/* Milliseconds that an outcome asks to wait at most: 365 days. */
#define WAIT_MS_MAX (365ull * 24 * 60 * 60 * 1000)

static const char *http_error = "no request was sent";

/* Names the origin and never the rest of an address, which may be secret. */
static bool failed(const char *origin, const char *why) {
  http_error = hookbox_format("%s: %s", origin, why);
  return false;
}

static plugin_string_t text(const char *text) {
  return (plugin_string_t){.ptr = (uint8_t *)text, .len = strlen(text)};
}

static void *grown(void *memory, size_t len) {
  memory = realloc(memory, len == 0 ? 1 : len);
  if (memory == NULL) abort();
  return memory;
}

/* Where a request goes. */
typedef struct target {
  bool is_https;
  char *authority;
  /* Begins with a slash; without the fragment, which is never sent. */
  char *path;
  char *origin;
} target;

/* Gives what is wrong with the address, without saying what it is, or NULL. */
static const char *target_of(const char *url, target *to) {
  if (url == NULL) return "it is missing";
  for (const char *at = url; *at != '\0'; at++)
    if (*at <= ' ' || *at >= 0x7f)
      return "it has white space, or characters that have to be percent-encoded";
  const char *rest;
  if (strncasecmp(url, "https://", 8) == 0) {
    to->is_https = true;
    rest = url + 8;
  } else if (strncasecmp(url, "http://", 7) == 0) {
    to->is_https = false;
    rest = url + 7;
  } else {
    return "it begins neither with https:// nor with http://";
  }
  size_t authority = strcspn(rest, "/?#");
  if (authority == 0 || rest[0] == ':') return "it names no host";
  if (memchr(rest, '@', authority) != NULL)
    return "it has credentials before the host, which belong into a header field";
  to->authority = hookbox_format("%.*s", (int)authority, rest);
  to->origin = hookbox_format("%s://%s", to->is_https ? "https" : "http", to->authority);
  const char *path = rest + authority;
  int len = (int)strcspn(path, "#");
  to->path = hookbox_format("%s%.*s", path[0] == '/' ? "" : "/", len, path);
  return NULL;
}

/* The header fields; false where the host does not allow one. */
static bool fields_of(const hookbox_request *request, wasi_http_types_own_fields_t *fields) {
  size_t count = 0;
  bool has_length = false;
  while (request->headers != NULL && request->headers[count].name != NULL) {
    has_length = has_length || strcasecmp(request->headers[count].name, "content-length") == 0;
    count++;
  }
  wasi_http_types_list_tuple2_field_name_field_value_t list = {.len = count};
  list.ptr = grown(NULL, (count + 1) * sizeof *list.ptr);
  for (size_t i = 0; i < count; i++) {
    const char *value = request->headers[i].value == NULL ? "" : request->headers[i].value;
    list.ptr[i].f0 = text(request->headers[i].name);
    list.ptr[i].f1.ptr = (uint8_t *)value;
    list.ptr[i].f1.len = strlen(value);
  }
  /* Else the body is sent in chunks, which not every service takes. */
  if (request->body_len > 0 && !has_length) {
    char *len = hookbox_format("%zu", request->body_len);
    list.ptr[count].f0 = text("content-length");
    list.ptr[count].f1.ptr = (uint8_t *)len;
    list.ptr[count].f1.len = strlen(len);
    list.len++;
  }
  wasi_http_types_header_error_t error;
  bool is_made = wasi_http_types_static_fields_from_list(&list, fields, &error);
  free(list.ptr);
  return is_made;
}

static wasi_http_types_method_t method_of(const char *name) {
  static const struct {
    const char *name;
    uint8_t tag;
  } known[] = {
      {"GET", WASI_HTTP_TYPES_METHOD_GET},         {"HEAD", WASI_HTTP_TYPES_METHOD_HEAD},
      {"POST", WASI_HTTP_TYPES_METHOD_POST},       {"PUT", WASI_HTTP_TYPES_METHOD_PUT},
      {"DELETE", WASI_HTTP_TYPES_METHOD_DELETE},   {"PATCH", WASI_HTTP_TYPES_METHOD_PATCH},
      {"OPTIONS", WASI_HTTP_TYPES_METHOD_OPTIONS},
  };
  if (name == NULL) name = "GET";
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strcmp(name, known[i].name) == 0) return (wasi_http_types_method_t){.tag = known[i].tag};
  wasi_http_types_method_t other = {.tag = WASI_HTTP_TYPES_METHOD_OTHER};
  other.val.other = text(name);
  return other;
}

static const char *reason_of(const wasi_http_types_error_code_t *error) {
  switch (error->tag) {
    case WASI_HTTP_TYPES_ERROR_CODE_HTTP_REQUEST_DENIED:
      return "the request was denied: its origin is not granted, or it is one too many";
    case WASI_HTTP_TYPES_ERROR_CODE_DNS_TIMEOUT:
    case WASI_HTTP_TYPES_ERROR_CODE_DNS_ERROR:
    case WASI_HTTP_TYPES_ERROR_CODE_DESTINATION_NOT_FOUND:
      return "its name is not known";
    case WASI_HTTP_TYPES_ERROR_CODE_DESTINATION_IP_PROHIBITED:
      return "the network address that it has is not granted";
    case WASI_HTTP_TYPES_ERROR_CODE_CONNECTION_REFUSED:
      return "it refused the connection";
    case WASI_HTTP_TYPES_ERROR_CODE_CONNECTION_TIMEOUT:
    case WASI_HTTP_TYPES_ERROR_CODE_CONNECTION_READ_TIMEOUT:
    case WASI_HTTP_TYPES_ERROR_CODE_CONNECTION_WRITE_TIMEOUT:
    case WASI_HTTP_TYPES_ERROR_CODE_HTTP_RESPONSE_TIMEOUT:
      return "it took too long";
    case WASI_HTTP_TYPES_ERROR_CODE_TLS_PROTOCOL_ERROR:
    case WASI_HTTP_TYPES_ERROR_CODE_TLS_CERTIFICATE_ERROR:
    case WASI_HTTP_TYPES_ERROR_CODE_TLS_ALERT_RECEIVED:
      return "TLS with it failed";
    case WASI_HTTP_TYPES_ERROR_CODE_INTERNAL_ERROR:
      if (!error->val.internal_error.is_some) break;
      return hookbox_copy(error->val.internal_error.val);
  }
  return hookbox_format("the request failed: case %d of error-code in wasi:http/types", error->tag);
}

/* Whether the whole body was taken. */
static bool body_sent(wasi_http_types_own_outgoing_body_t body, const hookbox_request *request) {
  wasi_http_types_own_output_stream_t stream;
  if (!wasi_http_types_method_outgoing_body_write(wasi_http_types_borrow_outgoing_body(body),
                                                  &stream))
    return false;
  bool is_whole = true;
  for (size_t sent = 0; sent < request->body_len && is_whole; sent += WRITE_MAX) {
    size_t left = request->body_len - sent;
    plugin_list_u8_t part = {.ptr = (uint8_t *)request->body + sent,
                             .len = left < WRITE_MAX ? left : WRITE_MAX};
    wasi_io_streams_stream_error_t error;
    is_whole = wasi_io_streams_method_output_stream_blocking_write_and_flush(
        wasi_io_streams_borrow_output_stream(stream), &part, &error);
  }
  /* A stream is to be closed before its body is finished. */
  wasi_io_streams_output_stream_drop_own(stream);
  wasi_http_types_error_code_t error;
  return wasi_http_types_static_outgoing_body_finish(body, NULL, &error) && is_whole;
}

static const hookbox_header *headers_of(wasi_http_types_borrow_incoming_response_t answer) {
  wasi_http_types_own_headers_t fields = wasi_http_types_method_incoming_response_headers(answer);
  wasi_http_types_list_tuple2_field_name_field_value_t list;
  wasi_http_types_method_fields_entries(wasi_http_types_borrow_fields(fields), &list);
  wasi_http_types_fields_drop_own(fields);
  hookbox_header *headers = grown(NULL, (list.len + 1) * sizeof *headers);
  for (size_t i = 0; i < list.len; i++) {
    char *name = hookbox_copy(list.ptr[i].f0);
    for (char *at = name; *at != '\0'; at++)
      if (*at >= 'A' && *at <= 'Z') *at += 'a' - 'A';
    headers[i].name = name;
    hookbox_text value = {.ptr = list.ptr[i].f1.ptr, .len = list.ptr[i].f1.len};
    headers[i].value = hookbox_copy(value);
  }
  headers[list.len] = (hookbox_header){NULL, NULL};
  return headers;
}

static bool body_read(wasi_http_types_borrow_incoming_response_t answer, size_t max,
                      hookbox_response *response) {
  wasi_http_types_own_incoming_body_t body;
  wasi_http_types_own_input_stream_t stream;
  if (!wasi_http_types_method_incoming_response_consume(answer, &body) ||
      !wasi_http_types_method_incoming_body_stream(wasi_http_types_borrow_incoming_body(body),
                                                   &stream))
    return failed(response->origin, "the answer cannot be read");
  char *bytes = NULL;
  size_t len = 0;
  plugin_list_u8_t part;
  wasi_io_streams_stream_error_t error;
  while (wasi_io_streams_method_input_stream_blocking_read(
      wasi_io_streams_borrow_input_stream(stream), READ_MAX, &part, &error)) {
    if (part.len > max - len)
      return failed(response->origin,
                    hookbox_format("the answer's body has more than %zu bytes", max));
    bytes = grown(bytes, len + part.len);
    if (part.len > 0) memcpy(bytes + len, part.ptr, part.len);
    len += part.len;
    plugin_list_u8_free(&part);
  }
  if (error.tag != WASI_IO_STREAMS_STREAM_ERROR_CLOSED)
    return failed(response->origin, "the answer broke off, or came too slowly");
  wasi_io_streams_input_stream_drop_own(stream);
  wasi_http_types_incoming_body_drop_own(body);
  bytes = grown(bytes, len + 1);
  bytes[len] = '\0';
  response->body = bytes;
  response->body_len = len;
  return true;
}

/* The request as the host takes it; gives what it did not take, or NULL. */
static const char *made(const hookbox_request *request, const target *to,
                        wasi_http_types_own_outgoing_request_t *made) {
  wasi_http_types_own_fields_t fields;
  if (!fields_of(request, &fields)) return "a header field of the request is not allowed";
  *made = wasi_http_types_constructor_outgoing_request(fields);
  wasi_http_types_borrow_outgoing_request_t it = wasi_http_types_borrow_outgoing_request(*made);
  wasi_http_types_method_t method = method_of(request->method);
  if (!wasi_http_types_method_outgoing_request_set_method(it, &method))
    return "the request's method is none";
  wasi_http_types_scheme_t scheme = {.tag = to->is_https ? WASI_HTTP_TYPES_SCHEME_HTTPS
                                                         : WASI_HTTP_TYPES_SCHEME_HTTP};
  plugin_string_t authority = text(to->authority);
  plugin_string_t path = text(to->path);
  if (!wasi_http_types_method_outgoing_request_set_scheme(it, &scheme) ||
      !wasi_http_types_method_outgoing_request_set_authority(it, &authority) ||
      !wasi_http_types_method_outgoing_request_set_path_with_query(it, &path))
    return "the request's address is not allowed";
  return NULL;
}

static wasi_http_types_own_request_options_t options_of(const hookbox_request *request) {
  wasi_http_types_own_request_options_t options = wasi_http_types_constructor_request_options();
  wasi_http_types_borrow_request_options_t it = wasi_http_types_borrow_request_options(options);
  uint32_t timeout_ms = request->timeout_ms == 0 ? TIMEOUT_MS : request->timeout_ms;
  wasi_http_types_duration_t timeout_ns = (uint64_t)timeout_ms * 1000000;
  wasi_http_types_method_request_options_set_connect_timeout(it, &timeout_ns);
  wasi_http_types_method_request_options_set_first_byte_timeout(it, &timeout_ns);
  wasi_http_types_method_request_options_set_between_bytes_timeout(it, &timeout_ns);
  return options;
}

bool hookbox_http_send(const hookbox_request *request, hookbox_response *response) {
  memset(response, 0, sizeof *response);
  target to;
  const char *wrong = target_of(request->url, &to);
  if (wrong != NULL) return failed("the request's address", wrong);
  response->origin = to.origin;
  wasi_http_types_own_outgoing_request_t outgoing;
  wrong = made(request, &to, &outgoing);
  if (wrong != NULL) return failed(to.origin, wrong);
  wasi_http_types_own_outgoing_body_t body;
  if (!wasi_http_types_method_outgoing_request_body(
          wasi_http_types_borrow_outgoing_request(outgoing), &body))
    return failed(to.origin, "the request takes no body");

  wasi_http_types_own_request_options_t options = options_of(request);
  wasi_http_outgoing_handler_own_future_incoming_response_t coming;
  wasi_http_types_error_code_t error;
  if (!wasi_http_outgoing_handler_handle(outgoing, &options, &coming, &error))
    return failed(to.origin, reason_of(&error));
  /* Where the service hangs up before it has all, its answer says more than this
   * does. */
  bool is_sent = body_sent(body, request);
  wasi_http_types_borrow_future_incoming_response_t future =
      wasi_http_types_borrow_future_incoming_response(coming);
  wasi_http_types_own_pollable_t ready =
      wasi_http_types_method_future_incoming_response_subscribe(future);
  wasi_io_poll_method_pollable_block(wasi_io_poll_borrow_pollable(ready));
  wasi_io_poll_pollable_drop_own(ready);
  wasi_http_types_result_result_own_incoming_response_error_code_void_t answer;
  bool is_there = wasi_http_types_method_future_incoming_response_get(future, &answer);
  wasi_http_types_future_incoming_response_drop_own(coming);
  if (!is_there || answer.is_err) return failed(to.origin, "no answer came");
  if (answer.val.ok.is_err) return failed(to.origin, reason_of(&answer.val.ok.val.err));

  wasi_http_types_own_incoming_response_t own = answer.val.ok.val.ok;
  wasi_http_types_borrow_incoming_response_t it = wasi_http_types_borrow_incoming_response(own);
  response->status = wasi_http_types_method_incoming_response_status(it);
  if (!is_sent && response->status < 300)
    return failed(to.origin, "the request's body could not be sent whole");
  response->headers = headers_of(it);
  size_t max = request->answer_max == 0 ? ANSWER_MAX : request->answer_max;
  bool is_read = body_read(it, max, response);
  wasi_http_types_incoming_response_drop_own(own);
  return is_read;
}

hookbox_outcome hookbox_http_failed(void) { return hookbox_retry("%s", http_error); }

const char *hookbox_http_header(const hookbox_response *response, const char *name) {
  for (const hookbox_header *at = response->headers; at != NULL && at->name != NULL; at++)
    if (strcasecmp(at->name, name) == 0) return at->value;
  return NULL;
}

/* The seconds of Retry-After (RFC 9110, section 10.2.3) as milliseconds; false
 * where it is missing or a date. */
static bool wait_asked(const hookbox_response *response, uint64_t *wait_ms) {
  const char *value = hookbox_http_header(response, "retry-after");
  if (value == NULL) return false;
  while (*value == ' ' || *value == '\t') value++;
  size_t digits = strspn(value, "0123456789");
  if (digits == 0 || value[digits + strspn(value + digits, " \t")] != '\0') return false;
  /* Too long for the type, it is as long as can be: strtoull says so itself. */
  unsigned long long seconds = strtoull(value, NULL, 10);
  *wait_ms = seconds > WAIT_MS_MAX / 1000 ? WAIT_MS_MAX : seconds * 1000;
  return true;
}

/* Status and beginning of the body, for an operator to read. */
static char *reason(const hookbox_response *response) {
  bool is_redirect = response->status >= 300 && response->status < 400;
  char *reason = hookbox_format("%s answered %u%s", response->origin, (unsigned)response->status,
                                is_redirect ? " (redirects are not followed)" : "");
  char *shown = hookbox_format("%.*s", SHOWN_MAX, response->body == NULL ? "" : response->body);
  size_t len = strlen(shown);
  /* Not half a character at the end. */
  if (len == SHOWN_MAX) {
    while (len > 0 && ((uint8_t)shown[len - 1] & 0xc0) == 0x80) len--;
    if (len > 0 && (uint8_t)shown[len - 1] >= 0x80) len--;
  }
  while (len > 0 && (uint8_t)shown[len - 1] <= ' ') len--;
  shown[len] = '\0';
  for (char *at = shown; *at != '\0'; at++)
    if ((uint8_t)*at < ' ' || *at == 0x7f) *at = ' ';
  shown += strspn(shown, " ");
  return *shown == '\0' ? reason : hookbox_format("%s: %s", reason, shown);
}

hookbox_outcome hookbox_http_outcome(const hookbox_response *response) {
  uint16_t status = response->status;
  if (status >= 200 && status < 300) return hookbox_done();
  bool is_passing = status == 408 || status == 425 || status == 429 || status >= 500;
  uint64_t wait_ms;
  if (is_passing && wait_asked(response, &wait_ms))
    return hookbox_retry_after(wait_ms, "%s", reason(response));
  if (is_passing || status < 400) return hookbox_retry("%s", reason(response));
  return hookbox_reject("%s", reason(response));
}
