/* Host interface "fermata.queue/1": produce to topics, and register processors that the host feeds.
 *
 * The host owns consumption: groups, gates, order per key, retries with back-off, back-pressure, offsets, dead letters.
 * A processor is handed one record of a key at a time and says, from any thread, how it went. Delivery is at least
 * once: work must be idempotent. */
#ifndef FERMATA_ABI_QUEUE_H
#define FERMATA_ABI_QUEUE_H

#include <fermata/abi/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FERMATA_QUEUE_INTERFACE "fermata.queue/1"

/* A record on its way to a processor; borrowed for the call of process(). */
typedef struct fermata_record {
  uint32_t struct_size;
  uint32_t attempt; /* 1 at the first delivery, then counts up with each retry, not with a postponement */
  fermata_str topic;
  int32_t partition;
  int64_t offset;
  int64_t timestamp_ms; /* when it was produced, ms since 1970 */
  fermata_str key;      /* records of one key are delivered in order, one at a time */
  fermata_str value;
  uint32_t last_attempt; /* 1: FERMATA_RETRY now uses up the retries, and the record goes to the failed store */
  uint32_t redelivered;  /* 1: it may have been delivered before, here or on another node, and nobody knows what came of it.
                          * 0: this is the first delivery; since 1.1, before that always 0 */
  /* Since 1.1. */
  fermata_str id; /* what the failed store will call it if it is given up; see <fermata/abi/failed.h> */
} fermata_record;

/* One delivery, to be completed exactly once; the host's. */
typedef struct fermata_delivery fermata_delivery;

typedef int32_t fermata_outcome;
enum {
  FERMATA_DONE = 0,   /* processed, or not ours: go on */
  FERMATA_RETRY = 1,  /* may work later: the key waits (with back-off), other keys go on; retries used up = FAILED */
  FERMATA_FAILED = 2, /* will never work: goes to the failed store with the text, and the key goes on */
  /* nothing is wrong with the record, it just cannot be done now (the target is down): the key waits with back-off as for
   * RETRY, but the attempt is not counted, so it is never given up */
  FERMATA_POSTPONE = 3
};

typedef struct fermata_processor {
  uint32_t struct_size;
  uint32_t max_in_flight; /* records handed out and not completed at one time; 0 = the host's default (64) */
  fermata_str name;       /* unique within the instance; part of metrics and messages */
  fermata_str topic;
  fermata_str location; /* the processor's gate follows this location's state; empty (since 1.1): it is never paused */
  fermata_str group;    /* consumer group; empty = "<service>-<location>"; without a location it must be given */
  void* ctx;            /* passed to process */
  /* Takes one record; returns soon (it runs on a host worker: no blocking I/O) and completes `delivery` now or later. [any] */
  void (*process)(void* ctx, const fermata_record* record, fermata_delivery* delivery);
} fermata_processor;

/* Called once when a produced record is durable (FERMATA_OK) or was given up. [any] */
typedef void (*fermata_produced)(void* ctx, fermata_code code, fermata_str error_text);

typedef struct fermata_queue_api {
  uint32_t struct_size;
  /* Registers a processor; the host copies the struct. Only within init. [control] */
  fermata_code (*register_processor)(void* host, const fermata_processor* processor, fermata_error* error);
  /* Ends a delivery. Completing twice is a bug and ignored with an error line. [any] */
  void (*complete)(void* host, fermata_delivery* delivery, fermata_outcome outcome, fermata_str text);
  /* Appends a record; key decides the partition. `produced` may be NULL. Key and value are copied. A topic that is not
   * there is made. Returns FERMATA_RESOURCE_EXHAUSTED (and does not call back) when the producer's buffer is full: try
   * again after a callback; FERMATA_INVALID_ARGUMENT over 1 MiB. [any] */
  fermata_code (*produce)(void* host, fermata_str topic, fermata_str key, fermata_str value, fermata_produced produced, void* ctx,
                          fermata_error* error);
  /* Since 1.1. What waits for its next try, postponed or to be retried, by the processors of `location`, is due now: what it
   * waited for has come. [any] */
  void (*hurry)(void* host, fermata_str location);
} fermata_queue_api;

#ifdef __cplusplus
}
#endif
#endif
