// The faults that can be injected into this process, by name, for whoever runs it with
// --allow-faults: what they are called, how strong they may be, when they end. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fault_switch.h"
#include "base/ids.h"
#include "base/status.h"
#include "net/link_faults.h"
#include "server/process_faults.h"
#include "storage/faults.h"

namespace server {

/// As somebody wrote it: "delay" and "100ms".
using FaultParameter = std::pair<std::string, std::string>;

/// The other members and net::kClients, by name.
using FaultPeers = std::vector<std::pair<std::string, base::MemberId>>;

/// One fault as it is now; of a fault of links one for each link that it is on.
struct FaultState {
  std::string_view name;
  std::string_view what;  // what it does, for people
  std::string parameter;  // "delay=100ms" with the present or the default strength; may be empty
  bool on = false;
  std::uint64_t left_ms = 0;  // FaultSwitch::kForever: until it is cleared
  std::uint64_t hits = 0;     // calls that it has caught since the process began
};

/// Invariant: what list() names can be set and cleared, and nothing else.
class FaultPlane {
 public:
  FaultPlane();
  FaultPlane(const FaultPlane&) = delete;
  FaultPlane& operator=(const FaultPlane&) = delete;

  /// On from now on, for `for_ms` (FaultSwitch::kForever: until it is cleared). A strength that is
  /// not given has its default; a link needs peer=NAME, peer=all (members) or peer=clients, and is
  /// meant in both directions unless direction=out or in. Errors: kInvalidArgument, naming what is
  /// wrong and what would do.
  base::Status set(std::string_view name, const std::vector<FaultParameter>& parameters,
                   std::uint64_t for_ms, const FaultPeers& peers);
  /// Empty: every fault. Errors: kInvalidArgument (no such fault).
  base::Status clear(std::string_view name);
  std::vector<FaultState> list(const FaultPeers& peers) const;

  storage::StorageFaults& storage() { return storage_; }
  net::LinkFaults& links() { return links_; }
  ProcessFaults& process() { return process_; }

 private:
  enum class Unit : std::uint8_t { kNone, kMilliseconds, kPercent, kBytesPerSecond, kBytes };
  /// What one fault is. Without a unit it has no strength.
  struct Kind {
    std::string_view name;
    std::string_view what;
    base::FaultSwitch* switched = nullptr;  // of a volume or the process; null: of links
    net::LinkFault link = net::LinkFault::kCut;
    Unit unit = Unit::kNone;
    std::string_view strength = {};
    std::uint64_t low = 0, usual = 0, high = 0;
  };
  /// What was asked for.
  struct Wish {
    std::uint64_t strength = 0;
    FaultPeers peers;
    bool out = true, in = true;
  };

  static std::vector<Kind> kinds_of_volumes(storage::StorageFaults& storage);
  static std::vector<Kind> kinds_of_links();
  static std::vector<Kind> kinds_of_process(ProcessFaults& process);
  static std::vector<Kind> kinds(storage::StorageFaults& storage, ProcessFaults& process);
  static std::string show(const Kind& kind, std::uint64_t strength);
  static std::optional<std::uint64_t> parse(Unit unit, std::string_view text);
  const Kind* find(std::string_view name) const;
  base::Status unknown(std::string_view name) const;
  base::Status understand(const Kind& kind, const FaultParameter& parameter,
                          const FaultPeers& peers, Wish& wish) const;
  void list_links(const Kind& kind, const FaultPeers& peers, std::vector<FaultState>& to) const;

  storage::StorageFaults storage_;
  net::LinkFaults links_;
  ProcessFaults process_;
  const std::vector<Kind> kinds_;
};

}  // namespace server
