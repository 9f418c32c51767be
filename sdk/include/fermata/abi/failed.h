/* Host interface "fermata.failed/1" (since 1.1): the records that this service gave up, which the host keeps per location
 * until somebody retries or discards them. Operators see the same over REST. Records of a processor without a location
 * have the empty one. Every call may block for I/O, at most 5 s. */
#ifndef FERMATA_ABI_FAILED_H
#define FERMATA_ABI_FAILED_H

#include <fermata/abi/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FERMATA_FAILED_INTERFACE "fermata.failed/1"

/* A record that was given up; borrowed for the call. */
typedef struct fermata_failed_record {
  uint32_t struct_size;
  uint32_t attempts;
  fermata_str id; /* opaque; sorts by offset within a partition */
  fermata_str topic;
  fermata_str key;
  fermata_str value;
  fermata_str reason;
  int64_t failed_at_ms; /* ms since 1970 */
} fermata_failed_record;

/* Return 0 to stop. Must not call this interface. */
typedef int32_t (*fermata_failed_visit)(void* ctx, const fermata_failed_record* record);

typedef struct fermata_failed_api {
  uint32_t struct_size;
  /* Visits at most `limit` (1 to 1,000) records of `location`, by id, after `after_id` (empty = from the first). [any] */
  fermata_code (*list)(void* host, fermata_str location, fermata_str after_id, uint32_t limit, fermata_failed_visit visit, void* ctx,
                       fermata_error* error);
  /* Appends the record to its topic again and removes it from the store; FERMATA_NOT_FOUND if it is not there. [any] */
  fermata_code (*retry)(void* host, fermata_str location, fermata_str id, fermata_error* error);
  /* Removes the record, for good; one that is not there is not an error. [any] */
  fermata_code (*discard)(void* host, fermata_str location, fermata_str id, fermata_error* error);
} fermata_failed_api;

#ifdef __cplusplus
}
#endif
#endif
