#include "log_parser.hpp"

#include "json_handler.hpp"

#include <utility>

namespace fermata::ingestion {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxNameBytes = 64;  // of members; ours are shorter

}  // namespace

class LogParser::Handler : public JsonHandler {
 public:
  explicit Handler(LogSink& sink) : sink_(sink) {}

  bool on_object_begin(Error& error) { return open(false, error); }
  bool on_array_begin(Error& error) { return open(true, error); }
  bool on_object_end(std::size_t, Error& error) { return close(error); }
  bool on_array_end(std::size_t, Error& error) { return close(error); }
  bool on_key_part(Text part, std::size_t size, Error&) {
    if (size == part.size()) name_.clear();
    if (name_.size() < kMaxNameBytes) name_.append(part.data(), part.size());
    return true;
  }
  bool on_key(Text part, std::size_t size, Error& error) { return on_key_part(part, size, error); }
  bool on_string_part(Text part, std::size_t, Error& error) { return take_text(part, error); }
  bool on_string(Text part, std::size_t, Error& error) { return take_text(part, error); }
  bool on_int64(std::int64_t number, Text, Error& error) {
    if (place_ == Place::kInfo) {
      if (name_ == "start") info_.start = number;
      if (name_ == "cseq") info_.cseq = number;
      if (name_ == "prune") info_.prune = number;
    }
    return take_scalar(error);
  }
  bool on_uint64(std::uint64_t, Text, Error& error) { return take_scalar(error); }
  bool on_double(double, Text, Error& error) { return take_scalar(error); }
  bool on_bool(bool, Error& error) { return take_scalar(error); }
  bool on_null(Error& error) {
    if (place_ == Place::kRoot && name_ == "log") has_log_ = true;
    return take_scalar(error);
  }

  const Status& failure() const { return failure_; }
  bool is_log() const { return has_info_ && has_log_; }

 private:
  enum class Place { kOutside, kRoot, kInfo, kLog, kRecord, kEntries, kEntry, kSkipped };

  bool fail(Status why, Error& error) {
    failure_ = std::move(why);
    error = json::error::exception;
    return false;
  }
  bool refuse(const char* what, Error& error) { return fail(Status(Code::kDataLoss, std::string("not a raft log: ") + what), error); }
  bool check(Status status, Error& error) { return status.is_ok() || fail(std::move(status), error); }

  bool open(bool is_array, Error& error) {
    switch (place_) {
      case Place::kOutside:
        if (is_array) return refuse("it is an array", error);
        place_ = Place::kRoot;
        return true;
      case Place::kRoot:
        if (name_ == "info" && !is_array) return enter(Place::kInfo);
        if (name_ == "log" && is_array) {
          if (!has_info_) return refuse("'log' comes before 'info'", error);
          has_log_ = true;
          return enter(Place::kLog);
        }
        return skip();
      case Place::kLog:
        if (is_array) return refuse("a record is an array", error);
        bucket_.clear();
        has_bucket_ = false;
        return enter(Place::kRecord);
      case Place::kRecord:
        if (name_ == "entries" && is_array) {
          if (!has_bucket_) return refuse("'entries' come before 'db'", error);
          wanted_ = sink_.wants(bucket_);
          return enter(Place::kEntries);
        }
        return skip();
      case Place::kEntries:
        if (is_array) return refuse("an entry is an array", error);
        key_.clear();
        value_.clear();
        type_.clear();
        has_key_ = has_value_ = is_too_large_ = false;
        return enter(Place::kEntry);
      case Place::kInfo:
      case Place::kEntry: return skip();
      case Place::kSkipped: ++skipped_depth_; return true;
    }
    return true;
  }

  bool enter(Place place) {
    place_ = place;
    return true;
  }
  bool skip() {
    before_skipped_ = std::exchange(place_, Place::kSkipped);
    skipped_depth_ = 1;
    return true;
  }

