/* Host interface "fermata.log/1": structured log lines that carry the plugin's and service's name. */
#ifndef FERMATA_ABI_LOG_H
#define FERMATA_ABI_LOG_H

#include <fermata/abi/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FERMATA_LOG_INTERFACE "fermata.log/1"

enum { FERMATA_LOG_DEBUG = 0, FERMATA_LOG_INFO = 1, FERMATA_LOG_WARN = 2, FERMATA_LOG_ERROR = 3 };

typedef struct fermata_log_api {
  uint32_t struct_size;
  /* 1 if a line of `level` would be written. [any] */
  int32_t (*enabled)(void* host, int32_t level);
  /* Writes one line; `location` may be empty. Lines over 8 KiB are cut. Never put secrets in `message`. [any] */
  void (*write)(void* host, int32_t level, fermata_str location, fermata_str message);
} fermata_log_api;

#ifdef __cplusplus
}
#endif
#endif
