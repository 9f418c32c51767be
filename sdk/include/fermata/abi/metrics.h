/* Host interface "fermata.metrics/1": counters, gauges and histograms on the host's /_/monitoring/metrics page.
 * The host adds the label service="..." to each. */
#ifndef FERMATA_ABI_METRICS_H
#define FERMATA_ABI_METRICS_H

#include <fermata/abi/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FERMATA_METRICS_INTERFACE "fermata.metrics/1"

typedef struct fermata_label {
  fermata_str name;
  fermata_str value;
} fermata_label;

/* One time series; the host's; lives as long as the host. */
typedef struct fermata_metric fermata_metric;

enum { FERMATA_COUNTER = 0, FERMATA_GAUGE = 1, FERMATA_HISTOGRAM = 2 };

typedef struct fermata_metrics_api {
  uint32_t struct_size;
  /* Finds or makes a series. Names: [a-zA-Z_:][a-zA-Z0-9_:]*, not "__" first; at most 8 labels and, per instance, 100,000 series
   * (then FERMATA_RESOURCE_EXHAUSTED). A name already used with another kind is FERMATA_ALREADY_EXISTS.
   * Histograms have buckets for seconds from 1 ms to 60 s. [any] */
  fermata_code (*series)(void* host, int32_t kind, fermata_str name, fermata_str help, const fermata_label* labels, size_t label_count,
                         fermata_metric** metric, fermata_error* error);
  /* Counter: adds value >= 0. Gauge: sets. Histogram: observes. Does not block. [any] */
  void (*record)(fermata_metric* metric, double value);
} fermata_metrics_api;

#ifdef __cplusplus
}
#endif
#endif
