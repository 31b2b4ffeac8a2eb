#include "raft/configuration.h"

#include <utility>

#include "base/check.h"

namespace raft {
namespace {

constexpr char kVersion = 2;
constexpr char kVersionWithoutNames = 1;
constexpr std::size_t kMostMembers = 128;
constexpr std::size_t kMostTextBytes = 1024;

void put(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i) & 0xff));
}

void put(std::string& out, const std::string& text) {
  CHECK(text.size() <= kMostTextBytes, "checked where it came in");
  put(out, text.size(), 2);
  out += text;
}

void put(std::string& out, const std::vector<Member>& members) {
  put(out, members.size(), 4);
  for (const Member& member : members) {
    put(out, member.id.value, 8);
    put(out, member.incarnation.value, 8);
    put(out, member.name);
    put(out, member.peer_address);
    put(out, member.client_address);
    put(out, member.promote ? 1 : 0, 1);
    put(out, member.replaced.value, 8);
  }
}

/// Takes bytes from the front; after a failure everything fails.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && bytes_.empty(); }
  std::uint64_t number(std::size_t size) {
    std::uint64_t value = 0;
    const std::string_view from = take(size);
    for (std::size_t i = 0; i < from.size(); ++i) {
      value |= std::uint64_t{static_cast<unsigned char>(from[i])} << (8 * i);
    }
    return value;
  }
  std::string text() {
    const auto size = static_cast<std::size_t>(number(2));
    ok_ = ok_ && size <= kMostTextBytes;
    return std::string(take(size));
  }
  std::vector<Member> members(bool with_names) {
    const std::uint64_t count = number(4);
    ok_ = ok_ && count <= kMostMembers;
    std::vector<Member> found;
    for (std::uint64_t i = 0; ok_ && i < count; ++i) {
      Member member;
      member.id = MemberId(number(8));
      member.incarnation = Incarnation(number(8));
      if (with_names) {
        member.name = text();
        member.peer_address = text();
        member.client_address = text();
        const std::uint64_t promote = number(1);
        ok_ = ok_ && promote <= 1;
        member.promote = promote == 1;
        member.replaced = Incarnation(number(8));
      }
      ok_ = ok_ && member.id && (found.empty() || found.back().id < member.id);
      found.push_back(std::move(member));
    }
    return found;
  }

 private:
  std::string_view take(std::size_t size) {
    ok_ = ok_ && size <= bytes_.size();
    if (!ok_) return {};
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }
  std::string_view bytes_;
  bool ok_ = true;
};

const Member* find_in(const std::vector<Member>& members, MemberId id) {
  const auto at = std::find_if(members.begin(), members.end(),
                               [&](const Member& member) { return member.id == id; });
  return at == members.end() ? nullptr : &*at;
}

bool majority(const std::vector<Member>& voters, const std::function<bool(const Member&)>& counts) {
  const auto found = std::count_if(voters.begin(), voters.end(), counts);
  return static_cast<std::size_t>(found) >= voters.size() / 2 + 1;
}

Index decided_by(const std::vector<Member>& voters,
                 const std::function<Index(const Member&)>& match) {
  if (voters.empty()) return Index();
  std::vector<Index> matches;
  for (const Member& voter : voters) matches.push_back(match(voter));
  std::sort(matches.begin(), matches.end(), std::greater<>());
  return matches[voters.size() / 2];
}

bool same_voters(const Configuration& from, const Configuration& to) {
  return std::equal(from.voters.begin(), from.voters.end(), to.voters.begin(), to.voters.end(),
                    [](const Member& a, const Member& b) {
                      return a.id == b.id && a.incarnation == b.incarnation;
                    });
}

bool sorted(const std::vector<Member>& members) {
  return std::adjacent_find(members.begin(), members.end(), [](const Member& a, const Member& b) {
           return !(a.id < b.id);
         }) == members.end();
}

}  // namespace

const Member* Configuration::find(MemberId id) const {
  if (const Member* voter = find_voter(id)) return voter;
  return find_in(learners, id);
}

const Member* Configuration::find_voter(MemberId id) const {
  if (const Member* voter = find_in(voters, id)) return voter;
  return find_in(outgoing, id);
}

bool Configuration::unbound() const {
  return std::any_of(voters.begin(), voters.end(),
                     [](const Member& voter) { return !voter.incarnation; });
}

bool Configuration::decides(const std::function<bool(const Member&)>& counts) const {
  return majority(voters, counts) && (!joint() || majority(outgoing, counts));
}

Index Configuration::decided(const std::function<Index(const Member&)>& match) const {
  const Index index = decided_by(voters, match);
  return joint() ? std::min(index, decided_by(outgoing, match)) : index;
}

std::vector<MemberId> Configuration::ids() const {
  std::vector<MemberId> found;
  for (const auto* members : {&voters, &outgoing, &learners}) {
    for (const Member& member : *members) found.push_back(member.id);
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

Configuration step_towards(const Configuration& from, const Configuration& to) {
  Configuration next = to;
  next.outgoing = same_voters(from, to) ? std::vector<Member>() : from.voters;
  return next;
}

std::string check_next(const Configuration& next) {
  if (next.voters.empty()) return "no voter would be left";
  if (next.joint()) return "a joint configuration is nobody's aim";
  if (next.unbound()) return "a voter whose data directory is not known yet";
  if (next.voters.size() > kMostMembers || next.learners.size() > kMostMembers) {
    return "more than " + std::to_string(kMostMembers) + " members";
  }
  if (!sorted(next.voters) || !sorted(next.learners)) return "a member twice";
  for (const auto* members : {&next.voters, &next.learners}) {
    for (const Member& member : *members) {
      if (!member.id) return "a member without an id";
      const std::size_t longest =
          std::max({member.name.size(), member.peer_address.size(), member.client_address.size()});
      if (longest > kMostTextBytes) return "a name or an address of more than 1,024 bytes";
    }
  }
  for (const Member& learner : next.learners) {
    if (next.find_voter(learner.id) != nullptr) return "a member that is voter and learner at once";
  }
  return "";
}

std::string encode(const Configuration& configuration) {
  std::string out;
  out.push_back(kVersion);
  put(out, configuration.voters);
  put(out, configuration.outgoing);
  put(out, configuration.learners);
  return out;
}

std::optional<Configuration> decode_configuration(std::string_view bytes) {
  if (bytes.empty()) return std::nullopt;
  const bool with_names = bytes[0] == kVersion;
  if (!with_names && bytes[0] != kVersionWithoutNames) return std::nullopt;
  Reader reader(bytes.substr(1));
  Configuration configuration;
  configuration.voters = reader.members(with_names);
  if (with_names) {
    configuration.outgoing = reader.members(true);
    configuration.learners = reader.members(true);
  }
  if (!reader.at_end()) return std::nullopt;
  for (const Member& learner : configuration.learners) {
    // One that is being replaced may still stand among those that go.
    if (find_in(configuration.voters, learner.id) != nullptr) return std::nullopt;
  }
  return configuration;
}

}  // namespace raft
