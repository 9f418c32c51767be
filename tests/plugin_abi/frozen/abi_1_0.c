/* A plugin built against Fermata's ABI 1.0, frozen: every struct and number is written out here. Do not edit. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct str {
  const char* data;
  size_t size;
};
struct host {
  uint32_t struct_size;
  uint32_t abi_major;
  uint32_t abi_minor;
  void* handle;
  const void* (*get_interface)(void* handle, const char* name);
};
struct error {
  uint32_t struct_size;
  uint32_t text_size;
  char text[1016];
};
struct record {
  uint32_t struct_size;
  uint32_t attempt;
  struct str topic;
  int32_t partition;
  int64_t offset;
  int64_t timestamp_ms;
  struct str key;
  struct str value;
};
struct processor {
  uint32_t struct_size;
  uint32_t max_in_flight;
  struct str name;
  struct str topic;
  struct str location;
  struct str group;
  void* ctx;
  void (*process)(void* ctx, const struct record* record, void* delivery);
};
struct queue_api {
  uint32_t struct_size;
  int32_t (*register_processor)(void* host, const struct processor* processor, struct error* error);
  void (*complete)(void* host, void* delivery, int32_t outcome, struct str text);
};
struct kv_api {
  uint32_t struct_size;
  int32_t (*put)(void* host, struct str key, struct str value, struct error* error);
};
struct plugin {
  uint32_t struct_size;
  uint32_t abi_major;
  uint32_t abi_minor;
  struct str name;
  struct str version;
  int32_t (*create)(const struct host* host, struct str service, void** instance, struct error* error);
  void (*destroy)(void* instance);
  int32_t (*init)(void* instance, struct str config_json, struct error* error);
  int32_t (*start)(void* instance, struct error* error);
  int32_t (*stop)(void* instance, struct error* error);
#ifndef FROZEN_LEAST
  int32_t (*pause)(void* instance, struct str location, struct error* error);
  int32_t (*resume)(void* instance, struct str location, struct error* error);
  int32_t (*status)(void* instance, struct str location, void (*sink)(void*, struct str), void* sink_ctx, struct error* error);
#endif
};

_Static_assert(sizeof(struct error) == 1024, "the error of ABI 1.0");
_Static_assert(sizeof(struct record) == 80, "the record of ABI 1.0");
_Static_assert(sizeof(struct processor) == 88, "the processor of ABI 1.0");
_Static_assert(offsetof(struct plugin, create) == 48, "the plugin of ABI 1.0");

struct instance {
  const struct host* host;
  const struct queue_api* queue;
  const struct kv_api* kv;
};

static int32_t create(const struct host* host, struct str service, void** out, struct error* error) {
  (void)service;
  (void)error;
  struct instance* self = calloc(1, sizeof(*self));
  if (self == NULL) return 8;
  self->host = host;
  self->queue = host->get_interface(host->handle, "fermata.queue/1");
  self->kv = host->get_interface(host->handle, "fermata.kv/1");
  *out = self;
  return self->queue != NULL && self->kv != NULL ? 0 : 12;
}

static void destroy(void* instance) { free(instance); }

static void process(void* ctx, const struct record* record, void* delivery) {
  struct instance* self = ctx;
  const struct str none = {NULL, 0};
  const int32_t code = self->kv->put(self->host->handle, record->key, record->value, NULL);
  self->queue->complete(self->host->handle, delivery, code == 0 ? 0 : 1, none);
}

static int32_t init(void* instance, struct str config, struct error* error) {
  (void)config;
  struct instance* self = instance;
  const struct processor processor = {sizeof(processor), 0, {"worker", 6}, {"zoo", 3}, {"a", 1}, {NULL, 0}, self, process};
  return self->queue->register_processor(self->host->handle, &processor, error);
}

static int32_t nothing(void* instance, struct error* error) {
  (void)instance;
  (void)error;
  return 0;
}

#ifndef FROZEN_LEAST
static int32_t nothing_for(void* instance, struct str location, struct error* error) {
  (void)location;
  return nothing(instance, error);
}
static int32_t status(void* instance, struct str location, void (*sink)(void*, struct str), void* sink_ctx, struct error* error) {
  const struct str healthy = {"{}", 2};
  sink(sink_ctx, healthy);
  return nothing_for(instance, location, error);
}
#define FROZEN_HOOKS , nothing_for, nothing_for, status
#else
#define FROZEN_HOOKS
#endif

static const struct plugin frozen_plugin = {
    sizeof(struct plugin), 1, 0, {ZOO_NAME, sizeof(ZOO_NAME) - 1}, {"1.0.0", 5}, create, destroy, init, nothing, nothing FROZEN_HOOKS};

__attribute__((visibility("default"))) const struct plugin* fermata_plugin_entry(void) { return &frozen_plugin; }
