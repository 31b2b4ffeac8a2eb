#include "jepsen/check/revisions.h"

#include <algorithm>
#include <map>
#include <span>
#include <unordered_map>
#include <unordered_set>

namespace jepsen {
namespace {

using Kind = Micro::Kind;

/// What one key holds at some revision.
struct Cell {
  std::int64_t value = kAbsent;
  std::uint64_t modified = 0;
  std::uint64_t sum = 0;  // of a set: of its elements, mixed
  std::vector<std::int64_t> elements;
};

std::uint64_t mixed(std::int64_t element) {
  std::uint64_t hash = static_cast<std::uint64_t>(element) * 0x9e3779b97f4a7c15u;
  hash ^= hash >> 29;
  return hash * 0xbf58476d1ce4e5b9u;
}

class Replay {
 public:
  Replay(const History& history, const Feed& feed)
      : history_(history), feed_(feed), cells_(history.keys.size()) {
    const auto nemesis = history.about.find("nemesis");
    compacts_ =
        nemesis != history.about.end() && nemesis->second.find("compact") != std::string::npos;
    for (const Operation& operation : history.operations) {
      for (const Micro& micro : history.micros_of(operation)) {
        if (micro.kind == Kind::kAppend || micro.kind == Kind::kAdd || micro.has_list())
          collections_.insert(micro.key);
      }
    }
  }
  Finding run();

 private:
  using Number = std::uint32_t;

  void sort();
  bool wrote(const Operation& operation) const {
    const auto micros = history_.micros_of(operation);
    return std::any_of(micros.begin(), micros.end(), [](const Micro& m) { return m.writes(); });
  }
  bool step(Number number);
  bool real_time(Number number);
  bool gaps(std::uint64_t from, std::uint64_t to);
  void catch_up(std::uint64_t revision);
  bool told(Number number);
  bool reads_hold(Number number);
  bool read_holds(const Operation& operation, const Micro& micro, const Cell& cell);
  void write(std::uint32_t key, std::int64_t value, std::uint64_t revision);
  /// `words` come before those of the witness.
  bool fail(std::string why, std::vector<Number> witness, std::vector<std::string> words = {}) {
    finding_.words = std::move(words);
    return contradict(history_, finding_, std::move(why), std::move(witness));
  }
  const Operation& at(Number number) const { return history_.operations[number]; }

