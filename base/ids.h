// Strong types for everything that is a number but not interchangeable with another number.
//
// Counters (Term, Index, Revision) are ordered and can be stepped; ids (MemberId, ClusterId, …) can
// only be compared. Zero is "none" for each of them. Any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace base {

/// A 64-bit counter of one kind. Stepping past 2^64-1 is not checked: no counter gets there.
template <class Tag>
struct Counter {
  std::uint64_t value = 0;

  constexpr Counter() = default;
  constexpr explicit Counter(std::uint64_t v) : value(v) {}
  constexpr auto operator<=>(const Counter&) const = default;
  constexpr Counter next() const { return Counter(value + 1); }
  /// Requires: value > 0.
  constexpr Counter previous() const { return Counter(value - 1); }
  constexpr Counter operator+(std::uint64_t n) const { return Counter(value + n); }
  /// The distance between two counters. Requires: *this >= other.
  constexpr std::uint64_t operator-(Counter other) const { return value - other.value; }
  constexpr explicit operator bool() const { return value != 0; }
};

/// A random, non-zero 64-bit name of one kind; zero means "none".
template <class Tag>
struct Id {
  std::uint64_t value = 0;

  constexpr Id() = default;
  constexpr explicit Id(std::uint64_t v) : value(v) {}
  constexpr auto operator<=>(const Id&) const = default;
  constexpr explicit operator bool() const { return value != 0; }
};

using Term = Counter<struct TermTag>;          // Raft paper, section 5.1
using Index = Counter<struct IndexTag>;        // position in the log; the first entry is 1
using Revision = Counter<struct RevisionTag>;  // one step per writing transaction; never goes back

using MemberId = Id<struct MemberIdTag>;
using ClusterId = Id<struct ClusterIdTag>;
using Incarnation = Id<struct IncarnationTag>;  // one a data directory, random
using SessionId = Id<struct SessionIdTag>;      // the index of the entry that opened it
using LeaseId = Id<struct LeaseIdTag>;

/// One opening of a data directory: the epoch grows with each, the nonce is random. The same epoch
/// with another nonce, or an epoch lower than remembered, is a rollback (DESIGN section 5.2).
struct Opening {
  std::uint64_t epoch = 0;
  std::uint64_t nonce = 0;
  constexpr auto operator<=>(const Opening&) const = default;
};

/// The number of a persist request: (epoch, counter). Never falls, not even when the log is
/// truncated (DESIGN section 5.3).
struct Ordinal {
  std::uint64_t epoch = 0;
  std::uint64_t counter = 0;
  constexpr auto operator<=>(const Ordinal&) const = default;
};

/// The hash over the previous entry's hash and an entry. Zero stands before the first entry.
struct ChainHash {
  std::uint64_t value = 0;
  constexpr auto operator<=>(const ChainHash&) const = default;
};

/// Sixteen lower-case hex digits, as ids are shown everywhere.
std::string to_hex(std::uint64_t value);
/// The inverse of to_hex; accepts 1 to 16 hex digits. Returns false, leaving *value, on anything
/// else.
bool from_hex(const std::string& text, std::uint64_t* value);

}  // namespace base

template <class Tag>
struct std::hash<base::Counter<Tag>> {
  std::size_t operator()(base::Counter<Tag> c) const noexcept {
    return std::hash<std::uint64_t>()(c.value);
  }
};
template <class Tag>
struct std::hash<base::Id<Tag>> {
  std::size_t operator()(base::Id<Tag> i) const noexcept {
    return std::hash<std::uint64_t>()(i.value);
  }
};
