#include "config/yaml_tree.hpp"

#include "base/utf8.hpp"
#include "config/read_file.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>

namespace fermata::config {
namespace {

constexpr std::size_t kMaxFileBytes = 64u << 20;
constexpr std::size_t kMaxDepth = 64;
constexpr std::size_t kMaxValues = 1'000'000;
constexpr std::string_view kStringTag = "tag:yaml.org,2002:str";

int line_of(const YAML::Mark& mark) { return mark.line + 1; }

std::size_t count_values(const YamlNode& node) {
  std::size_t count = 1;
  for (const auto& item : node.items) count += count_values(item);
  for (const auto& [key, value] : node.entries) count += count_values(value);
  return count;
}

std::size_t depth_of(const YamlNode& node) {
  std::size_t depth = 0;
  for (const auto& item : node.items) depth = std::max(depth, depth_of(item));
  for (const auto& [key, value] : node.entries) depth = std::max(depth, depth_of(value));
  return depth + 1;
}

/// Builds the tree from yaml-cpp's events. Throws YamlError.
class TreeBuilder final : public YAML::EventHandler {
 public:
  std::optional<YamlNode> take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (root_) throw YamlError{line_of(mark), "a second YAML document starts here; a configuration is one document: remove the '---' line"};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add({YamlNode::Kind::kNull, line_of(mark)}, anchor); }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override {
    if (tag != "?" && tag != "!" && tag != kStringTag && !tag.empty()) refuse_tag(mark, tag);
    const bool plain = tag == "?" || tag.empty();
    add({plain ? YamlNode::Kind::kPlain : YamlNode::Kind::kQuoted, line_of(mark), value}, anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    if (tag != "?" && tag != "!" && tag != "tag:yaml.org,2002:seq" && !tag.empty()) refuse_tag(mark, tag);
    open(mark, {YamlNode::Kind::kList, line_of(mark)}, anchor);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    if (tag != "?" && tag != "!" && tag != "tag:yaml.org,2002:map" && !tag.empty()) refuse_tag(mark, tag);
    open(mark, {YamlNode::Kind::kMap, line_of(mark)}, anchor);
  }
  void OnMapEnd() override { close(); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw YamlError{line_of(mark), "this alias stands within its own anchor"};
    if (open_.size() + depth_of(found->second) > kMaxDepth) refuse_depth(line_of(mark));
    count(count_values(found->second) - 1, line_of(mark));
    add(found->second, 0);
  }

 private:
  struct Open {
    YamlNode node;
    YAML::anchor_t anchor;
    std::optional<YamlKey> key = {};  // of the value that comes next
  };

  [[noreturn]] static void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    throw YamlError{line_of(mark), "the tag '" + tag + "' is not supported; write the value without a tag, in quotes if it is a string"};
  }
  [[noreturn]] static void refuse_depth(int line) {
    throw YamlError{line, "values are nested deeper than " + std::to_string(kMaxDepth) + " levels"};
  }

  void count(std::size_t values, int line) {
    values_ += values;
    if (values_ > kMaxValues) throw YamlError{line, "more than " + std::to_string(kMaxValues) + " values, aliases resolved"};
  }

  void open(const YAML::Mark& mark, YamlNode node, YAML::anchor_t anchor) {
    if (open_.size() >= kMaxDepth) refuse_depth(line_of(mark));
    open_.push_back({std::move(node), anchor});
  }

  void close() {
    Open done = std::move(open_.back());
    open_.pop_back();
    add(std::move(done.node), done.anchor);
  }

  void add(YamlNode node, YAML::anchor_t anchor) {
    count(1, node.line);
    if (anchor != 0) anchors_.insert_or_assign(anchor, node);
    if (open_.empty()) {
      root_ = std::move(node);
    } else if (auto& parent = open_.back(); parent.node.kind == YamlNode::Kind::kList) {
      parent.node.items.push_back(std::move(node));
    } else if (parent.key) {
      if (node.kind == YamlNode::Kind::kNull) node.line = parent.key->line;  // yaml-cpp names the line of what comes next
      parent.node.entries.emplace_back(std::move(*parent.key), std::move(node));
      parent.key.reset();
    } else if (node.is_scalar()) {
      parent.key = YamlKey{std::move(node.text), node.line};
    } else {
      throw YamlError{node.line, "a key must be a plain word, not a list, a map or null"};
    }
  }

  std::optional<YamlNode> root_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, YamlNode> anchors_;
  std::size_t values_ = 0;
};

int line_of_bad_utf8(std::string_view text) {
  int line = 1;
  while (!text.empty()) {
    const auto character = decode_utf8_front(text);
    if (character.size == 0) break;
    if (text.front() == '\n') ++line;
    text.remove_prefix(character.size);
  }
  return line;
}

YamlNode parse(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  TreeBuilder builder;
  while (parser.HandleNextDocument(builder)) {
  }
  auto root = builder.take_root();
  if (!root || root->kind == YamlNode::Kind::kNull)
    throw YamlError{1, "the file is empty; start from the annotated config/fermata.yaml, or write at least 'extensions: []'"};
  return std::move(*root);
}

}  // namespace

bool read_yaml(const std::string& file, YamlNode& root, YamlError& error) {
  const auto text = read_file(file, kMaxFileBytes);
  if (!text) {
    error = {0, "the configuration file cannot be read: " + text.status().message()};
    return false;
  }
  if (!is_utf8(*text)) {
    error = {line_of_bad_utf8(*text), "the text is not UTF-8; save the file as UTF-8"};
    return false;
  }
  try {
    root = parse(*text);
    return true;
  } catch (const YamlError& refused) {
    error = refused;
  } catch (const YAML::Exception& refused) {
    error = {line_of(refused.mark), "this is not YAML: " + refused.msg};
  }
  return false;
}

}  // namespace fermata::config
