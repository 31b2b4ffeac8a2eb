#include "jepsen/check/watches.h"

#include <algorithm>
#include <map>
#include <unordered_map>

namespace jepsen {
namespace {

struct Told {
  std::uint64_t revision = 0;
  std::int64_t sub = 0;
  std::string key;
  std::int64_t value = kAbsent;
  const Value* old = nullptr;
};

std::string text(std::int64_t value) {
  return value == kAbsent ? "nothing" : std::to_string(value);
}

std::uint64_t number(const Value* value) {
  return value == nullptr ? 0 : static_cast<std::uint64_t>(value->number);
}

class Watches {
 public:
  Watches(const History& history, const Feed& feed) : history_(history), feed_(feed) {}
  Finding run();

 private:
  struct Watch {
    std::uint64_t told = 0;  // up to here
    std::size_t fed = 0;     // of the feed's changes
    std::unordered_map<std::string, std::int64_t> values;
    std::uint64_t batches = 0, events = 0;
    bool begun = false;
  };
  bool begin(Watch& watch, std::size_t place);
  bool take(Watch& watch, std::size_t place);
  bool take_event(Watch& watch, const Told& told, std::size_t place);
  bool nothing_left_out(Watch& watch, std::uint64_t to, std::size_t place);
  bool reaches_the_end();
  bool fail(const std::string& what, std::size_t place);

  const History& history_;
  const Feed& feed_;
  std::map<std::string, Watch> watches_;
  Finding finding_;
};

bool Watches::fail(const std::string& what, std::size_t place) {
  const Event& note = history_.notes[place];
  finding_.verdict = Verdict::kInvalid;
  finding_.why = note.actor + ": " + what;
  finding_.words.push_back(note.actor + (note.node.empty() ? "" : ", at " + note.node) +
                           ", was told at " + seconds(note.time_ns) + ": " + what);
  return false;
}

bool Watches::begin(Watch& watch, std::size_t place) {
  const std::uint64_t from = number(history_.notes[place].value.find("from"));
  if (watch.begun && from <= watch.told && from != 0)
    return fail("it begins anew at revision " + std::to_string(from) + ", which it was told of",
                place);
  watch.begun = true;
  watch.told = from == 0 ? 0 : from - 1;
  watch.values.clear();
  for (watch.fed = 0;
       watch.fed < feed_.changes.size() && feed_.changes[watch.fed].revision <= watch.told;
       ++watch.fed) {
    const Change& change = feed_.changes[watch.fed];
    watch.values[history_.key_name(change.key)] = change.value;
  }
  return true;
}

bool Watches::take_event(Watch& watch, const Told& told, std::size_t place) {
  const std::string what =
      "revision " + std::to_string(told.revision) + ", " + told.key + " = " + text(told.value);
  // The feed of a run that died may have been told less than a watch.
  if (told.revision > feed_.end && !history_.ended) return true;
  if (watch.fed >= feed_.changes.size())
    return fail(what + " is no change that the feed knows", place);
  const Change& change = feed_.changes[watch.fed];
  const std::string& key = history_.key_name(change.key);
  if (change.revision != told.revision || key != told.key || change.value != told.value)
    return fail(what + ", where the next change is revision " + std::to_string(change.revision) +
                    ", " + key + " = " + text(change.value),
                place);
  const auto before = watch.values.find(key);
  const std::int64_t old = before == watch.values.end() ? kAbsent : before->second;
  // A set has no name, and each of its elements had nothing before.
  if (!key.empty() && told.old != nullptr && told.old->is_int() && told.old->number != old)
    return fail(
        what + ": before it there was " + text(old) + ", and it was told " + text(told.old->number),
        place);
  watch.values[key] = told.value;
  ++watch.fed;
  ++watch.events;
  return true;
}

bool Watches::nothing_left_out(Watch& watch, std::uint64_t to, std::size_t place) {
  if (watch.fed < feed_.changes.size() && feed_.changes[watch.fed].revision <= to &&
      to <= feed_.end)
    return fail("it was told of all up to revision " + std::to_string(to) + ", and not of " +
                    history_.key_name(feed_.changes[watch.fed].key) + " at revision " +
                    std::to_string(feed_.changes[watch.fed].revision),
                place);
  return true;
}

bool Watches::take(Watch& watch, std::size_t place) {
  const Value& batch = history_.notes[place].value;
  const Value* events = batch.find("events");
  const std::uint64_t previous = number(batch.find("previous"));
  const std::uint64_t revision = number(batch.find("revision"));
  if (!watch.begun || events == nullptr) return fail("a batch before its watch", place);
  if (watch.told != 0 && previous != watch.told)
    return fail("a batch follows revision " + std::to_string(previous) +
                    ", and the last one ended at " + std::to_string(watch.told),
                place);
  if (revision < previous) return fail("a batch goes back", place);
  ++watch.batches;
  const Told* last = nullptr;
  std::vector<Told> all;
  for (const Value& each : events->items) {
    if (each.items.size() != 5) return fail("an event is [revision sub key value old]", place);
    const Value& key = each.items[2];
    all.push_back({number(&each.items[0]), each.items[1].number,
                   key.is_int() ? std::to_string(key.number) : key.text, each.items[3].number,
                   &each.items[4]});
  }
  for (const Told& told : all) {
    const bool in_order = last == nullptr || last->revision < told.revision ||
                          (last->revision == told.revision && last->sub < told.sub);
    if (!in_order || told.revision <= watch.told || told.revision > revision)
      return fail("out of order: revision " + std::to_string(told.revision), place);
    if (!take_event(watch, told, place)) return false;
    last = &told;
  }
  watch.told = revision;
  return nothing_left_out(watch, revision, place);
}

bool Watches::reaches_the_end() {
  for (const auto& [name, watch] : watches_) {
    if (watch.told >= feed_.end || watch.fed >= feed_.changes.size()) continue;
    std::size_t last = 0;
    for (std::size_t i = 0; i < history_.notes.size(); ++i)
      if (history_.notes[i].actor == name) last = i;
    return fail("it was never told of " + std::to_string(feed_.changes.size() - watch.fed) +
                    " changes after revision " + std::to_string(watch.told),
                last);
  }
  return true;
}

Finding Watches::run() {
  finding_.checker = "watch";
  for (std::size_t i = 0; i < history_.notes.size(); ++i) {
    const Event& note = history_.notes[i];
    if (note.f != "watch" && note.f != "batch") continue;
    Watch& watch = watches_[note.actor];
    if (!(note.f == "watch" ? begin(watch, i) : take(watch, i))) return finding_;
  }
  std::uint64_t batches = 0, events = 0;
  for (const auto& [name, watch] : watches_) batches += watch.batches, events += watch.events;
  finding_.checked = events;
  if (events == 0 || !feed_.known) {
    finding_.verdict = Verdict::kEmpty;
    finding_.why =
        events == 0 ? "no watch was told of anything" : "there is no feed to compare with";
    return finding_;
  }
  // A run that died did not wait for them.
  if (history_.ended && !reaches_the_end()) return finding_;
  finding_.why = std::to_string(watches_.size()) + " watches were told of " +
                 std::to_string(events) + " changes in " + std::to_string(batches) +
                 " batches, each once, in order, whole";
  return finding_;
}

}  // namespace

Finding check_watches(const History& history, const Feed& feed) {
  return Watches(history, feed).run();
}

}  // namespace jepsen
