#include "jepsen/check/locks.h"

#include <map>
#include <optional>
#include <utility>

namespace jepsen {
namespace {

std::uint64_t number(const Event& note, const char* key) {
  const Value* value = note.value.find(key);
  return value == nullptr ? 0 : static_cast<std::uint64_t>(value->number);
}

std::string name(const Event& note, const char* key) {
  const Value* value = note.value.find(key);
  if (value == nullptr) return "";
  return value->is_int() ? std::to_string(value->number) : value->text;
}

/// What goes through all notes and stops at the first that is wrong.
class Notes {
 public:
  Notes(const History& history, std::string checker) : history_(history) {
    finding_.checker = std::move(checker);
  }

 protected:
  bool fail(const std::string& why, std::initializer_list<std::size_t> places) {
    finding_.verdict = Verdict::kInvalid;
    finding_.why = why;
    for (const std::size_t place : places) {
      const Event& note = history_.notes[place];
      finding_.words.push_back(note.actor + " " + note.f + " at " + seconds(note.time_ns) +
                               ", token " + std::to_string(number(note, "token")));
    }
    return false;
  }
  const History& history_;
  Finding finding_;
};

class Locks final : private Notes {
 public:
  explicit Locks(const History& history) : Notes(history, "lock") {}

  Finding run() {
    for (std::size_t i = 0; i < history_.notes.size(); ++i)
      if (!take(i)) return finding_;
    finding_.checked = acquired_ + resources_ + fenced_;
    if (acquired_ == 0) {
      finding_.verdict = Verdict::kEmpty;
      finding_.why = "nobody acquired a lock";
      return finding_;
    }
    finding_.why = std::to_string(acquired_) + " acquisitions, one at a time; " +
                   std::to_string(resources_) + " visits of the resource, of which " +
                   std::to_string(refused_) + " came too late and were refused; " +
                   std::to_string(fenced_) + " writes under a fence";
    return finding_;
  }

 private:
  struct Lock {
    std::optional<std::size_t> holder;             // the note of its acquisition
    std::map<std::uint64_t, std::size_t> tokens;   // to notes
    std::optional<std::size_t> visitor;            // the note of who was let in last
    std::map<std::uint64_t, std::size_t> written;  // revision of a fenced write to its note
  };

  bool take(std::size_t i) {
    const Event& note = history_.notes[i];
    if (note.f == "acquired") return acquire(locks_[name(note, "lock")], i);
    if (note.f == "released" || note.f == "lost") {
      Lock& lock = locks_[name(note, "lock")];
      if (lock.holder && history_.notes[*lock.holder].actor == note.actor) lock.holder.reset();
    } else if (note.f == "resource") {
      return visit(locks_[name(note, "lock")], i);
    } else if (note.f == "fenced") {
      return write(locks_[name(note, "lock")], i);
    }
    return true;
  }

  bool acquire(Lock& lock, std::size_t i) {
    ++acquired_;
    const std::uint64_t token = number(history_.notes[i], "token");
    if (lock.holder) return fail("two hold one lock at once", {*lock.holder, i});
    if (!lock.tokens.empty() && lock.tokens.rbegin()->first >= token)
      return fail("a later acquisition has no higher token", {lock.tokens.rbegin()->second, i});
    const auto after = lock.written.lower_bound(token);
    if (after != lock.written.end())
      return fail("somebody wrote under an older token after this acquisition, at revision " +
                      std::to_string(after->first),
                  {i, after->second});
    lock.tokens[token] = i;
    lock.holder = i;
    return true;
  }

  bool visit(Lock& lock, std::size_t i) {
    ++resources_;
    const std::uint64_t token = number(history_.notes[i], "token");
    if (number(history_.notes[i], "admitted") == 0) {
      ++refused_;
      return true;
    }
    if (lock.visitor && number(history_.notes[*lock.visitor], "token") > token)
      return fail("somebody was let in after a higher token", {*lock.visitor, i});
    lock.visitor = i;
    return true;
  }

  bool write(Lock& lock, std::size_t i) {
    const Event& note = history_.notes[i];
    ++fenced_;
    if (number(note, "applied") == 0) return true;
    const auto next = lock.tokens.upper_bound(number(note, "token"));
    if (next != lock.tokens.end() && next->first <= note.revision)
      return fail("a write under a token took place at revision " + std::to_string(note.revision) +
                      ", after the lock had gone to another",
                  {next->second, i});
    lock.written[note.revision] = i;
    return true;
  }

  std::map<std::string, Lock> locks_;
  std::uint64_t acquired_ = 0, resources_ = 0, refused_ = 0, fenced_ = 0;
};

class Leases final : private Notes {
 public:
  explicit Leases(const History& history) : Notes(history, "lease") {}

  Finding run() {
    for (std::size_t i = 0; i < history_.notes.size(); ++i)
      if (!take(i)) return finding_;
    for (const auto& [id, lease] : leases_) {
      if (!lease.dropped || !lease.there || lease.looked_ns < lease.gone_by_ns) continue;
      (void)fail("the lease " + id + " was kept by nobody any more, and its key is still there",
                 {*lease.dropped});
      return finding_;
    }
    finding_.checked = looks_;
    if (looks_ == 0) {
      finding_.verdict = Verdict::kEmpty;
      finding_.why = "no lease was looked at";
      return finding_;
    }
    finding_.why = std::to_string(leases_.size()) + " leases were looked at " +
                   std::to_string(looks_) + " times: all that were kept were there, and " +
                   std::to_string(gone_) + " looks found one gone that nobody kept";
    return finding_;
  }

 private:
  struct Lease {
    std::uint64_t until_ns = 0;    // it must be there until then
    std::uint64_t gone_by_ns = 0;  // it must be gone from then on
    std::uint64_t looked_ns = 0;
    std::optional<std::size_t> dropped;
    bool there = false;
  };

  bool take(std::size_t i) {
    const Event& note = history_.notes[i];
    if (note.f == "granted" || note.f == "renewed") {
      Lease& lease = leases_[name(note, "lease")];
      lease.until_ns = number(note, "asked_ns") + number(note, "ttl_ms") * kNsPerMs;
    } else if (note.f == "dropped") {
      Lease& lease = leases_[name(note, "lease")];
      lease.dropped = i;
      lease.gone_by_ns = note.time_ns + number(note, "gone_within_ms") * kNsPerMs;
    } else if (note.f == "looked") {
      return look(leases_[name(note, "lease")], i);
    }
    return true;
  }

  bool look(Lease& lease, std::size_t i) {
    const Event& note = history_.notes[i];
    ++looks_;
    lease.there = number(note, "there") != 0;
    lease.looked_ns = number(note, "begun_ns");
    if (lease.there) return true;
    ++gone_;
    if (note.time_ns < lease.until_ns)
      return fail("the lease " + name(note, "lease") + " ended " +
                      seconds(lease.until_ns - note.time_ns) + " too early",
                  {i});
    return true;
  }

  std::map<std::string, Lease> leases_;
  std::uint64_t looks_ = 0, gone_ = 0;
};

}  // namespace

Finding check_locks(const History& history) {
  return Locks(history).run();
}

Finding check_leases(const History& history) {
  return Leases(history).run();
}

}  // namespace jepsen
