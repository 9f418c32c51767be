/* Host interface "fermata.executor/1": short tasks and timers on the host's worker threads. Long or blocking work
 * belongs on threads of the plugin's own, started in start and joined in stop. */
#ifndef FERMATA_ABI_EXECUTOR_H
#define FERMATA_ABI_EXECUTOR_H

#include <fermata/abi/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FERMATA_EXECUTOR_INTERFACE "fermata.executor/1"

typedef void (*fermata_task)(void* ctx);

typedef struct fermata_executor_api {
  uint32_t struct_size;
  /* Runs task(ctx) once, soon. After stop has returned nothing runs any more: what is pending is dropped. [any] */
  void (*post)(void* host, fermata_task task, void* ctx);
  /* Runs task(ctx) once, `delay_ms` from now (at most 30 days). Returns an id for cancel, never 0. [any] */
  uint64_t (*post_after)(void* host, uint64_t delay_ms, fermata_task task, void* ctx);
  /* 1 if the task will not run; 0 if it ran, runs now or is unknown. [any] */
  int32_t (*cancel)(void* host, uint64_t timer_id);
} fermata_executor_api;

#ifdef __cplusplus
}
#endif
#endif
