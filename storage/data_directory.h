// A member's data directory:
// DIR/member/{LOCK,FORMAT,IDENTITY,EPOCH,watermark,log/,state/,evidence/}. Opening it takes the
// lock, checks format and identity, raises the epoch durably, runs the log guard, and opens log and
// state.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/ids.h"
#include "base/status.h"
#include "kv/engine.h"
#include "kv/state_machine.h"
#include "raft/core.h"
#include "storage/faults.h"
#include "storage/files.h"
#include "storage/log_store.h"

namespace storage {

struct DataDirectoryOptions {
  std::string path;                 // created with mode 0700 if missing
  base::ClusterId cluster;          // must match an existing directory
  base::MemberId member;            // must match an existing directory
  StorageFaults* faults = nullptr;  // outlives the directory; null: none
};

/// Invariant: at most one open DataDirectory a path, across processes (OFD lock).
class DataDirectory {
 public:
  /// Errors: kLocked, kNewerFormat, kWrongCluster, kWrongMember, kIo, kCorrupt, kDiskFull; each
  /// names the path and what to do.
  static base::Result<std::unique_ptr<DataDirectory>> open(const DataDirectoryOptions& options);
  virtual ~DataDirectory() = default;

  virtual LogStore& log() = 0;
  /// Once: the state engine, for kv::StateMachine::open.
  virtual std::unique_ptr<kv::Engine> take_engine() = 0;
};

/// Takes MEMBER/LOCK, as open() does, until the file is closed. Errors: kLocked, kIo.
base::Result<File> lock_member_directory(const std::string& member_directory);

/// Brings log and state together by rule 3 of DESIGN section 6, writing to the log where the rule
/// says so, and loads what must be applied again. `initial` is used if no configuration was
/// applied. Errors: kIo, kCorrupt.
base::Result<raft::Recovered> reconcile(LogStore& log, const kv::Position& position,
                                        const raft::Configuration& initial);

}  // namespace storage
