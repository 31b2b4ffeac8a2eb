// The faults of one socket: those of the link to whoever is at its other end. Its loop's thread.
#pragma once

#include <cstdint>
#include <utility>

#include "base/ids.h"
#include "net/link_faults.h"
#include "net/pacer.h"

namespace net {

class SocketFaults {
 public:
  /// `peer` zero: not known yet. Until it is, and while any fault is set, nothing leaves: it may be
  /// the peer that hears nothing. Requires: `faults` outlives it.
  SocketFaults(LinkFaults& faults, base::MemberId peer, std::uint64_t seed)
      : pacer(seed), faults_(faults), peer_(peer) {}

  void identified(base::MemberId peer) { peer_ = peer; }

  Impairment on(Direction direction) const {
    Impairment impairment;
    if (!faults_.any()) return impairment;
    if (peer_) return faults_.on(peer_, direction);
    impairment.cut = direction == Direction::kOut;
    return impairment;
  }
  /// Counts what held or changed bytes.
  void caught(const Impairment& impairment, Direction direction) {
    if (!peer_) return;
    for (const auto& [on, fault] : {std::pair(impairment.cut, LinkFault::kCut),
                                    {impairment.reset, LinkFault::kReset},
                                    {impairment.delay_ms > 0, LinkFault::kDelay},
                                    {impairment.loss_percent > 0, LinkFault::kLoss},
                                    {impairment.rate_bytes_s > 0, LinkFault::kRate},
                                    {impairment.large_lost, LinkFault::kLargeLost},
                                    {impairment.corrupt, LinkFault::kCorrupt}}) {
      if (on) faults_.hit(fault, peer_, direction);
    }
  }

  Pacer pacer;  // of what is written

 private:
  LinkFaults& faults_;
  base::MemberId peer_;
};

}  // namespace net
