#include "server/http_door.h"

#include <kj/compat/http.h>

#include <string>
#include <utility>

#include "server/clock.h"
#include "server/health_page.h"
#include "server/http_guard.h"

namespace server {
namespace {

struct Page {
  unsigned status = 200;
  const char* status_text = "OK";
  const char* type = "text/plain; charset=utf-8";
  std::string body;
};

Page checks_page(const std::vector<HealthCheck>& checks) {
  Page page;
  page.body = to_text(checks);
  if (!all_ok(checks)) {
    page.status = 503;
    page.status_text = "Service Unavailable";
  }
  return page;
}

/// The path without its query, and the query without its mark.
std::pair<std::string, std::string> split_url(kj::StringPtr url) {
  const std::string text(url.cStr());
  const std::size_t mark = text.find('?');
  if (mark == std::string::npos) return {text, ""};
  return {text.substr(0, mark), text.substr(mark + 1)};
}

}  // namespace

class HttpDoor::Impl final : public kj::HttpService {
 public:
  Impl(kj::Timer& timer, NodeView view, DoorCounters& counters)
      : view_(std::move(view)),
        counters_(counters),
        headers_(kj::HttpHeaderTable::Builder().build()),
        server_(timer, *headers_, *this) {}

  kj::Promise<void> serve(kj::Own<kj::AsyncIoStream> stream) {
    return server_.listenHttp(guard_http(kj::mv(stream)));
  }

  kj::Promise<void> request(kj::HttpMethod method, kj::StringPtr url, const kj::HttpHeaders&,
                            kj::AsyncInputStream&, Response& response) override {
    ++counters_.http_requests;
    const bool reads = method == kj::HttpMethod::GET || method == kj::HttpMethod::HEAD;
    const auto [path, query] = split_url(url);
    const Page page = reads ? make(path, query)
                            : Page{405, "Method Not Allowed", "text/plain", "only GET and HEAD\n"};
    kj::HttpHeaders headers(*headers_);
    headers.set(kj::HttpHeaderId::CONTENT_TYPE, kj::StringPtr(page.type));
    auto stream =
        response.send(page.status, kj::StringPtr(page.status_text), headers, page.body.size());
    if (method == kj::HttpMethod::HEAD) return kj::READY_NOW;
    auto body = kj::heapString(page.body.data(), page.body.size());
    auto written = stream->write(body.begin(), body.size());
    return written.attach(kj::mv(body), kj::mv(stream));
  }

 private:
  /// "for=read"; nothing: all checks.
  Page readyz(const std::string& query) const {
    constexpr std::string_view kFor = "for=";
    const bool chosen = query.starts_with(kFor);
    const auto purpose = purpose_of(chosen ? query.substr(kFor.size()) : "write");
    if (!purpose) return {400, "Bad Request", "text/plain", "for= is write, read or stale\n"};
    return checks_page(checks_for(checks_of(view_), *purpose));
  }

  Page make(const std::string& path, const std::string& query) const {
    const std::uint64_t loop_ms = view_.stamps->loop.at_ms.load(std::memory_order_relaxed);
    const std::uint64_t now_ms = boot_ms();
    if (path == "/livez") return checks_page(liveness(loop_ms, now_ms, view_.readiness));
    if (path == "/readyz") return readyz(query);
    if (path == "/health") {
      return {200, "OK", "application/json", health_page(view_, parse_health_query(query))};
    }
    if (path == "/metrics") {
      return {200, "OK", "text/plain; version=0.0.4; charset=utf-8",
              node_metrics(view_, counters_)};
    }
    if (path == "/version") {
      return {200, "OK", "application/json", "{\"version\":\"" HOLDFAST_VERSION "\"}\n"};
    }
    return {404, "Not Found", "text/plain; charset=utf-8",
            "no such page; there are /livez /readyz /health /metrics /version\n"};
  }

  const NodeView view_;
  DoorCounters& counters_;
  kj::Own<kj::HttpHeaderTable> headers_;
  kj::HttpServer server_;
};

HttpDoor::HttpDoor(kj::Timer& timer, NodeView view, DoorCounters& counters)
    : impl_(std::make_unique<Impl>(timer, std::move(view), counters)) {}
HttpDoor::~HttpDoor() = default;

kj::Promise<void> HttpDoor::serve(kj::Own<kj::AsyncIoStream> stream) {
  return impl_->serve(kj::mv(stream));
}

}  // namespace server
