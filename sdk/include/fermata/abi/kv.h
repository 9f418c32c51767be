/* Host interface "fermata.kv/1": an ordered key-value store of the service's own, durable, for bulk state such as one
 * entry per object. Keys are bytes, 1 to 4,096; values up to 256 KiB. Other services' entries are invisible. */
#ifndef FERMATA_ABI_KV_H
#define FERMATA_ABI_KV_H

#include <fermata/abi/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FERMATA_KV_INTERFACE "fermata.kv/1"

/* One entry of a scan; both borrowed for the call. Return 0 to stop. */
typedef int32_t (*fermata_kv_visit)(void* ctx, fermata_str key, fermata_str value);

typedef struct fermata_kv_api {
  uint32_t struct_size;
  /* Writes an entry. Visible to get and scan at once, durable a little later, and always before the completion of a
   * delivery or the finish of a batch that this service reports after it. FERMATA_UNAVAILABLE: not written. [any] */
  fermata_code (*put)(void* host, fermata_str key, fermata_str value, fermata_error* error);
  /* Removes an entry; a missing one is not an error. Durability as put. [any] */
  fermata_code (*remove)(void* host, fermata_str key, fermata_error* error);
  /* Hands the value to `sink`; FERMATA_NOT_FOUND if there is none. May block for I/O, at most 5 s. [any] */
  fermata_code (*get)(void* host, fermata_str key, fermata_sink sink, void* sink_ctx, fermata_error* error);
  /* Visits at most `limit` entries whose keys begin with `prefix` and are greater than `after` (empty = from the first),
   * in byte order. May block for I/O, at most 5 s. The visitor must not call the store. [any] */
  fermata_code (*scan)(void* host, fermata_str prefix, fermata_str after, uint32_t limit, fermata_kv_visit visit, void* ctx,
                       fermata_error* error);
} fermata_kv_api;

#ifdef __cplusplus
}
#endif
#endif
