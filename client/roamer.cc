#include "client/roamer.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "base/check.h"

namespace client {

std::uint64_t boot_clock_ms() {
  timespec now{};
  CHECK(clock_gettime(CLOCK_BOOTTIME, &now) == 0);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

Line::Line(net::Loop& loop, std::shared_ptr<net::Socket> socket, std::string address)
    : address_(std::move(address)),
      rpc_(net::RpcClient::make(loop, std::move(socket), net::ConnectionLimits{})),
      member_(rpc_->bootstrap().castAs<schema::Holdfast>()) {}

Roamer::Roamer(net::Loop& loop, const Options& options)
    : loop_(loop), options_(options), endpoints_(options.endpoints), tasks_(*this) {
  CHECK(!endpoints_.empty(), "somebody has to be asked first");
}
Roamer::~Roamer() = default;

kj::Promise<LinePtr> Roamer::line() {
  if (line_ != nullptr) return line_;
  KJ_IF_MAYBE (dialling, dialling_) return dialling->addBranch();
  auto forked = dial().fork();
  auto branch = forked.addBranch();
  dialling_ = kj::mv(forked);
  return branch;
}

kj::Promise<LinePtr> Roamer::dial() {
  const std::string address = endpoints_[next_ % endpoints_.size()];
  auto parsed = net::parse_address(address);
  auto dialled = parsed.is_ok() ? net::dial(loop_, parsed.value(), options_.dial_timeout_ms)
                                : kj::Promise<std::shared_ptr<net::Socket>>(
                                      KJ_EXCEPTION(FAILED, parsed.status().detail().c_str()));
  return dialled.then(
      [this, address](std::shared_ptr<net::Socket> socket) {
        line_ = std::make_shared<Line>(loop_, std::move(socket), address);
        tasks_.add(kj::evalLater([this] { dialling_ = nullptr; }));
        return line_;
      },
      [this](kj::Exception&& exception) -> LinePtr {
        ++next_;
        tasks_.add(kj::evalLater([this] { dialling_ = nullptr; }));
        kj::throwFatalException(kj::mv(exception));
      });
}

void Roamer::move_on(const LinePtr& line, const std::string& hint) {
  if (line != nullptr && line == line_) {
    tasks_.add(kj::evalLater([let_go = std::exchange(line_, nullptr)] {}));
    ++next_;
  }
  if (hint.empty() || options_.pinned) return;
  learn(hint);
  const auto at = std::find(endpoints_.begin(), endpoints_.end(), hint);
  next_ = static_cast<std::size_t>(at - endpoints_.begin());
}

void Roamer::learn(const std::string& address) {
  if (address.empty() || options_.pinned) return;
  if (std::find(endpoints_.begin(), endpoints_.end(), address) == endpoints_.end()) {
    // next_ counts modulo the number of endpoints.
    next_ %= endpoints_.size();
    endpoints_.push_back(address);
  }
}

}  // namespace client
