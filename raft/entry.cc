#include "raft/entry.h"

#include "base/hash.h"

namespace raft {
namespace {

constexpr char kConfigurationVersion = 1;
constexpr std::size_t kConfigurationHeader = 5;
constexpr std::size_t kVoterBytes = 16;

void put_little_endian(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i) & 0xff));
}

std::uint64_t get_little_endian(std::string_view in, std::size_t at, int bytes) {
  std::uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) {
    value |= std::uint64_t{static_cast<unsigned char>(in[at + static_cast<std::size_t>(i)])}
             << (8 * i);
  }
  return value;
}

}  // namespace

ChainHash chain_hash(ChainHash previous, const Entry& entry) {
  base::Hasher hasher;
  hasher.add(previous.value)
      .add(entry.term.value)
      .add(entry.index.value)
      .add(static_cast<std::uint64_t>(entry.kind))
      .add(entry.time.value)
      .add(std::string_view(entry.payload));
  return ChainHash{hasher.value()};
}

const Voter* Configuration::find(MemberId id) const {
  for (const Voter& voter : voters) {
    if (voter.id == id) return &voter;
  }
  return nullptr;
}

bool Configuration::unbound() const {
  for (const Voter& voter : voters) {
    if (!voter.incarnation) return true;
  }
  return false;
}

std::string encode(const Configuration& configuration) {
  std::string out;
  out.push_back(kConfigurationVersion);
  put_little_endian(out, configuration.voters.size(), 4);
  for (const Voter& voter : configuration.voters) {
    put_little_endian(out, voter.id.value, 8);
    put_little_endian(out, voter.incarnation.value, 8);
  }
  return out;
}

std::optional<Configuration> decode_configuration(std::string_view bytes) {
  if (bytes.size() < kConfigurationHeader || bytes[0] != kConfigurationVersion) return std::nullopt;
  const std::size_t count = get_little_endian(bytes, 1, 4);
  if ((bytes.size() - kConfigurationHeader) % kVoterBytes != 0) return std::nullopt;
  if ((bytes.size() - kConfigurationHeader) / kVoterBytes != count) return std::nullopt;
  Configuration configuration;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = kConfigurationHeader + i * kVoterBytes;
    Voter voter{MemberId(get_little_endian(bytes, at, 8)),
                Incarnation(get_little_endian(bytes, at + 8, 8))};
    if (!voter.id) return std::nullopt;
    if (!configuration.voters.empty() && !(configuration.voters.back().id < voter.id)) {
      return std::nullopt;
    }
    configuration.voters.push_back(voter);
  }
  return configuration;
}

}  // namespace raft
