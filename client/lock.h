// A lock, or the leadership of an election, with a token that can be checked (DESIGN section 5.14).
// Loop thread.
//
// The lock is the key NAME, attached to its holder's lease; the token is the revision of the
// acquisition, which is the key's create revision. Who waits has a key NAME/LEASE of its own, and
// takes the lock when the key of nobody who came before is left. Whoever writes with
// kv::Fence{NAME, token} is refused once the lock has gone to another.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <kj/async.h>

#include "base/ids.h"
#include "base/status.h"
#include "client/client.h"
#include "client/leases.h"
#include "client/options.h"
#include "net/loop.h"

namespace client {

struct LockOptions {
  std::string name;
  std::string value;              // of the key while it is held: what an election tells
  std::uint64_t ttl_ms = 10'000;  // how long others wait after the holder was last heard of
  LeaseKeeper::Healthy healthy;   // asked before each renewal; no: the lock is lost in time
};

/// Invariants:
/// - held() is false from a tenth of the time to live before the members give the lock to another,
///   by this machine's own clock, however long this process slept;
/// - `lost` is called once at most, and only between acquire() and release().
class Lock {
 public:
  using Lost = std::function<void(const base::Status& why)>;
  /// Who else holds it, for people; called now and then while acquire() waits.
  using Waits = std::function<void(const std::string& whom)>;

  /// Errors: as Client::make; kInvalidArgument: the name is no key.
  static base::Result<std::unique_ptr<Lock>> make(net::Loop& loop, Options options,
                                                  LockOptions lock, Lost lost,
                                                  Waits waits = nullptr);
  ~Lock();
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  /// Waits for its turn, however long; the token. Once. Errors: kLeaseNotFound, kTimeout, kStalled:
  /// the lease was lost meanwhile; what Client::write says.
  kj::Promise<base::Result<base::Revision>> acquire();
  bool held() const;
  base::Revision token() const;
  base::LeaseId lease() const;
  /// Another value for the key, if it is still held with the token (kFenced otherwise).
  kj::Promise<Outcome> proclaim(std::string value);
  /// Gives it up, or stops waiting.
  kj::Promise<base::Status> release();

 private:
  class Impl;
  explicit Lock(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace client
