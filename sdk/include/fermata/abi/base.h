/* Types that every Fermata ABI header uses. C11, no dependencies.
 *
 * ABI policy
 *   - Every struct that crosses begins with `struct_size`, set by whoever fills it. A reader treats members beyond that
 *     size as absent. Within one major version members are only appended; nothing is removed, reordered or re-typed.
 *   - Nothing allocated on one side is freed on the other. Data is passed by value or borrowed *for the call*:
 *     a callee that needs it later copies it. Handles are opaque to the side that did not make them.
 *   - No exception may cross. The host fences its calls anyway and reports what escapes.
 *   - Every call returns in bounded time; long work is asynchronous and ends with a callback.
 *   - Thread tags on each function: [control] one host thread at a time; [any] any thread, concurrent with everything.
 */
#ifndef FERMATA_ABI_BASE_H
#define FERMATA_ABI_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FERMATA_ABI_MAJOR 1u
#define FERMATA_ABI_MINOR 1u

/* Bytes, UTF-8 where text is meant; not NUL-terminated; borrowed for the call. data may be NULL when size is 0. */
typedef struct fermata_str {
  const char* data;
  size_t size;
} fermata_str;

/* Result of a call; the numbers are gRPC's canonical codes. */
typedef int32_t fermata_code;
enum {
  FERMATA_OK = 0,
  FERMATA_CANCELLED = 1,
  FERMATA_UNKNOWN = 2,
  FERMATA_INVALID_ARGUMENT = 3,
  FERMATA_DEADLINE_EXCEEDED = 4,
  FERMATA_NOT_FOUND = 5,
  FERMATA_ALREADY_EXISTS = 6,
  FERMATA_PERMISSION_DENIED = 7,
  FERMATA_RESOURCE_EXHAUSTED = 8,
  FERMATA_FAILED_PRECONDITION = 9,
  FERMATA_ABORTED = 10,
  FERMATA_OUT_OF_RANGE = 11,
  FERMATA_UNIMPLEMENTED = 12,
  FERMATA_INTERNAL = 13,
  FERMATA_UNAVAILABLE = 14,
  FERMATA_DATA_LOSS = 15,
  FERMATA_UNAUTHENTICATED = 16
};

/* Where a failing call writes why. The caller owns it and sets struct_size and text_size = 0; it may pass NULL.
 * The callee writes at most sizeof(text) bytes (cut at a character boundary) and sets text_size. */
typedef struct fermata_error {
  uint32_t struct_size;
  uint32_t text_size;
  char text[1016];
} fermata_error;

/* Receives data from a callee that owns it: called at most once before the call returns; `data` is borrowed. */
typedef void (*fermata_sink)(void* sink_ctx, fermata_str data);

#ifdef __cplusplus
}
#endif
#endif