  const History& history_;
  const Feed& feed_;
  std::vector<Cell> cells_;
  bool compacts_ = false;  // somebody compacts, so that old versions go
  std::unordered_set<std::uint32_t>
      vague_;  // keys that somebody wrote at nobody knows which revision
  std::unordered_set<std::uint32_t> collections_;  // keys of which all that was written counts
  std::vector<Number> order_;
  std::unordered_map<std::uint32_t, Number> writers_;  // of keys, the latest
  std::size_t fed_ = 0;                                // changes of the feed that were replayed
  std::uint64_t revision_ = 0;
  std::optional<Number> writer_;  // of revision_
  std::optional<Number> latest_;  // that began last of all so far
  std::uint64_t unexplained_ = 0, unknown_ = 0;
  Finding finding_;
};

void Replay::sort() {
  for (Number i = 0; i < history_.size(); ++i) {
    const Operation& operation = at(i);
    const bool placed = operation.end == End::kOk && operation.revision != 0;
    if (operation.end != End::kFail && !placed && wrote(operation)) ++unknown_;
    if (operation.end == End::kOk && operation.revision != 0)
      order_.push_back(i);
    else if (operation.end != End::kFail)
      for (const Micro& micro : history_.micros_of(operation))
        if (micro.writes()) vague_.insert(micro.key);
  }
  struct Key {
    std::uint64_t revision;
    bool reads;
    std::uint32_t invoked;
    auto operator<=>(const Key&) const = default;
  };
  const auto key = [&](Number i) { return Key{at(i).revision, !wrote(at(i)), at(i).invoked}; };
  std::sort(order_.begin(), order_.end(), [&](Number a, Number b) { return key(a) < key(b); });
}

void Replay::write(std::uint32_t key, std::int64_t value, std::uint64_t revision) {
  Cell& cell = cells_[key];
  cell.value = value;
  cell.modified = revision;
  if (!collections_.contains(key)) return;
  cell.elements.push_back(value);
  cell.sum += mixed(value);
}

/// Replays what the feed tells up to a revision that no operation of the history wrote.
void Replay::catch_up(std::uint64_t revision) {
  for (; fed_ < feed_.changes.size() && feed_.changes[fed_].revision <= revision; ++fed_) {
    const Change& change = feed_.changes[fed_];
    // Of somebody whose outcome is unknown, or of another run.
    write(change.key, change.value, change.revision);
    writers_.erase(change.key);
  }
}

bool Replay::gaps(std::uint64_t from, std::uint64_t to) {
  if (!feed_.known) {
    if (to > from) unexplained_ += to - from;
    return true;
  }
  for (std::uint64_t revision = from; revision < to && revision <= feed_.end; ++revision)
    if (!feed_.explains(revision))
      return fail("nobody wrote revision " + std::to_string(revision) +
                      ": the feed does not tell of it either",
                  {});
  catch_up(to - 1);
  return true;
}

/// The feed tells of this write, as it was asked for.
bool Replay::told(Number number) {
  if (!feed_.known || at(number).revision > feed_.end) return true;
  std::vector<std::pair<std::uint32_t, std::int64_t>> asked, found;
  for (const Micro& micro : history_.micros_of(at(number)))
    if (micro.writes()) asked.emplace_back(micro.key, micro.value);
  for (; fed_ < feed_.changes.size() && feed_.changes[fed_].revision == at(number).revision; ++fed_)
    found.emplace_back(feed_.changes[fed_].key, feed_.changes[fed_].value);
  // Of several writes of one key the last one stands.
  std::sort(asked.begin(), asked.end());
  std::sort(found.begin(), found.end());
  if (asked == found) return true;
  std::vector<std::string> words;
  for (const auto& [key, value] : found)
    words.push_back("the feed: revision " + std::to_string(at(number).revision) + " wrote " +
                    history_.key_name(key) + " = " + std::to_string(value));
  if (found.empty()) words.push_back("the feed tells of no write at that revision");
  return fail("an acknowledged write is not what the store says it did at its revision", {number},
              std::move(words));
}

bool Replay::read_holds(const Operation& operation, const Micro& micro, const Cell& cell) {
  switch (micro.kind) {
    case Kind::kRead:
    case Kind::kMiss:
      return micro.value == cell.value && (micro.modified == 0 || micro.modified == cell.modified);
    case Kind::kCas:
      return micro.expected == cell.value;
    case Kind::kVersions: {
      const auto elements = history_.elements_of(micro);
      const auto missing = static_cast<std::size_t>(std::max<std::int64_t>(micro.value, 0));
      return (missing == 0 || compacts_) && missing + elements.size() == cell.elements.size() &&
             std::ranges::equal(elements, std::span(cell.elements).subspan(missing));
    }
    case Kind::kList:
      return std::ranges::equal(history_.elements_of(micro), cell.elements);
    case Kind::kMembers: {
      std::uint64_t sum = 0;
      for (const std::int64_t element : history_.elements_of(micro)) sum += mixed(element);
      return history_.elements_of(micro).size() == cell.elements.size() && sum == cell.sum;
    }
    default:
      return operation.end == End::kOk;
  }
}

bool Replay::reads_hold(Number number) {
  const Operation& operation = at(number);
  std::map<std::uint32_t, Cell> own;  // what the operation itself wrote before
  for (const Micro& micro : history_.micros_of(operation)) {
    const auto mine = own.find(micro.key);
    const Cell& cell = mine == own.end() ? cells_[micro.key] : mine->second;
    const bool told = feed_.known && operation.revision <= feed_.end;
    if (!read_holds(operation, micro, cell) && (told || !vague_.contains(micro.key))) {
      std::vector<Number> witness;
      if (const auto found = writers_.find(micro.key); found != writers_.end())
        witness.push_back(found->second);
      witness.push_back(number);
      std::string what = cell.value == kAbsent ? "nothing" : std::to_string(cell.value);
      if (collections_.contains(micro.key))
        what = std::to_string(cell.elements.size()) + " elements, the last of them " + what;
      return fail("at revision " + std::to_string(operation.revision) + " the key " +
                      history_.key_name(micro.key) + " held " + what + ", written at revision " +
                      std::to_string(cell.modified) + ", and something else was read",
                  std::move(witness));
    }
    if (micro.writes() && operation.count > 1) {
      Cell after = cell;
      after.value = micro.value;
      after.modified = operation.revision;
      after.elements.push_back(micro.value);
      after.sum += mixed(micro.value);
      own[micro.key] = std::move(after);
    }
  }
  return true;
}

bool Replay::real_time(Number number) {
  if (at(number).stale) return true;
  if (latest_ && at(number).returned < at(*latest_).invoked) {
    return fail("what ended at revision " + std::to_string(at(number).revision) +
                    " had ended before that began which has revision " +
                    std::to_string(at(*latest_).revision),
                {number, *latest_});
  }
  if (!latest_ || at(number).invoked > at(*latest_).invoked) latest_ = number;
  return true;
}

bool Replay::step(Number number) {
  const Operation& operation = at(number);
  const bool writes = wrote(operation);
  if (writes && operation.revision == revision_ && writer_)
    return fail("two writes have one revision", {*writer_, number});
  const std::uint64_t next = operation.revision + (writes ? 0 : 1);
  if (next > revision_ + 1 && !gaps(revision_ + 1, next)) return false;
  if (operation.revision > revision_) {
    revision_ = operation.revision;
    writer_.reset();
  }
  if (!reads_hold(number) || !real_time(number)) return false;
  if (!writes) return true;
  writer_ = number;
  if (!told(number)) return false;
  for (const Micro& micro : history_.micros_of(operation)) {
    if (!micro.writes()) continue;
    write(micro.key, micro.value, operation.revision);
    writers_[micro.key] = number;
  }
  return true;
}

Finding Replay::run() {
  finding_.checker = "revisions";
  sort();
  finding_.checked = order_.size();
  if (order_.empty()) {
    finding_.verdict = Verdict::kEmpty;
    finding_.why = "no reply carries a revision";
    return finding_;
  }
  // What is there before the first operation is somebody else's.
  if (!feed_.known) revision_ = at(order_.front()).revision - (wrote(at(order_.front())) ? 1 : 0);
  for (const Number number : order_)
    if (!step(number)) return finding_;
  if (unexplained_ > unknown_) {
    (void)fail("nobody wrote " + std::to_string(unexplained_) + " of the revisions, and only " +
                   std::to_string(unknown_) + " writes have an unknown end",
               {});
    return finding_;
  }
  finding_.why = "the revisions are an order that explains every reply; the last one is " +
                 std::to_string(revision_);
  return finding_;
}

}  // namespace

Finding check_revisions(const History& history, const Feed& feed) {
  return Replay(history, feed).run();
}

}  // namespace jepsen
