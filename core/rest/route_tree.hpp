#pragma once
// Matching of paths against patterns; private to the router.

#include "base/percent.hpp"
#include "rest/router.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fermata::rest {

/// A path cut at its slashes, each segment percent-decoded once. Borrows `raw`, and hands out views of itself.
class PathSegments {
 public:
  /// @param raw  begins with "/"; anything else, and malformed escapes, make it invalid.
  explicit PathSegments(std::string_view raw) : raw_(raw) {
    valid_ = !raw.empty() && raw.front() == '/';
    segments_.reserve(8);
    for (std::size_t at = 1; valid_ && at <= raw.size();) {
      const std::size_t end = std::min(raw.find('/', at), raw.size());
      add(at, raw.substr(at, end - at));
      at = end + 1;
    }
  }
  PathSegments(const PathSegments&) = delete;
  PathSegments& operator=(const PathSegments&) = delete;

  bool valid() const { return valid_; }
  std::size_t size() const { return segments_.size(); }
  /// Decoded; empty between two slashes and after a trailing one.
  std::string_view operator[](std::size_t index) const { return segments_[index].text; }
  /// Everything from segment `index` on, decoded.
  std::string from(std::size_t index) const {
    if (index >= size()) return {};
    return percent_decode(raw_.substr(segments_[index].at)).value_or("");
  }
  /// Whether nothing but one trailing slash is left at `index`.
  bool ends_at(std::size_t index) const { return index == size() || (index + 1 == size() && segments_[index].text.empty()); }

 private:
  struct Segment {
    std::size_t at;
    std::string_view text;
  };

  void add(std::size_t at, std::string_view text) {
    if (text.empty() && at == 3 && at < raw_.size() && segments_[0].text == "_") return;  // "/_//route"
    if (text.find('%') != std::string_view::npos) {
      auto decoded = percent_decode(text);
      valid_ = decoded.has_value();
      if (!valid_) return;
      text = decoded_.emplace_back(std::move(*decoded));
    }
    segments_.push_back({at, text});
  }

  std::string_view raw_;
  bool valid_ = false;
  std::vector<Segment> segments_;
  std::deque<std::string> decoded_;
};

/// Patterns with a handler per method. Literals win over "{param}", params over a final "*".
template <typename Handler>
class RouteTree {
 public:
  struct Found {
    const Handler* handler = nullptr;
    RouteMatch match = {};
    std::vector<std::string> allowed = {};  ///< if there is no handler: the methods that have one
  };

  /// False if that method and pattern is taken.
  bool add(std::string_view method, std::string_view pattern, Handler handler) {
    Node* node = &root_;
    bool rest = false;
    for (std::size_t at = pattern.starts_with('/') ? 1 : 0; at < pattern.size();) {
      const std::size_t end = std::min(pattern.find('/', at), pattern.size());
      const std::string_view segment = pattern.substr(at, end - at);
      rest = segment == "*" && end == pattern.size();
      if (!rest) node = &child(*node, segment);
      at = end + 1;
    }
    Methods& methods = rest ? node->rest_methods : node->methods;
    return methods.emplace(std::string(method), std::move(handler)).second;
  }

  /// @param first  the segment to begin with.
  Found find(std::string_view method, const PathSegments& path, std::size_t first = 0) const {
    Search search{method, path, {}};
    walk(root_, first, search);
    return std::move(search.found);
  }

 private:
  using Methods = std::map<std::string, Handler, std::less<>>;
  struct Node {
    std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
    std::unique_ptr<Node> param;
    Methods methods;
    Methods rest_methods;
  };
  struct Search {
    std::string_view method;
    const PathSegments& path;
    Found found;
  };

  static Node& child(Node& node, std::string_view segment) {
    auto& next = segment.starts_with('{') ? node.param : node.literals[std::string(segment)];
    if (next == nullptr) next = std::make_unique<Node>();
    return *next;
  }

  static bool walk(const Node& node, std::size_t index, Search& search) {
    if (search.path.ends_at(index)) return take(node.methods, search);
    const std::string_view segment = search.path[index];
    if (!segment.empty()) {
      const auto literal = node.literals.find(segment);
      if (literal != node.literals.end() && walk(*literal->second, index + 1, search)) return true;
      if (node.param != nullptr) {
        search.found.match.params.emplace_back(segment);
        if (walk(*node.param, index + 1, search)) return true;
        search.found.match.params.pop_back();
      }
    }
    if (!take(node.rest_methods, search)) return false;
    search.found.match.rest = search.path.from(index);
    return true;
  }

  static bool take(const Methods& methods, Search& search) {
    auto handler = methods.find(search.method);
    if (handler == methods.end() && search.method == "HEAD") handler = methods.find("GET");
    if (handler != methods.end()) {
      search.found.handler = &handler->second;
      return true;
    }
    for (const auto& [method, unused] : methods) search.found.allowed.push_back(method);
    return false;
  }

  Node root_;
};

}  // namespace fermata::rest
