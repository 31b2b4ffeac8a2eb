#include "jepsen/check/appends.h"

#include <algorithm>
#include <unordered_map>

#include "jepsen/check/graph.h"

namespace jepsen {
namespace {

using Kind = Micro::Kind;
using Number = std::uint32_t;

constexpr Edges kWw = static_cast<Edges>(Edge::kWriteWrite);
constexpr Edges kWr = static_cast<Edges>(Edge::kWriteRead);
constexpr Edges kRw = static_cast<Edges>(Edge::kReadWrite);
constexpr Edges kRt = static_cast<Edges>(Edge::kTime);

struct Append {
  Number operation = 0;
  bool last = true;  // of the operation's appends to this key
};
struct Read {
  Number operation = 0;
  std::vector<std::int64_t> elements;  // without those that the operation itself appended before
};
struct Key {
  std::unordered_map<std::int64_t, Append> appends;
  std::vector<Read> reads;
  std::vector<std::int64_t> order;  // the longest that was read
};

class Appends {
 public:
  explicit Appends(const History& history) : history_(history), graph_(history.size()) {}
  Finding run();

 private:
  bool collect();
  bool collect(Number number);
  bool read_one(Number number, const Micro& micro, const std::vector<std::int64_t>& own);
  bool check(const Key& key, const std::string& name);
  void connect(const Key& key);
  void connect_time();
  void find_cycle();
  bool fail(std::string why, std::vector<Number> witness) {
    return contradict(history_, finding_, std::move(why), std::move(witness));
  }
  std::string why(const Graph::Step& step, Number to) const;

