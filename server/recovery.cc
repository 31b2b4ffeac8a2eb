#include "server/recovery.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "server/applied_entry.h"
#include "server/audit.h"
#include "storage/identity.h"
#include "storage/new_directory.h"

namespace server {
namespace {

using base::Code;
using base::Index;
using base::Status;

constexpr std::size_t kPageBytes = 1 << 20;
constexpr std::size_t kEntriesAtOnce = 1000;

std::string show(Index index) {
  return std::to_string(index.value);
}

raft::Configuration configuration_of(const raft::Recovered& log) {
  raft::Configuration configuration = log.configuration;
  for (const raft::EntryPtr& entry : log.entries) {
    if (entry->kind != raft::EntryKind::kConfiguration) continue;
    if (auto decoded = raft::decode_configuration(entry->payload)) configuration = *decoded;
  }
  return configuration;
}

}  // namespace

std::string names_of(const raft::Configuration& configuration) {
  std::vector<std::string> names;
  for (const base::MemberId id : configuration.ids()) {
    names.push_back(configuration.find(id)->name);
  }
  std::sort(names.begin(), names.end());
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::string describe_kept(const Survivor& survivor) {
  const Index from = survivor.state.applied.next();
  if (from > survivor.last) return "nothing";
  return from == survivor.last ? "index " + show(from)
                               : "index " + show(from) + " to " + show(survivor.last);
}

std::string describe_loss(const Survivor& survivor) {
  std::string text = "whatever other members acknowledged above index " + show(survivor.last);
  if (survivor.term > survivor.last_term) {
    text += " (this member knows of term " + std::to_string(survivor.term.value) +
            ", and its log ends in term " + std::to_string(survivor.last_term.value) + ")";
  }
  if (!survivor.quarantine.empty()) {
    text += "; and what this member lost itself: " + survivor.quarantine;
  }
  return text;
}

base::Result<std::unique_ptr<Recovery>> Recovery::open(const std::string& data_dir) {
  std::unique_ptr<Recovery> recovery(new Recovery(data_dir));
  auto identity = storage::read_identity(recovery->member_directory());
  if (!identity) return identity.status();
  if (!identity.value()) {
    return Status(Code::kInvalidArgument, data_dir + " is no data directory of a member");
  }
  recovery->survivor_.identity = *identity.value();
  storage::DataDirectoryOptions options;
  options.path = data_dir;
  options.cluster = identity.value()->cluster;
  options.member = identity.value()->member;
  auto directory = storage::DataDirectory::open(options);
  if (!directory) return directory.status();
  recovery->directory_ = std::move(directory).value();
  auto machine = kv::StateMachine::open(recovery->directory_->take_engine());
  if (!machine) return machine.status();
  recovery->machine_ = std::move(machine).value();
  if (Status status = recovery->find_survivor(); !status.is_ok()) return status;
  return recovery;
}

Status Recovery::find_survivor() {
  auto log = storage::reconcile(directory_->log(), machine_->position(), {});
  if (!log) return log.status();
  log_ = std::move(log).value();
  if (log_.applied < log_.first.previous()) {
    return {Code::kUnavailable, data_dir_ + ": the state ends at index " + show(log_.applied) +
                                    ", before the log begins at " + show(log_.first) +
                                    ": another survivor is needed"};
  }
  survivor_.state = machine_->position();
  survivor_.last = log_.first.previous() + log_.metas.size();
  survivor_.last_term = log_.metas.empty() ? log_.previous_term : log_.metas.back().term;
  survivor_.term = log_.hard_state.term;
  survivor_.quarantine = log_.quarantine_reason;
  survivor_.configuration = configuration_of(log_);
  const raft::Member* member = survivor_.configuration.find(survivor_.identity.member);
  if (member == nullptr) {
    return {Code::kInvalidArgument,
            data_dir_ +
                ": this member is in no configuration that it knows of, so that it has "
                "nothing to go on with"};
  }
  survivor_.member = *member;
  return Status::ok();
}

base::Result<std::unique_ptr<kv::IncomingEngine>> Recovery::copy_rows(
    std::unique_ptr<kv::IncomingEngine> to) {
  auto frozen = machine_->snapshot();
  if (!frozen) return frozen.status();
  for (std::optional<kv::EngineCursor> from = kv::EngineCursor(); from;) {
    auto page = frozen->rows->read(*from, kPageBytes);
    if (!page) return page.status();
    if (Status status = to->add(page->rows); !status.is_ok()) return status;
    from = page->next;
  }
  if (survivor_.state.applied) {
    if (auto adopted = kv::adopt_rows(*to); !adopted) return adopted.status();
  }
  if (Status status = to->finish(); !status.is_ok()) return status;
  return to;
}

base::Result<kv::Position> Recovery::apply_log(std::unique_ptr<kv::Engine> engine) const {
  auto machine = kv::StateMachine::open(std::move(engine));
  if (!machine) return machine.status();
  std::vector<kv::AppliedEntry> entries;
  for (const raft::EntryPtr& entry : log_.entries) {
    auto applied = to_applied(*entry);
    if (!applied) return applied.status();
    entries.push_back(std::move(applied).value());
    if (entries.size() < kEntriesAtOnce && entry != log_.entries.back()) continue;
    auto replies = machine.value()->apply(entries, base::Ordinal());
    if (!replies) return replies.status();
    entries.clear();
  }
  if (Status status = machine.value()->flush(); !status.is_ok()) return status;
  return machine.value()->position();
}

std::string Recovery::audit_of(const kv::Position& position, const std::string& reason,
                               const std::string& kept) const {
  return audit_record(
      "recover",
      {{"reason", reason},
       {"member", survivor_.member.name + " (" + base::to_hex(survivor_.identity.member.value) +
                      ") of cluster " + base::to_hex(survivor_.identity.cluster.value)},
       {"members before", names_of(survivor_.configuration)},
       {"from", describe(survivor_.state)},
       {"kept, though perhaps never committed", describe_kept(survivor_)},
       {"lost", describe_loss(survivor_)},
       {"to", describe(position)},
       {"old directory", kept}});
}

/// The lock is let go for a moment, since the databases of both directories must be closed before
/// they change places: the epoch tells whether somebody used it.
base::Result<storage::File> Recovery::close_and_lock() {
  const base::Opening opening = directory_->log().opening();
  machine_.reset();
  directory_.reset();
  auto lock = storage::lock_member_directory(member_directory());
  if (!lock) return lock;
  auto now = storage::read_opening(member_directory());
  if (!now) return now.status();
  if (now.value() == opening) return lock;
  return Status(Code::kLocked, data_dir_ + " was opened by somebody else meanwhile");
}

base::Result<Recovery::Result> Recovery::run(const std::string& reason) {
  Result result;
  result.kept = data_dir_ + "/before-generation-" + std::to_string(survivor_.state.generation + 1);
  auto made = storage::NewDirectory::begin(result.kept, survivor_.identity.cluster,
                                           survivor_.identity.member);
  if (!made) return made.status();
  storage::NewDirectory& directory = *made.value();
  auto empty = directory.begin_rows();
  if (!empty) return empty.status();
  auto rows = copy_rows(std::move(empty).value());
  if (!rows) return rows.status();
  if (Status status = directory.install(std::move(rows).value()); !status.is_ok()) return status;
  auto engine = directory.open_state();
  if (!engine) return engine.status();
  auto position = apply_log(std::move(engine).value());
  if (!position) return position.status();

  raft::Member alone = survivor_.member;
  alone.incarnation = directory.identity().incarnation;
  alone.replaced = base::Incarnation();
  alone.promote = false;
  result.position = kv::next_generation(position.value(), survivor_.identity.cluster,
                                        raft::encode(raft::Configuration{{alone}}));
  result.audit = audit_of(result.position, reason, result.kept);
  auto before = storage::read_audit(member_directory());
  if (!before) return before.status();
  Status status = directory.finish(result.position, before.value() + result.audit);
  if (!status.is_ok()) return status;
  auto lock = close_and_lock();
  if (!lock) return lock.status();
  status = directory.exchange_with(data_dir_);
  if (!status.is_ok()) return status;
  return result;
}

}  // namespace server
