// A member directory that begins with a state from elsewhere: that of a snapshot file, or that of
// the survivor of a lost quorum (docs/decisions/0012). It is built beside its place and put there
// by one rename, so that a crash leaves what was there before or all of the new one. Blocks; no
// member runs on it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/status.h"
#include "kv/engine.h"
#include "kv/state_machine.h"
#include "storage/data_directory.h"
#include "storage/log_store.h"

namespace storage {

/// Where restore() builds, in the data directory: while there is no member/ beside it, the
/// directory is not to be used.
inline constexpr std::string_view kRestoring = "restoring";

/// Invariant: nothing outside of PLACE changes before put_at() or exchange_with().
class NewDirectory {
 public:
  /// Makes PLACE/member with a new incarnation; what was at PLACE is removed. Errors: as
  /// DataDirectory::open.
  static base::Result<std::unique_ptr<NewDirectory>> begin(const std::string& place,
                                                           base::ClusterId cluster,
                                                           base::MemberId member);
  const Identity& identity() const { return identity_; }
  /// An empty store for the rows of the state; once. Errors: as Engine::begin_install.
  base::Result<std::unique_ptr<kv::IncomingEngine>> begin_rows();
  /// The rows, all added and finished, are the state. Errors: as Engine::install.
  base::Status install(std::unique_ptr<kv::IncomingEngine> rows);
  /// After install(), for kv::StateMachine::open; it must be gone again at finish().
  base::Result<std::unique_ptr<kv::Engine>> open_state() const;
  /// The state stands at `position`, the log begins right after it in the position's term, and
  /// `audit` is the text of its file AUDIT. All closed and durable when it returns. Errors: kIo,
  /// kDiskFull.
  base::Status finish(const kv::Position& position, const std::string& audit);

  /// After finish(): moves it to DATA_DIR/member, where nothing is.
  base::Status put_at(const std::string& data_dir) const;
  /// After finish(): swaps it with DATA_DIR/member, which is PLACE/member from then on.
  base::Status exchange_with(const std::string& data_dir) const;

 private:
  explicit NewDirectory(std::string place) : place_(std::move(place)) {}
  std::string member() const { return place_ + "/member"; }

  const std::string place_;
  Identity identity_;
  std::unique_ptr<DataDirectory> directory_;  // until finish()
  std::unique_ptr<kv::Engine> engine_;        // until install()
};

/// The file AUDIT: what was done to a directory by hand, oldest first; empty if nothing was.
base::Result<std::string> read_audit(const std::string& member_directory);

}  // namespace storage
