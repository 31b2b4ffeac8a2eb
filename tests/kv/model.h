// What the state machine should do, in the plainest way: one map, one list of events, sessions as
// maps. Shares no code with kv/ but its plain types and bounds.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "kv/row.h"
#include "kv/state_machine.h"
#include "kv/types.h"

namespace kv {

class Model {
 public:
  explicit Model(const Limits& limits) : limits_(limits) {}

  /// The expected reply, but for its detail.
  Reply apply(const AppliedEntry& entry);
  /// The same for a read.
  Reply read(const Transaction& transaction);
  /// The events that have to be kept: all above `compacted`, and the newest put up to there of each
  /// key that it did not delete.
  std::vector<Event> kept() const;

  Revision revision;
  std::map<std::string, KeyValue> items;
  std::vector<Event> history;  // all that ever happened
  Revision compacted;
  HybridTime compacted_time;
  Retention retention;
  std::map<std::uint64_t, Lease> leases;  // with their keys

  struct Session {
    std::uint64_t acknowledged_below = 0;
    std::uint64_t last_used = 0;
    std::map<std::uint64_t, Reply> outcomes;
  };
  std::map<std::uint64_t, Session> sessions;

 private:
  struct Refused {
    base::Code code;
  };

  Reply apply_command(const AppliedEntry& entry);
  Reply write(const Write& write, const AppliedEntry& entry);
  Reply transact(const Transaction& transaction);
  Reply expire(const Expire& expire, const AppliedEntry& entry);
  bool fenced(const Transaction& transaction) const;
  bool holds(const Compare& compare) const;
  static std::vector<std::string> keys_in(const KeyRange& range,
                                          const std::map<std::string, KeyValue>& among);
  std::map<std::string, KeyValue> items_at(Revision at) const;
  Revision revision_to_read(const RangeOperation& operation) const;
  void compact(Revision at);
  void retain();
  bool room_for(const KeyValue& item);
  OperationResult run(const RangeOperation& operation);
  OperationResult run(const PutOperation& operation);
  OperationResult run(const DeleteOperation& operation);
  OperationResult run(const HistoryOperation& operation);
  OperationResult run(const CompactOperation& operation);
  OperationResult run(const RetainOperation& operation);
  OperationResult run(const GrantOperation& operation);
  OperationResult run(const RevokeOperation& operation);
  OperationResult run(const LeasesOperation& operation);
  void erase(const std::string& key);
  void log(bool deleted, const KeyValue& item);

  Limits limits_;
  HybridTime time_;
  Revision writing_;
  std::uint32_t sub_index_ = 0;
  std::uint64_t deleted_ = 0;
  bool may_read_history_ = false;
  Index index_;
  SessionId session_;
  std::uint64_t granted_ = 0;
  std::size_t reply_bytes_ = 0;
};

}  // namespace kv
