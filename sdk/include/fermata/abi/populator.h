/* Host interface "fermata.populator/1": journals become records.
 *
 * A populator reads an ordered journal from a checkpoint. The host polls it (one node of the cluster at a time, under a
 * lease), produces what it emits, waits until that is durable, saves the next checkpoint, and polls again. */
#ifndef FERMATA_ABI_POPULATOR_H
#define FERMATA_ABI_POPULATOR_H

#include <fermata/abi/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FERMATA_POPULATOR_INTERFACE "fermata.populator/1"

/* One poll, to be finished exactly once; the host's. */
typedef struct fermata_batch fermata_batch;

typedef struct fermata_populator {
  uint32_t struct_size;
  uint32_t reserved;    /* 0 */
  fermata_str name;     /* unique within the service, stable: the checkpoint is stored under it */
  fermata_str topic;    /* where its records go */
  fermata_str location; /* pausing this location pauses the populator; empty = it never pauses */
  void* ctx;
  /* Reads on from `checkpoint` (empty at the very first poll; otherwise what the last finished poll returned, which by
   * now is durable together with its records). Emits and finishes now or later, from any thread; while a poll is
   * unfinished no other is begun. A populator with nothing to read finishes at once with an idle time instead of
   * keeping the batch open, so that pausing is quick. [any] */
  void (*poll)(void* ctx, fermata_str checkpoint, fermata_batch* batch);
} fermata_populator;

typedef struct fermata_populator_api {
  uint32_t struct_size;
  /* Registers a populator; the host copies the struct. Only within init. [control] */
  fermata_code (*register_populator)(void* host, const fermata_populator* populator, fermata_error* error);
  /* Adds a record to an unfinished batch; key and value are copied. FERMATA_RESOURCE_EXHAUSTED when the batch is full
   * (1,000 records or 8 MiB): finish, and emit it at the next poll. [any] */
  fermata_code (*emit)(void* host, fermata_batch* batch, fermata_str key, fermata_str value, fermata_error* error);
  /* Ends a poll. With FERMATA_OK the records are produced, then `next_checkpoint` (at most 64 KiB) is saved, and the
   * next poll comes `idle_ms` later (0 = at once). With any other code nothing is produced or saved, `text` is shown as
   * the location's last error, and the next poll comes from the old checkpoint after a back-off. [any] */
  void (*finish)(void* host, fermata_batch* batch, fermata_code code, fermata_str text, fermata_str next_checkpoint, uint32_t idle_ms);
  /* Cuts an idle time short: there is something to read. [any] */
  void (*wake)(void* host, fermata_str populator_name);
} fermata_populator_api;

#ifdef __cplusplus
}
#endif
#endif
