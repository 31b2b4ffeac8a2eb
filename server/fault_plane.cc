#include "server/fault_plane.h"

#include <algorithm>
#include <charconv>

namespace server {
namespace {

using base::Code;
using base::Status;
using net::Direction;
using net::LinkFault;

Status wrong(const std::string& why) {
  return {Code::kInvalidArgument, why};
}

std::string name_of(base::MemberId id, const FaultPeers& peers) {
  for (const auto& [name, its_id] : peers) {
    if (its_id == id) return name;
  }
  return base::to_hex(id.value);
}

}  // namespace

FaultPlane::FaultPlane() : kinds_(kinds(storage_, process_)) {}

std::vector<FaultPlane::Kind> FaultPlane::kinds_of_volumes(storage::StorageFaults& storage) {
  const auto volume = [](std::string_view name, std::string_view what, base::FaultSwitch& one) {
    return Kind{.name = name, .what = what, .switched = &one};
  };
  const auto slow = [](std::string_view name, std::string_view what, base::FaultSwitch& one) {
    return Kind{.name = name,
                .what = what,
                .switched = &one,
                .unit = Unit::kMilliseconds,
                .strength = "delay",
                .low = 1,
                .usual = 100,
                .high = 60'000};
  };
  return {volume("hang-log-sync", "syncs of the log do not return", storage.log.hang_sync),
          slow("slow-log-sync", "each sync of the log takes longer", storage.log.slow_sync),
          volume("fail-log-sync", "syncs of the log fail with EIO", storage.log.fail_sync),
          volume("fail-log-write", "writes to the log fail with EIO", storage.log.fail_write),
          volume("lose-log-unsynced", "a kill loses what the log has not synced",
                 storage.log.lose_unsynced),
          volume("tear-log-sync", "the next sync of the log ends the process half-way",
                 storage.log.tear_sync),
          volume("hang-state-sync", "syncs of the state do not return", storage.state.hang_sync),
          slow("slow-state-sync", "each sync of the state takes longer", storage.state.slow_sync),
          volume("fail-state-sync", "syncs of the state fail with EIO", storage.state.fail_sync),
          volume("fail-state-write", "writes to the state fail with EIO", storage.state.fail_write),
          volume("lose-state-unsynced", "a kill loses what the state has not synced",
                 storage.state.lose_unsynced),
          volume("tear-state-sync", "the next sync of the state ends the process half-way",
                 storage.state.tear_sync)};
}

std::vector<FaultPlane::Kind> FaultPlane::kinds_of_links() {
  const auto link = [](std::string_view name, std::string_view what, LinkFault fault) {
    return Kind{.name = name, .what = what, .link = fault};
  };
  Kind delay = link("slow-link", "what is sent takes so long, and up to half as much more",
                    LinkFault::kDelay);
  delay.unit = Unit::kMilliseconds;
  delay.strength = "delay", delay.low = 1, delay.usual = 100, delay.high = 60'000;
  Kind loss = link("lossy-link", "packets are lost: TCP stalls and sends again", LinkFault::kLoss);
  loss.unit = Unit::kPercent;
  loss.strength = "loss", loss.low = 1, loss.usual = 30, loss.high = 99;
  Kind rate = link("narrow-link", "so many bytes pass in a second", LinkFault::kRate);
  rate.unit = Unit::kBytesPerSecond;
  rate.strength = "rate", rate.low = 100, rate.usual = 10'000, rate.high = 1'000'000'000;
  return {link("cut-link", "nothing passes, and nobody is told", LinkFault::kCut),
          link("reset-link", "connections break", LinkFault::kReset),
          delay,
          loss,
          rate,
          link("drop-large", "packets above 1400 bytes are lost", LinkFault::kLargeLost),
          link("corrupt-link", "a bit flips now and then", LinkFault::kCorrupt)};
}

std::vector<FaultPlane::Kind> FaultPlane::kinds_of_process(ProcessFaults& process) {
  const auto plain = [](std::string_view name, std::string_view what, base::FaultSwitch& one) {
    return Kind{.name = name, .what = what, .switched = &one};
  };
  const auto strong = [&](std::string_view name, std::string_view what, base::FaultSwitch& one,
                          Unit unit, std::string_view strength, std::uint64_t usual,
                          std::uint64_t high) {
    Kind kind = plain(name, what, one);
    kind.unit = unit;
    kind.strength = strength, kind.usual = usual, kind.high = high;
    kind.low = unit == Unit::kBytes ? 0 : 1;
    return kind;
  };
  constexpr std::uint64_t kYearMs = 366ull * 24 * 3'600'000;
  return {plain("stall-loop", "the loop thread stands still", process.stall_loop),
          plain("stall-log", "the log thread stands still", process.stall_log),
          plain("stall-apply", "the apply thread stands still", process.stall_apply),
          strong("slow-apply", "each piece of apply's work takes longer", process.slow_apply,
                 Unit::kMilliseconds, "delay", 100, 60'000),
          plain("block-log-lines", "nobody reads the log lines", process.block_lines),
          strong("clock-ahead", "the wall clock is ahead", process.clock_ahead, Unit::kMilliseconds,
                 "by", 5000, kYearMs),
          strong("clock-behind", "the wall clock is behind", process.clock_behind,
                 Unit::kMilliseconds, "by", 5000, kYearMs),
          strong("clock-fast", "the wall clock gains", process.clock_fast, Unit::kPercent, "drift",
                 10, 1000),
          plain("fail-dns", "no name is found", process.names.fail),
          strong("slow-dns", "the name server answers later", process.names.slow,
                 Unit::kMilliseconds, "delay", 1000, 60'000),
          plain("hang-dns", "the name server does not answer", process.names.hang),
          strong("fill-disk", "the disk has only so much room", process.fill_disk, Unit::kBytes,
                 "free", 0, 1'000'000'000'000)};
}

std::vector<FaultPlane::Kind> FaultPlane::kinds(storage::StorageFaults& storage,
                                                ProcessFaults& process) {
  std::vector<Kind> all = kinds_of_volumes(storage);
  for (Kind& kind : kinds_of_links()) all.push_back(kind);
  for (Kind& kind : kinds_of_process(process)) all.push_back(kind);
  return all;
}

std::optional<std::uint64_t> FaultPlane::parse(Unit unit, std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number > 1'000'000'000) return std::nullopt;  // times a unit fits
  const std::string_view suffix = text.substr(static_cast<std::size_t>(end - text.data()));
  if (unit == Unit::kMilliseconds) {
    if (suffix == "ms") return number;
    if (suffix == "s") return number * 1000;
    if (suffix == "m") return number * 60'000;
    if (suffix == "h") return number * 3'600'000;
  } else if (unit == Unit::kPercent) {
    if (suffix == "%") return number;
  } else if (unit == Unit::kBytesPerSecond) {
    if (suffix == "B/s") return number;
    if (suffix == "kB/s") return number * 1000;
    if (suffix == "MB/s") return number * 1'000'000;
  } else if (unit == Unit::kBytes) {
    if (suffix == "B") return number;
    if (suffix == "kB") return number * 1000;
    if (suffix == "MB") return number * 1'000'000;
    if (suffix == "GB") return number * 1'000'000'000;
  }
  return std::nullopt;
}

std::string FaultPlane::show(const Kind& kind, std::uint64_t strength) {
  if (kind.unit == Unit::kNone) return "";
  constexpr std::string_view kSuffixes[] = {"", "ms", "%", "B/s", "B"};
  return std::string(kind.strength) + "=" + std::to_string(strength) +
         std::string(kSuffixes[static_cast<std::size_t>(kind.unit)]);
}

const FaultPlane::Kind* FaultPlane::find(std::string_view name) const {
  const auto at = std::find_if(kinds_.begin(), kinds_.end(),
                               [&](const Kind& kind) { return kind.name == name; });
  return at == kinds_.end() ? nullptr : &*at;
}

Status FaultPlane::unknown(std::string_view name) const {
  std::string text = "no fault is named '" + std::string(name) + "'; there are";
  for (const Kind& kind : kinds_) text += " " + std::string(kind.name);
  return wrong(text);
}

Status FaultPlane::understand(const Kind& kind, const FaultParameter& parameter,
                              const FaultPeers& peers, Wish& wish) const {
  const auto& [key, text] = parameter;
  if (kind.unit != Unit::kNone && key == kind.strength) {
    const auto value = parse(kind.unit, text);
    if (!value || *value < kind.low || *value > kind.high) {
      return wrong(key + "=" + text + " is not within " + show(kind, kind.low) + " and " +
                   show(kind, kind.high));
    }
    wish.strength = *value;
    return Status::ok();
  }
  if (kind.switched == nullptr && key == "peer") {
    for (const auto& peer : peers) {
      const bool is_member = peer.second != net::kClients;
      if ((text == "all" && is_member) || text == peer.first) wish.peers.push_back(peer);
    }
    if (!wish.peers.empty()) return Status::ok();
    std::string all;
    for (const auto& peer : peers) all += " " + peer.first;
    return wrong("no peer is named '" + text + "'; there are all" + all);
  }
  if (kind.switched == nullptr && key == "direction") {
    wish.out = text == "out" || text == "both";
    wish.in = text == "in" || text == "both";
    if (wish.out || wish.in) return Status::ok();
    return wrong("direction=" + text + " is not out, in or both");
  }
  std::string has = kind.switched == nullptr ? " peer direction" : "";
  if (kind.unit != Unit::kNone) has += " " + std::string(kind.strength);
  return wrong(std::string(kind.name) + " has no parameter '" + key + "'" +
               (has.empty() ? "" : "; it has" + has));
}

Status FaultPlane::set(std::string_view name, const std::vector<FaultParameter>& parameters,
                       std::uint64_t for_ms, const FaultPeers& peers) {
  const Kind* kind = find(name);
  if (kind == nullptr) return unknown(name);
  Wish wish;
  wish.strength = kind->usual;
  for (const FaultParameter& each : parameters) {
    if (Status status = understand(*kind, each, peers, wish); !status.is_ok()) return status;
  }
  if (kind->switched != nullptr) {
    kind->switched->set(wish.strength, for_ms);
    return Status::ok();
  }
  if (wish.peers.empty()) {
    return wrong(std::string(name) + " needs peer=NAME, or peer=all");
  }
  for (const auto& [peer, id] : wish.peers) {
    if (wish.out) links_.set(kind->link, id, Direction::kOut, wish.strength, for_ms);
    if (wish.in) links_.set(kind->link, id, Direction::kIn, wish.strength, for_ms);
  }
  return Status::ok();
}

Status FaultPlane::clear(std::string_view name) {
  if (!name.empty() && find(name) == nullptr) return unknown(name);
  for (const Kind& kind : kinds_) {
    if (!name.empty() && kind.name != name) continue;
    if (kind.switched != nullptr) {
      kind.switched->clear();
    } else {
      links_.clear(kind.link);
    }
  }
  return Status::ok();
}

void FaultPlane::list_links(const Kind& kind, const FaultPeers& peers,
                            std::vector<FaultState>& to) const {
  const std::size_t before = to.size();
  for (const net::LinkFaults::State& each : links_.list()) {
    if (each.fault != kind.link) continue;
    std::string parameter = "peer=" + name_of(each.peer, peers) +
                            " direction=" + (each.direction == Direction::kOut ? "out" : "in");
    const bool on = each.left_ms > 0;
    if (kind.unit != Unit::kNone) parameter += " " + show(kind, on ? each.strength : kind.usual);
    to.push_back({kind.name, kind.what, std::move(parameter), on, each.left_ms, each.hits});
  }
  if (to.size() == before) {
    to.push_back({kind.name, kind.what, show(kind, kind.usual), false, 0, 0});
  }
}

std::vector<FaultState> FaultPlane::list(const FaultPeers& peers) const {
  std::vector<FaultState> states;
  for (const Kind& kind : kinds_) {
    if (kind.switched == nullptr) {
      list_links(kind, peers, states);
      continue;
    }
    const bool on = kind.switched->on();
    states.push_back({kind.name, kind.what, show(kind, on ? kind.switched->strength() : kind.usual),
                      on, kind.switched->left_ms(), kind.switched->hits()});
  }
  return states;
}

}  // namespace server
