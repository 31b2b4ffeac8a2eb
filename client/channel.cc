#include "client/channel.h"

#include <algorithm>

namespace client {

std::string describe(const kj::Exception& exception, const std::string& address) {
  const auto text = exception.getDescription();
  const std::string all(text.begin(), text.size());
  std::string description;
  // "what; expression = value; …": the value is what matters.
  for (std::size_t from = 0; from < all.size();) {
    const std::size_t end = std::min(all.find("; ", from), all.size());
    std::string part = all.substr(from, end - from);
    from = end + 2;
    if (const auto equals = part.find(" = "); !description.empty() && equals != std::string::npos)
      part.erase(0, equals + 3);
    if (part != address) description += (description.empty() ? "" : ": ") + part;
  }
  return description.empty() ? "connection lost" : description;
}

base::Result<std::shared_ptr<Channel>> Channel::open(net::Loop& loop, const std::string& address,
                                                     const Options& options,
                                                     std::function<void(Channel&)> on_change) {
  auto parsed = net::parse_address(address);
  if (!parsed.is_ok()) return parsed.status();
  auto channel = std::make_shared<Channel>(loop, parsed.value(), options, std::move(on_change));
  channel->dial();
  return channel;
}

Channel::Channel(net::Loop& loop, net::Address address, const Options& options,
                 std::function<void(Channel&)> on_change)
    : loop_(loop),
      address_(std::move(address)),
      name_(address_.to_string()),
      options_(options),
      on_change_(std::move(on_change)) {}

void Channel::dial() {
  for (std::uint32_t i = 0; i < std::max(1u, options_.connections); ++i) {
    watches_.push_back(
        net::dial(loop_, address_, options_.dial_timeout_ms)
            .then([this](std::shared_ptr<net::Socket> socket) { dialled(std::move(socket)); })
            .eagerlyEvaluate([this](kj::Exception&& e) { broke(describe(e, name_)); }));
  }
}

void Channel::dialled(std::shared_ptr<net::Socket> socket) {
  if (state_ == State::kClosed) return;
  connections_.push_back(net::RpcClient::make(loop_, std::move(socket), net::ConnectionLimits{}));
  members_.push_back(connections_.back()->bootstrap().castAs<schema::Holdfast>());
  room_ += options_.submits_in_flight;
  watches_.push_back(
      connections_.back()
          ->on_disconnect()
          .then([this] { broke("the connection was closed"); })
          .eagerlyEvaluate([this](kj::Exception&& e) { broke(describe(e, name_)); }));
  state_ = State::kOpen;
  on_change_(*this);
}

void Channel::broke(const std::string& why) {
  if (state_ == State::kClosed) return;
  close(why);
  on_change_(*this);
}

capnp::Request<schema::Holdfast::SubmitParams, schema::Holdfast::SubmitResults> Channel::submit(
    std::uint64_t size_words, std::uint64_t now_ms) {
  CHECK(has_room(), "a submit needs room on its channel");
  if (in_flight_++ == 0 && !asking_) heard_ms_ = now_ms;
  turn_ = (turn_ + 1) % members_.size();
  return members_[turn_].submitRequest(capnp::MessageSize{size_words, 0});
}

schema::Holdfast::Client Channel::member() {
  CHECK(state_ == State::kOpen, "a member is asked on an open channel");
  return members_.front();
}

std::uint64_t Channel::silent_ms(std::uint64_t now_ms) const {
  if (in_flight_ == 0 && !asking_) return 0;
  return now_ms > heard_ms_ ? now_ms - heard_ms_ : 0;
}

void Channel::asking(bool on, std::uint64_t now_ms) {
  if (on && in_flight_ == 0 && !asking_) heard_ms_ = now_ms;
  asking_ = on;
}

void Channel::close(const std::string& why) {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  reason_ = why;
  members_.clear();
}

}  // namespace client
