#include "client/endpoints.h"

#include <algorithm>

#include "base/check.h"

namespace client {

Endpoints::Endpoints(const std::vector<std::string>& seeds) {
  for (const auto& seed : seeds) learn(seed);
  CHECK(!endpoints_.empty(), "a client needs an endpoint");
}

void Endpoints::learn(const std::string& address) {
  if (address.empty()) return;
  for (const auto& endpoint : endpoints_)
    if (endpoint.address == address) return;
  endpoints_.push_back({});
  endpoints_.back().address = address;
}

Endpoints::Endpoint& Endpoints::find(const std::string& address) {
  learn(address);
  auto found = std::find_if(endpoints_.begin(), endpoints_.end(),
                            [&](const Endpoint& e) { return e.address == address; });
  CHECK(found != endpoints_.end(), "an endpoint has an address");
  return *found;
}

bool Endpoints::aside(const Endpoint& endpoint, std::uint64_t now_ms) const {
  return endpoint.failures > 0 && now_ms < endpoint.aside_until_ms;
}

void Endpoints::forget_leader(const std::string& address) {
  if (leader_ != address) return;
  leader_.reset();
  confirmed_ = false;
}

void Endpoints::heard(const std::string& address, std::uint64_t now_ms) {
  Endpoint& endpoint = find(address);
  endpoint.failures = 0;
  endpoint.aside_until_ms = 0;
  endpoint.heard_ms = now_ms;
  heard_ms_ = now_ms;
}

void Endpoints::failed(const std::string& address, const std::string& reason,
                       std::uint64_t now_ms) {
  Endpoint& endpoint = find(address);
  const std::uint32_t doublings = std::min<std::uint32_t>(endpoint.failures, 8);
  ++endpoint.failures;
  endpoint.aside_until_ms = now_ms + std::min(kAsideMinMs << doublings, kAsideMaxMs);
  endpoint.ask_at_ms = endpoint.aside_until_ms;
  endpoint.note = reason;
  forget_leader(address);
}

void Endpoints::claims(const std::string& address, base::Term term, std::uint64_t now_ms) {
  heard(address, now_ms);
  find(address).note = "leader";
  if (confirmed() && leader_ != address && term <= leader_term_) return;
  leader_ = address;
  leader_term_ = term;
  confirmed_ = true;
  leader_seen_ms_ = now_ms;
}

void Endpoints::denies(const std::string& address, const std::string& why, std::uint64_t now_ms) {
  heard(address, now_ms);
  find(address).note = why;
  forget_leader(address);
}

bool Endpoints::hint(const std::string& address) {
  if (address.empty()) return false;
  if (leader_.has_value()) return leader_ == address;
  if (find(address).failures > 0) return false;
  leader_ = address;
  confirmed_ = false;
  return true;
}

bool Endpoints::leader_seen_since(std::uint64_t since_ms) const {
  return leader_seen_ms_.has_value() && *leader_seen_ms_ >= since_ms;
}

bool Endpoints::heard_since(std::uint64_t since_ms) const {
  return heard_ms_.has_value() && *heard_ms_ >= since_ms;
}

std::optional<std::string> Endpoints::any(std::uint64_t now_ms) const {
  const Endpoint* best = nullptr;
  for (const auto& endpoint : endpoints_) {
    if (endpoint.heard_ms == 0 || aside(endpoint, now_ms)) continue;
    if (endpoint.address == leader_) return leader_;
    if (best == nullptr || endpoint.heard_ms > best->heard_ms) best = &endpoint;
  }
  if (best == nullptr) return std::nullopt;
  return best->address;
}

std::vector<std::string> Endpoints::due(std::uint64_t now_ms) {
  std::vector<std::string> due;
  for (auto& endpoint : endpoints_) {
    if (now_ms < endpoint.ask_at_ms) continue;
    endpoint.ask_at_ms = now_ms + kAskAgainMs;
    due.push_back(endpoint.address);
  }
  return due;
}

std::vector<std::string> Endpoints::addresses() const {
  std::vector<std::string> addresses;
  for (const auto& endpoint : endpoints_) addresses.push_back(endpoint.address);
  return addresses;
}

std::string Endpoints::describe() const {
  std::string text;
  for (const auto& endpoint : endpoints_) {
    if (!text.empty()) text += "; ";
    text += endpoint.address + ": " + endpoint.note;
  }
  return text;
}

}  // namespace client
