#pragma once

#include "base/status.hpp"

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string_view>

namespace fermata::kafka {

template <auto destroy>
struct Destroyer {
  template <typename Handle>
  void operator()(Handle* handle) const {
    destroy(handle);
  }
};

// librdkafka's handles, owned. A client goes last, after all that was made from it.
using Conf = std::unique_ptr<rd_kafka_conf_t, Destroyer<rd_kafka_conf_destroy>>;
using Client = std::unique_ptr<rd_kafka_t, Destroyer<rd_kafka_destroy>>;
using TopicHandle = std::unique_ptr<rd_kafka_topic_t, Destroyer<rd_kafka_topic_destroy>>;
using QueueHandle = std::unique_ptr<rd_kafka_queue_t, Destroyer<rd_kafka_queue_destroy>>;
using PartitionList = std::unique_ptr<rd_kafka_topic_partition_list_t, Destroyer<rd_kafka_topic_partition_list_destroy>>;
using Metadata = std::unique_ptr<const struct rd_kafka_metadata, Destroyer<rd_kafka_metadata_destroy>>;
using Message = std::unique_ptr<rd_kafka_message_t, Destroyer<rd_kafka_message_destroy>>;
using Error = std::unique_ptr<rd_kafka_error_t, Destroyer<rd_kafka_error_destroy>>;
using Event = std::unique_ptr<rd_kafka_event_t, Destroyer<rd_kafka_event_destroy>>;
using NewTopicHandle = std::unique_ptr<rd_kafka_NewTopic_t, Destroyer<rd_kafka_NewTopic_destroy>>;
using AdminOptions = std::unique_ptr<rd_kafka_AdminOptions_t, Destroyer<rd_kafka_AdminOptions_destroy>>;

/// Offsets by partition.
using Offsets = std::map<std::int32_t, std::int64_t>;

/// Those of a list that have an offset and no error.
Offsets offsets_of(const rd_kafka_topic_partition_list_t& list);
std::span<rd_kafka_topic_partition_t> elements(const rd_kafka_topic_partition_list_t& list);

/// librdkafka's code in the project's words. @param what  what was attempted, on which object.
/// @param detail  more than the code's own text, where there is.
Status to_status(rd_kafka_resp_err_t error, std::string_view what, std::string_view detail = {});

/// What is left until `deadline`, as librdkafka wants it: not negative, which would mean for ever.
int left_ms(std::chrono::steady_clock::time_point deadline);

}  // namespace fermata::kafka
