/* The plugin side of the ABI: what a shared object exports, and nothing else.
 *
 * A plugin exports one symbol, fermata_plugin_entry. Before any of its code runs the host reads the manifest, a JSON
 * document in the ELF section ".fermata_manifest" (fermata_add_plugin writes it): name, version, ABI version, services,
 * configuration schemas. See docs/reference/abi.md.
 */
#ifndef FERMATA_ABI_PLUGIN_H
#define FERMATA_ABI_PLUGIN_H

#include <fermata/abi/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FERMATA_MANIFEST_SECTION ".fermata_manifest"
#define FERMATA_ENTRY_SYMBOL "fermata_plugin_entry"

/* What the host lends one service instance. Outlives the instance. */
typedef struct fermata_host {
  uint32_t struct_size;
  uint32_t abi_major;
  uint32_t abi_minor;
  void* handle; /* first argument of every host function; names the instance to the host */
  /* Returns the function table `name` (e.g. "fermata.queue/1"), or NULL if this host does not offer it.
   * The table lives as long as the host. [any] */
  const void* (*get_interface)(void* handle, const char* name);
} fermata_host;

/* What the entry returns: static, constant, the same at every call.
 *
 * Lifecycle of an instance: create -> init -> start -> (pause <-> resume per location)* -> stop -> destroy.
 * A failed init goes straight to destroy; start is retried after FERMATA_UNAVAILABLE. Instances are independent: the
 * host may hold several at once, also of two versions of one plugin. All functions below are [control]: for one
 * instance the host calls them one at a time. Bounds (the host reports an overrun with the plugin's name): init 10 s,
 * start 30 s, pause and resume 1 s, status 100 ms (an overrun is reported from 1 s on), stop what the drain leaves of the
 * host's shutdown_timeout, of 10 s unless configured otherwise. */
typedef struct fermata_plugin {
  uint32_t struct_size;
  uint32_t abi_major;
  uint32_t abi_minor;
  fermata_str name;
  fermata_str version;

  /* Makes an instance of `service` (one of the manifest's). Must not do I/O or start threads. */
  fermata_code (*create)(const fermata_host* host, fermata_str service, void** instance, fermata_error* error);
  /* Frees the instance; no thread of it runs afterwards and no callback of it is called. Accepts every state. */
  void (*destroy)(void* instance);

  /* Reads the configuration; registers processors, populators and routes; no network I/O.
   * config: {"service":"..","settings":{..},"locations":[{"name":"..",..}],"work_dir":".."}, valid against the
   * manifest's schemas. `work_dir` is a private directory for scratch files. Returns FERMATA_INVALID_ARGUMENT naming the
   * key when values contradict each other. */
  fermata_code (*init)(void* instance, fermata_str config_json, fermata_error* error);
  /* Opens connections, starts threads. After it returns FERMATA_OK records are delivered. */
  fermata_code (*start)(void* instance, fermata_error* error);
  /* Ends all work; when it returns, every record handed out was completed and the plugin's threads are joined. */
  fermata_code (*stop)(void* instance, fermata_error* error);

  /* The location is to hold. The host has already closed the gates of its processors and populators; a plugin adds what
   * it does beyond them. Idempotent; in-flight work goes on. */
  fermata_code (*pause)(void* instance, fermata_str location, fermata_error* error);
  /* The reverse; the host opens the gates after it returns FERMATA_OK. Idempotent. */
  fermata_code (*resume)(void* instance, fermata_str location, fermata_error* error);
  /* Writes a JSON object to `sink`: {} when there is nothing to add, else {"state":"degraded"|"failed",
   * "message":"why","details":{..}}, all optional. */
  fermata_code (*status)(void* instance, fermata_str location, fermata_sink sink, void* sink_ctx, fermata_error* error);
} fermata_plugin;

typedef const fermata_plugin* (*fermata_plugin_entry_fn)(void);

#define FERMATA_EXPORT __attribute__((visibility("default")))

/* The plugin defines it. Must be pure: no allocation, no threads, no state; the host may call it from any thread. [any] */
FERMATA_EXPORT const fermata_plugin* fermata_plugin_entry(void);

#ifdef __cplusplus
}
#endif
#endif