  const History& history_;
  std::unordered_map<std::uint32_t, Key> keys_;
  Graph graph_;
  Finding finding_;
};

bool Appends::read_one(Number number, const Micro& micro, const std::vector<std::int64_t>& own) {
  const auto all = history_.elements_of(micro);
  const bool ends_with_own =
      all.size() >= own.size() &&
      std::equal(own.begin(), own.end(), all.end() - static_cast<long>(own.size()));
  if (!ends_with_own)
    return fail("internal: an operation did not read what it had appended itself", {number});
  keys_[micro.key].reads.push_back(
      {number, {all.begin(), all.end() - static_cast<long>(own.size())}});
  return true;
}

bool Appends::collect(Number number) {
  const Operation& operation = history_.operations[number];
  std::unordered_map<std::uint32_t, std::vector<std::int64_t>> own;
  for (const Micro& micro : history_.micros_of(operation)) {
    if (micro.kind == Kind::kAppend) {
      Key& key = keys_[micro.key];
      auto& mine = own[micro.key];
      if (!mine.empty()) key.appends[mine.back()].last = false;
      mine.push_back(micro.value);
      const auto [found, added] = key.appends.emplace(micro.value, Append{number, true});
      if (!added)
        return fail("an element was appended twice: this history cannot be judged",
                    {found->second.operation, number});
    } else if (micro.kind == Kind::kList && operation.end == End::kOk && !operation.stale) {
      if (!read_one(number, micro, own[micro.key])) return false;
    }
  }
  return true;
}

bool Appends::collect() {
  for (Number i = 0; i < history_.size(); ++i) {
    if (!collect(i)) return false;
    finding_.checked += history_.operations[i].end == End::kOk ? 1 : 0;
  }
  return true;
}

bool Appends::check(const Key& key, const std::string& name) {
  Number longest = 0;
  for (const Read& read : key.reads)
    if (read.elements.size() >= key.order.size() && read.elements == key.order)
      longest = read.operation;
  for (const Read& read : key.reads) {
    if (!std::equal(read.elements.begin(), read.elements.end(), key.order.begin()))
      return fail("incompatible order: two lists of the key " + name +
                      " were read of which neither begins with the other",
                  {read.operation, longest});
    if (read.elements.empty()) continue;
    const auto last = key.appends.find(read.elements.back());
    if (last != key.appends.end() && !last->second.last)
      return fail("G1b: a list was read that an operation had not finished",
                  {last->second.operation, read.operation});
  }
  std::unordered_map<std::int64_t, int> times;
  for (const std::int64_t element : key.order) {
    if (++times[element] > 1)
      return fail("duplicate: the element " + std::to_string(element) + " of the key " + name +
                      " is there twice",
                  {longest});
    const auto found = key.appends.find(element);
    if (found == key.appends.end())
      return fail("garbage: the element " + std::to_string(element) + " of the key " + name +
                      " was appended by nobody",
                  {longest});
    if (history_.operations[found->second.operation].end == End::kFail)
      return fail("G1a: an element was read whose append surely did not happen",
                  {found->second.operation, longest});
  }
  return true;
}

void Appends::connect(const Key& key) {
  const auto writer = [&](std::int64_t element) { return key.appends.at(element).operation; };
  const auto arrow = [&](Number from, Number to, Edge edge) {
    if (from != to) graph_.add(from, to, edge);
  };
  for (std::size_t i = 0; i + 1 < key.order.size(); ++i)
    arrow(writer(key.order[i]), writer(key.order[i + 1]), Edge::kWriteWrite);
  // What was acknowledged and is in no list came after the longest that was read.
  std::vector<Number> unread;
  {
    std::unordered_map<std::int64_t, bool> read;
    for (const std::int64_t element : key.order) read[element] = true;
    for (const auto& [element, append] : key.appends)
      if (!read.contains(element) && history_.operations[append.operation].end == End::kOk)
        unread.push_back(append.operation);
  }
  if (!key.order.empty())
    for (const Number later : unread) arrow(writer(key.order.back()), later, Edge::kWriteWrite);
  for (const Read& read : key.reads) {
    if (!read.elements.empty())
      arrow(writer(read.elements.back()), read.operation, Edge::kWriteRead);
    if (read.elements.size() < key.order.size())
      arrow(read.operation, writer(key.order[read.elements.size()]), Edge::kReadWrite);
    else
      for (const Number later : unread) arrow(read.operation, later, Edge::kReadWrite);
  }
}

/// A node for each moment at which one ended, so that not every pair needs an arrow.
void Appends::connect_time() {
  std::vector<std::pair<std::uint32_t, std::int64_t>> moments;  // place; ended: ~number
  for (Number i = 0; i < history_.size(); ++i) {
    const Operation& operation = history_.operations[i];
    if (operation.end == End::kFail) continue;
    moments.emplace_back(operation.invoked, i);
    if (operation.end == End::kOk)
      moments.emplace_back(operation.returned, ~static_cast<std::int64_t>(i));
  }
  std::sort(moments.begin(), moments.end());
  std::uint32_t latest = kOpen;
  for (const auto& [place, who] : moments) {
    if (who >= 0) {
      if (latest != kOpen) graph_.add(latest, static_cast<Number>(who), Edge::kTime);
      continue;
    }
    const std::uint32_t moment = graph_.add_node();
    if (latest != kOpen) graph_.add(latest, moment, Edge::kTime);
    graph_.add(static_cast<Number>(~who), moment, Edge::kTime);
    latest = moment;
  }
}

std::string Appends::why(const Graph::Step& step, Number to) const {
  std::string text = describe(history_, history_.operations[step.node]) + " — ";
  switch (step.edge) {
    case Edge::kWriteWrite:
      return text + "appended before process " + std::to_string(history_.operations[to].process) +
             " did, to the same list:";
    case Edge::kWriteRead:
      return text + "and process " + std::to_string(history_.operations[to].process) + " saw it:";
    case Edge::kReadWrite:
      return text + "did not see what came next:";
    case Edge::kTime:
      return text + "had ended before this began:";
  }
  return text;
}

void Appends::find_cycle() {
  struct Anomaly {
    const char* name;
    Edges edges;
    bool one;  // with exactly one more, of what was read and overwritten
  };
  constexpr Anomaly kAnomalies[] = {
      {"G0", kWw, false},
      {"G1c", kWw | kWr, false},
      {"G-single", kWw | kWr, true},
      {"G2", kWw | kWr | kRw, false},
      {"G0-realtime", kWw | kRt, false},
      {"G1c-realtime", kWw | kWr | kRt, false},
      {"G-single-realtime", kWw | kWr | kRt, true},
      {"G2-realtime", kWw | kWr | kRw | kRt, false},
  };
  // Mostly there is none of them, and one look tells.
  if (graph_.cycle(kAnomalies[7].edges).empty()) return;
  for (const Anomaly& anomaly : kAnomalies) {
    const auto steps = anomaly.one ? graph_.cycle_with_one(anomaly.edges, Edge::kReadWrite)
                                   : graph_.cycle(anomaly.edges);
    if (steps.empty()) continue;
    std::vector<Graph::Step> known;  // without the moments between
    for (const auto& step : steps)
      if (step.node < history_.size()) known.push_back(step);
    finding_.verdict = Verdict::kInvalid;
    finding_.why = std::string(anomaly.name) + ": " + std::to_string(known.size()) +
                   " operations each came before the next, and the last before the first";
    for (std::size_t i = 0; i < known.size(); ++i) {
      finding_.witness.push_back(known[i].node);
      finding_.words.push_back(why(known[i], known[(i + 1) % known.size()].node));
    }
    if (!known.empty()) finding_.words.push_back("the first of these again");
    return;
  }
}

Finding Appends::run() {
  finding_.checker = "append";
  if (!collect()) return finding_;
  std::size_t reads = 0;
  for (auto& [number, key] : keys_) {
    for (const Read& read : key.reads)
      if (read.elements.size() > key.order.size()) key.order = read.elements;
    reads += key.reads.size();
    if (!check(key, history_.key_name(number))) return finding_;
  }
  if (reads == 0) {
    finding_.verdict = Verdict::kEmpty;
    finding_.why = "no list was read";
    return finding_;
  }
  for (const auto& [number, key] : keys_) connect(key);
  connect_time();
  find_cycle();
  if (finding_.verdict == Verdict::kValid)
    finding_.why =
        "what " + std::to_string(reads) + " lists tell of what came before what has no cycle";
  return finding_;
}

}  // namespace

Finding check_appends(const History& history) {
  return Appends(history).run();
}

}  // namespace jepsen
