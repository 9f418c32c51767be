/* Host interface "fermata.http/1": REST routes of the service's own, served by the host below
 * /api/v1/services/<service>/ and /_/<service>/ (also /_/backbeat/api/<service>/). */
#ifndef FERMATA_ABI_HTTP_H
#define FERMATA_ABI_HTTP_H

#include <fermata/abi/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FERMATA_HTTP_INTERFACE "fermata.http/1"

/* One request, to be answered exactly once; the host's. Unanswered after 30 s (rest.request_timeout) the host answers 503. */
typedef struct fermata_exchange fermata_exchange;

typedef struct fermata_request {
  uint32_t struct_size;
  uint32_t reserved;
  fermata_str method; /* "GET", ... */
  fermata_str path;   /* what stands after the service's prefix, percent-decoded, e.g. "objects/bucket/a b" */
  fermata_str rest;   /* the part of `path` that the pattern's "*" matched, e.g. "bucket/a b" */
  fermata_str query;  /* raw, without "?" */
  fermata_str body;   /* at most the host's body limit (default 1 MiB) */
  /* Hands the value of header `name` (any case) to `sink`; FERMATA_NOT_FOUND if absent. Only within the handler. */
  fermata_code (*header)(const struct fermata_request* request, fermata_str name, fermata_sink sink, void* sink_ctx);
} fermata_request;

/* Answers now or later, from any thread; returns soon. [any] */
typedef void (*fermata_handler)(void* ctx, const fermata_request* request, fermata_exchange* exchange);

typedef struct fermata_http_api {
  uint32_t struct_size;
  /* Adds a route; only within init. `pattern` is a path, or a path that ends in "/" and "*" for everything below. The
   * host's own names (status, pause, resume, locations) are FERMATA_ALREADY_EXISTS. [control] */
  fermata_code (*add_route)(void* host, fermata_str method, fermata_str pattern, fermata_handler handler, void* ctx, fermata_error* error);
  /* Answers; content_type and body are copied. [any] */
  void (*respond)(void* host, fermata_exchange* exchange, int32_t status, fermata_str content_type, fermata_str body);
} fermata_http_api;

#ifdef __cplusplus
}
#endif
#endif