  bool close(Error& error) {
    switch (place_) {
      case Place::kSkipped:
        if (--skipped_depth_ == 0) place_ = before_skipped_;
        return true;
      case Place::kInfo:
        has_info_ = true;
        place_ = Place::kRoot;
        return check(sink_.on_info(info_), error);
      case Place::kEntry:
        place_ = Place::kEntries;
        return check(sink_.on_entry({bucket_, key_, value_, type_ == "del", has_key_, has_value_, is_too_large_}), error);
      case Place::kEntries: return enter(Place::kRecord);
      case Place::kRecord: place_ = Place::kLog; return check(sink_.on_record_end(), error);
      case Place::kLog: return enter(Place::kRoot);
      case Place::kRoot:
      case Place::kOutside: return enter(Place::kOutside);
    }
    return true;
  }

  bool take_text(Text part, Error& error) {
    if (place_ == Place::kRecord && name_ == "db") {
      has_bucket_ = true;
      if (bucket_.size() < kMaxEntryBytes) bucket_.append(part.data(), part.size());
    } else if (place_ == Place::kEntry) {
      take_entry_text(part);
    } else {
      return take_scalar(error);
    }
    return true;
  }

  void take_entry_text(Text part) {
    std::string* text = nullptr;
    if (name_ == "key") {
      text = &key_;
      has_key_ = true;
    } else if (name_ == "value") {
      text = &value_;
      has_value_ = true;
    } else if (name_ == "type") {
      text = &type_;
    }
    if (text == nullptr || !wanted_ || is_too_large_) return;
    if (text->size() + part.size() > kMaxEntryBytes) {
      is_too_large_ = true;
      value_.clear();
      return;
    }
    text->append(part.data(), part.size());
  }

  bool take_scalar(Error& error) {
    switch (place_) {
      case Place::kOutside: return refuse("it is no object", error);
      case Place::kLog: return refuse("a record is no object", error);
      case Place::kEntries: return refuse("an entry is no object", error);
      default: return true;
    }
  }

  LogSink& sink_;
  Place place_ = Place::kOutside;
  Place before_skipped_ = Place::kOutside;
  std::size_t skipped_depth_ = 0;
  std::string name_;  // of the member that comes or is being read
  LogInfo info_;
  bool has_info_ = false;
  bool has_log_ = false;
  // Of the record.
  std::string bucket_;
  bool has_bucket_ = false;
  bool wanted_ = false;
  // Of the entry.
  std::string key_;
  std::string value_;
  std::string type_;
  bool has_key_ = false;
  bool has_value_ = false;
  bool is_too_large_ = false;
  Status failure_;
};

struct LogParser::State {
  explicit State(LogSink& sink) : parser(json::parse_options(), sink) {}

  /// What the parser said, in our words.
  Status failed(const boost::system::error_code& error) const {
    const Status& failure = parser.handler().failure();
    return failure.is_ok() ? Status(Code::kDataLoss, "the log is not valid JSON: " + error.message()) : failure;
  }

  json::basic_parser<Handler> parser;
};

LogParser::LogParser(LogSink& sink) : state_(std::make_unique<State>(sink)) {}
LogParser::~LogParser() = default;

Status LogParser::feed(std::string_view piece) {
  boost::system::error_code error;
  const auto used = state_->parser.write_some(true, piece.data(), piece.size(), error);
  if (error) return state_->failed(error);
  if (used < piece.size() && piece.find_first_not_of(" \t\r\n", used) != std::string_view::npos)
    return {Code::kDataLoss, "the log is not valid JSON: something follows its end"};
  return Status::ok();
}

Status LogParser::end() {
  if (!state_->parser.done()) return {Code::kDataLoss, "the log is cut off"};
  return state_->parser.handler().is_log() ? Status::ok() : Status(Code::kDataLoss, "not a raft log: 'info' or 'log' is missing");
}

}  // namespace fermata::ingestion
