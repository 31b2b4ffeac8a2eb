#include "client/guard/proxy.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include <kj/vector.h>

namespace client::guard {
namespace {

using base::Code;
using base::Result;
using base::Status;

/// nullopt: the line is something else.
std::optional<std::uint64_t> token_of(const std::string& line) {
  const std::string word = kTokenWord;
  if (!line.starts_with(word) || line.size() == word.size() || line.size() > word.size() + 19)
    return std::nullopt;
  if (line.find_first_not_of("0123456789", word.size()) != std::string::npos) return std::nullopt;
  return std::stoull(line.substr(word.size()));
}

}  // namespace

class Proxy::Impl final : private kj::TaskSet::ErrorHandler {
 public:
  Impl(net::Loop& loop, net::Address service, Mark mark,
       std::function<void(const std::string&)> told)
      : loop_(loop),
        service_(std::move(service)),
        mark_(std::move(mark)),
        told_(std::move(told)),
        tasks_(*this) {}

  Status listen(const net::Address& address) {
    auto listener =
        net::Listener::listen(loop_, address, 1024, [this](std::shared_ptr<net::Socket> socket) {
          tasks_.add(serve(std::make_shared<Client>(net::byte_stream(std::move(socket)))));
        });
    if (!listener.is_ok()) return listener.status();
    listener_ = std::move(listener).value();
    return Status::ok();
  }
  std::uint16_t port() const { return listener_->port(); }
  const ProxyCounters& counters() const { return counters_; }

 private:
  struct Client {
    explicit Client(kj::Own<kj::AsyncIoStream> its_stream) : stream(kj::mv(its_stream)) {}
    kj::Own<kj::AsyncIoStream> stream;
    std::string line;
    char byte = 0;
    std::uint64_t token = 0;
    std::string answer;
    kj::Own<kj::AsyncIoStream> service;
    kj::Own<kj::PromiseFulfiller<void>> end;  // by a higher token
  };
  using ClientPtr = std::shared_ptr<Client>;

  kj::Promise<void> serve(const ClientPtr& client) {
    auto late =
        loop_.timer().afterDelay(kLineMs * kj::MILLISECONDS).then([]() -> bool { return false; });
    return read_line(client)
        .exclusiveJoin(kj::mv(late))
        .then([this, client](bool whole) -> kj::Promise<void> {
          const auto token = whole ? token_of(client->line) : std::nullopt;
          if (!token)
            return say(client, "HOLDFAST-ERROR the first line is HOLDFAST-TOKEN NUMBER\n");
          return admit(client, *token);
        });
  }

  kj::Promise<bool> read_line(const ClientPtr& client) {
    return client->stream->tryRead(&client->byte, 1, 1)
        .then([this, client](std::size_t got) -> kj::Promise<bool> {
          if (got == 0 || client->line.size() == kLineBytes) return false;
          if (client->byte == '\n') return true;
          client->line.push_back(client->byte);
          return read_line(client);
        });
  }

  kj::Promise<void> say(const ClientPtr& client, std::string text) {
    client->answer = std::move(text);
    return client->stream->write(client->answer.data(), client->answer.size()).then([client] {
      client->stream->shutdownWrite();
    });
  }

  /// The mark is on disk when this goes on; holding it is no use for as long as a connection lasts,
  /// so a higher token ends this one instead.
  kj::Promise<void> admit(const ClientPtr& client, std::uint64_t token) {
    const Result<Admitted> admitted = mark_.admit(token);
    if (admitted.status().code() == Code::kFenced) {
      ++counters_.fenced;
      told_("turned away: " + admitted.status().detail());
      const auto mark = mark_.read();
      return say(client,
                 "HOLDFAST-FENCED " + std::to_string(mark.is_ok() ? mark.value() : 0) + "\n");
    }
    if (!admitted.is_ok()) {
      told_(admitted.status().to_string());
      return say(client, "HOLDFAST-ERROR " + admitted.status().to_string() + "\n");
    }
    ++counters_.admitted;
    end_below(token);
    client->token = token;
    auto ended = kj::newPromiseAndFulfiller<void>();
    client->end = kj::mv(ended.fulfiller);
    open_.emplace(token, client);
    told_("token " + std::to_string(token) + " admitted");
    return forward(client).exclusiveJoin(kj::mv(ended.promise)).attach(kj::defer([this, client] {
      std::erase_if(open_, [&](const auto& each) { return each.second == client; });
    }));
  }

  void end_below(std::uint64_t token) {
    while (!open_.empty() && open_.begin()->first < token) {
      const ClientPtr client = open_.begin()->second;
      open_.erase(open_.begin());
      ++counters_.ended;
      told_("connection of token " + std::to_string(client->token) + " ended by token " +
            std::to_string(token));
      client->end->fulfill();
    }
  }

  kj::Promise<void> forward(const ClientPtr& client) {
    return net::dial(loop_, service_, 5000)
        .then([client](std::shared_ptr<net::Socket> socket) {
          client->service = net::byte_stream(std::move(socket));
          static constexpr std::string_view kOk = "HOLDFAST-OK\n";
          return client->stream->write(kOk.data(), kOk.size());
        })
        .then([client] {
          kj::Vector<kj::Promise<void>> both;
          both.add(client->stream->pumpTo(*client->service).then([client](std::uint64_t) {
            client->service->shutdownWrite();
          }));
          both.add(client->service->pumpTo(*client->stream).then([client](std::uint64_t) {
            client->stream->shutdownWrite();
          }));
          return kj::joinPromises(both.releaseAsArray());
        });
  }
  /// A connection that breaks is its client's affair.
  void taskFailed(kj::Exception&&) override {}

  net::Loop& loop_;
  const net::Address service_;
  const Mark mark_;
  const std::function<void(const std::string&)> told_;
  ProxyCounters counters_;
  std::multimap<std::uint64_t, ClientPtr> open_;  // by token
  std::unique_ptr<net::Listener> listener_;
  kj::TaskSet tasks_;
};

Proxy::Proxy(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Proxy::~Proxy() = default;

Result<std::unique_ptr<Proxy>> Proxy::listen(net::Loop& loop, const net::Address& address,
                                             net::Address service, Mark mark,
                                             std::function<void(const std::string&)> told) {
  auto impl = std::make_unique<Impl>(loop, std::move(service), std::move(mark), std::move(told));
  const Status status = impl->listen(address);
  if (!status.is_ok()) return status;
  return std::unique_ptr<Proxy>(new Proxy(std::move(impl)));
}

std::uint16_t Proxy::port() const {
  return impl_->port();
}
const ProxyCounters& Proxy::counters() const {
  return impl_->counters();
}

}  // namespace client::guard
