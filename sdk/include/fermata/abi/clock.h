/* Host interface "fermata.clock/1": time, so that tests can drive it by hand. */
#ifndef FERMATA_ABI_CLOCK_H
#define FERMATA_ABI_CLOCK_H

#include <fermata/abi/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FERMATA_CLOCK_INTERFACE "fermata.clock/1"

typedef struct fermata_clock_api {
  uint32_t struct_size;
  /* Nanoseconds since 1970-01-01T00:00:00Z. May jump. [any] */
  int64_t (*unix_ns)(void* host);
  /* Nanoseconds since an arbitrary point; never goes back. [any] */
  int64_t (*monotonic_ns)(void* host);
} fermata_clock_api;

#ifdef __cplusplus
}
#endif
#endif
