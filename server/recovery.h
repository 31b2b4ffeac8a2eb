// One survivor goes on alone after a quorum was lost for good: DESIGN section 6, rule 4, and
// docs/decisions/0012. No member runs on the directory; blocks.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "kv/state_machine.h"
#include "raft/core.h"
#include "storage/data_directory.h"

namespace server {

/// What the survivor holds.
struct Survivor {
  storage::Identity identity;
  raft::Member member;                // of its own, as the configuration has it
  raft::Configuration configuration;  // in force at `last`
  kv::Position state;                 // surely committed
  base::Index last;                   // where its log ends
  base::Term last_term;
  base::Term term;         // the highest that it knows of
  std::string quarantine;  // why it is in quarantine; empty: it is not
};

/// The names of all members, sorted, with commas.
std::string names_of(const raft::Configuration& configuration);
/// "index 7 to 9", "index 7", "nothing".
std::string describe_kept(const Survivor& survivor);
/// What may be lost, in a sentence or two.
std::string describe_loss(const Survivor& survivor);

/// Invariant: nothing of the member changes before run(), but that its epoch rises as with every
/// opening; and in run() all changes at once.
class Recovery {
 public:
  /// Takes the directory's lock and opens it as a start would. Errors: as DataDirectory::open;
  /// kInvalidArgument: there is no member, or one that is in no configuration; kUnavailable: its
  /// state is behind the beginning of its log, so that it cannot be made whole.
  static base::Result<std::unique_ptr<Recovery>> open(const std::string& data_dir);
  const Survivor& survivor() const { return survivor_; }

  struct Result {
    kv::Position position;
    std::string audit;  // what was written down
    std::string kept;   // where the old directory is now
  };
  /// All that the log holds becomes committed, and the member the only voter of the next
  /// generation, with a new incarnation. `reason`: for the record. Once. Errors: kLocked: somebody
  /// started it meanwhile; kIo, kDiskFull: the member is as it was.
  base::Result<Result> run(const std::string& reason);

 private:
  explicit Recovery(std::string data_dir) : data_dir_(std::move(data_dir)) {}
  base::Status find_survivor();
  base::Result<std::unique_ptr<kv::IncomingEngine>> copy_rows(
      std::unique_ptr<kv::IncomingEngine> to);
  base::Result<kv::Position> apply_log(std::unique_ptr<kv::Engine> engine) const;
  std::string audit_of(const kv::Position& position, const std::string& reason,
                       const std::string& kept) const;
  base::Result<storage::File> close_and_lock();
  std::string member_directory() const { return data_dir_ + "/member"; }

  const std::string data_dir_;
  Survivor survivor_;
  raft::Recovered log_;
  std::unique_ptr<storage::DataDirectory> directory_;
  std::unique_ptr<kv::StateMachine> machine_;
};

}  // namespace server
