#include "text/problem.hpp"

#include "text/text.hpp"

#include <boost/json.hpp>

namespace fermata::text {

std::string problem_body(int status, std::string_view detail) {
  const std::string_view title = status == 400   ? "Bad Request"
                                 : status == 401 ? "Unauthorized"
                                 : status == 404 ? "Not Found"
                                                 : "Service Unavailable";
  return boost::json::serialize(boost::json::object{{"title", title}, {"status", status}, {"detail", printable(detail)}});
}

}  // namespace fermata::text
