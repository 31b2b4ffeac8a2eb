#include "server/fault_plane.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace server {
namespace {

using base::Code;
using base::Status;

/// "100ms" or "2s".
std::optional<std::uint64_t> parse_ms(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number > 1'000'000) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  if (unit == "ms") return number;
  if (unit == "s") return number * 1000;
  return std::nullopt;
}

std::string show_ms(std::uint64_t ms) {
  return std::to_string(ms) + "ms";
}

}  // namespace

FaultPlane::FaultPlane()
    : kinds_{
          {"hang-log-sync", "syncs of the log do not return", &storage_.log.hang_sync},
          {"slow-log-sync", "each sync of the log takes longer", &storage_.log.slow_sync, "delay",
           1, 100, 60'000},
          {"fail-log-sync", "syncs of the log fail with EIO", &storage_.log.fail_sync},
          {"fail-log-write", "writes to the log fail with EIO", &storage_.log.fail_write},
          {"hang-state-sync", "syncs of the state do not return", &storage_.state.hang_sync},
          {"slow-state-sync", "each sync of the state takes longer", &storage_.state.slow_sync,
           "delay", 1, 100, 60'000},
          {"fail-state-sync", "syncs of the state fail with EIO", &storage_.state.fail_sync},
          {"fail-state-write", "writes to the state fail with EIO", &storage_.state.fail_write},
      } {}

const FaultPlane::Kind* FaultPlane::find(std::string_view name) const {
  const auto at = std::find_if(kinds_.begin(), kinds_.end(),
                               [&](const Kind& kind) { return kind.name == name; });
  return at == kinds_.end() ? nullptr : &*at;
}

Status FaultPlane::unknown(std::string_view name) const {
  std::string text = "no fault is named '" + std::string(name) + "'; there are";
  for (const Kind& kind : kinds_) text += " " + std::string(kind.name);
  return {Code::kInvalidArgument, text};
}

Status FaultPlane::set(std::string_view name, const std::vector<FaultParameter>& parameters,
                       std::uint64_t for_ms) {
  const Kind* kind = find(name);
  if (kind == nullptr) return unknown(name);
  std::uint64_t strength = kind->default_ms;
  for (const auto& [key, text] : parameters) {
    if (kind->parameter.empty() || key != kind->parameter) {
      return {Code::kInvalidArgument,
              std::string(name) + " has no parameter '" + key + "'" +
                  (kind->parameter.empty() ? "" : ", but " + std::string(kind->parameter))};
    }
    const auto value = parse_ms(text);
    if (!value || *value < kind->low_ms || *value > kind->high_ms) {
      return {Code::kInvalidArgument, key + "=" + text + " is not a duration from " +
                                          show_ms(kind->low_ms) + " to " + show_ms(kind->high_ms)};
    }
    strength = *value;
  }
  kind->switched->set(strength, for_ms);
  return Status::ok();
}

Status FaultPlane::clear(std::string_view name) {
  if (!name.empty() && find(name) == nullptr) return unknown(name);
  for (const Kind& kind : kinds_) {
    if (name.empty() || kind.name == name) kind.switched->clear();
  }
  return Status::ok();
}

std::vector<FaultState> FaultPlane::list() const {
  std::vector<FaultState> states;
  for (const Kind& kind : kinds_) {
    FaultState state;
    state.name = kind.name;
    state.what = kind.what;
    state.on = kind.switched->on();
    state.left_ms = kind.switched->left_ms();
    state.hits = kind.switched->hits();
    if (!kind.parameter.empty()) {
      const std::uint64_t ms = state.on ? kind.switched->strength() : kind.default_ms;
      state.parameter = std::string(kind.parameter) + "=" + show_ms(ms);
    }
    states.push_back(std::move(state));
  }
  return states;
}

}  // namespace server
