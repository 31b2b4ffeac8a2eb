// By changing what a member that is down has on its disk. Each waits until the member is whole
// again: two of them at once would be more than the promises cover. Loop thread.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "jepsen/caller.h"
#include "jepsen/faults/faults.h"

namespace jepsen {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::Status;

constexpr std::uint64_t kWholeMs = 30'000;
constexpr std::uint64_t kFoundMs = 5000;

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The newest of the log's write-ahead files.
base::Result<std::string> newest_log(const std::string& data_dir) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(data_dir + "/member/log", error))
    if (entry.path().extension() == ".log") files.push_back(entry.path());
  if (files.empty()) return Status(Code::kIo, data_dir + " has no log");
  return std::max_element(files.begin(), files.end())->string();
}

/// Files may be preallocated: bytes up to the last that is not zero.
std::size_t used(const std::string& bytes) {
  const auto last = bytes.find_last_not_of('\0');
  return last == std::string::npos ? 0 : last + 1;
}

/// Kills the victim, changes its files, starts it, and waits until it is whole.
class Damage : public Fault {
 public:
  Status begin(Scene& scene, const std::vector<std::size_t>& victims,
               std::uint64_t for_ms) override {
    victim_ = victims.front();
    const Status prepared = prepare(scene, for_ms);
    if (!prepared.is_ok()) return prepared;
    scene.cluster.kill(victim_);
    log_at_ = read(scene.cluster.log_path(victim_)).size();
    Status status = change(scene);
    // Never left down.
    const Status started = scene.cluster.start(victim_);
    if (status.is_ok()) status = started;
    return status.is_ok() ? repair(scene) : status;
  }
  /// What the member says of it since; it may take a while to find it out.
  std::vector<std::string> prove(Scene& scene) override {
    const std::uint64_t end_ms = scene.cluster.now_ms() + kFoundMs * scene.cluster.time_scale();
    std::vector<std::string> proofs = words_of_damage(scene);
    while (proofs.empty() && scene.cluster.now_ms() < end_ms) {
      scene.cluster.sleep_ms(100);
      proofs = words_of_damage(scene);
    }
    return proofs;
  }
  Status end(Scene& scene) override {
    const Status whole = scene.cluster.wait_until_well(kWholeMs, false);
    if (whole.is_ok()) return whole;
    return {whole.code(), scene.cluster.name(victim_) + " did not become whole: " + whole.detail()};
  }

 protected:
  virtual Status prepare(Scene&, std::uint64_t) { return Status::ok(); }
  virtual Status change(Scene& scene) = 0;
  virtual Status repair(Scene&) { return Status::ok(); }
  std::size_t victim_ = 0;

 private:
  std::vector<std::string> words_of_damage(Scene& scene) const {
    std::vector<std::string> proofs;
    std::istringstream lines(read(scene.cluster.log_path(victim_)).substr(log_at_));
    for (std::string line; std::getline(lines, line) && proofs.size() < 2;) {
      for (const char* const word : {"quarantine", "rolled back", "lost synced", "damaged"}) {
        if (line.find(word) == std::string::npos) continue;
        proofs.push_back(scene.cluster.name(victim_) + " says: " + line.substr(0, 200));
        break;
      }
    }
    return proofs;
  }
  std::size_t log_at_ = 0;
};

class BitFlip final : public Damage {
 protected:
  Status change(Scene& scene) override {
    const auto path = newest_log(scene.cluster.data_dir(victim_));
    if (!path.is_ok()) return path.status();
    std::string bytes = read(path.value());
    const std::size_t size = used(bytes);
    if (size < 1000) return {Code::kIo, path.value() + " holds nearly nothing"};
    // In the middle: what stands there was synced long ago.
    const std::size_t at = size / 4 + scene.random.below(size / 2);
    bytes[at] = static_cast<char>(bytes[at] ^ 1 << scene.random.below(8));
    std::ofstream file(path.value(), std::ios::binary | std::ios::trunc);
    file << bytes;
    return file.flush() ? Status::ok() : Status(Code::kIo, path.value() + " cannot be written");
  }
};

class Truncation final : public Damage {
 protected:
  Status change(Scene& scene) override {
    const auto path = newest_log(scene.cluster.data_dir(victim_));
    if (!path.is_ok()) return path.status();
    const std::size_t size = used(read(path.value()));
    if (size < 1000) return {Code::kIo, path.value() + " holds nearly nothing"};
    std::error_code error;
    fs::resize_file(path.value(), size / 2, error);
    return error ? Status(Code::kIo, path.value() + ": " + error.message()) : Status::ok();
  }
};

std::string incarnation_of(Scene& scene, std::size_t member) {
  Caller caller(scene.cluster);
  const auto outcome = caller.wait(caller.client().members());
  for (const auto& each : outcome.members)
    if (each.name == scene.cluster.name(member)) return base::to_hex(each.incarnation.value);
  return "";
}

Status remove_directory(Scene& scene, std::size_t member) {
  std::error_code error;
  fs::remove_all(scene.cluster.data_dir(member), error);
  return error ? Status(Code::kIo, error.message()) : Status::ok();
}

/// A new directory is no member until somebody says so. Requires: it runs, with one.
Status replace(Scene& scene, std::size_t member) {
  Caller caller(scene.cluster);
  client::MemberChange change;
  change.kind = client::MemberChange::Kind::kReplace;
  change.name = scene.cluster.name(member);
  constexpr int kTries = 40;
  constexpr std::uint64_t kBetweenMs = 250;
  client::Outcome outcome;
  for (int i = 0; i < kTries; ++i) {
    // The leader learns the new incarnation when the member calls it.
    outcome = caller.wait(caller.client().members(change));
    if (outcome.status.is_ok()) break;
    scene.cluster.sleep_ms(kBetweenMs);
  }
  return outcome.status;
}

class Wiped final : public Damage {
 public:
  std::vector<std::string> prove(Scene& scene) override {
    if (before_.empty() || after_ == before_) return {};
    return {scene.cluster.name(victim_) + ": incarnation " + before_ + " was replaced by " +
            after_};
  }

 protected:
  Status prepare(Scene& scene, std::uint64_t) override {
    before_ = incarnation_of(scene, victim_);
    return Status::ok();
  }
  Status change(Scene& scene) override { return remove_directory(scene, victim_); }
  Status repair(Scene& scene) override {
    const Status replaced = replace(scene, victim_);
    after_ = incarnation_of(scene, victim_);
    return replaced;
  }

 private:
  std::string before_, after_;
};

/// As it was some seconds ago, with everything acknowledged since missing. The member is kept out
/// until a person has replaced it (docs/decisions/0011).
class OldCopy final : public Damage {
 public:
  Status end(Scene& scene) override {
    scene.cluster.kill(victim_);
    Status status = remove_directory(scene, victim_);
    const Status started = scene.cluster.start(victim_);
    if (status.is_ok()) status = started;
    if (status.is_ok()) status = replace(scene, victim_);
    return status.is_ok() ? Damage::end(scene) : status;
  }

 protected:
  Status prepare(Scene& scene, std::uint64_t for_ms) override {
    copy_ = scene.folder + "/old-copy";
    scene.cluster.kill(victim_);
    std::error_code error;
    fs::remove_all(copy_, error);
    fs::copy(scene.cluster.data_dir(victim_), copy_, fs::copy_options::recursive, error);
    if (error) return {Code::kIo, copy_ + ": " + error.message()};
    const Status started = scene.cluster.start(victim_);
    if (!started.is_ok()) return started;
    const Status well = scene.cluster.wait_until_well(kWholeMs, false);
    scene.cluster.sleep_ms(for_ms / 3);
    return well;
  }
  Status change(Scene& scene) override {
    std::error_code error;
    fs::remove_all(scene.cluster.data_dir(victim_), error);
    if (!error) fs::rename(copy_, scene.cluster.data_dir(victim_), error);
    return error ? Status(Code::kIo, error.message()) : Status::ok();
  }

 private:
  std::string copy_;
};

}  // namespace

std::unique_ptr<Fault> make_bit_flips() {
  return std::make_unique<BitFlip>();
}
std::unique_ptr<Fault> make_truncation() {
  return std::make_unique<Truncation>();
}
std::unique_ptr<Fault> make_wiped() {
  return std::make_unique<Wiped>();
}
std::unique_ptr<Fault> make_old_copy() {
  return std::make_unique<OldCopy>();
}

}  // namespace jepsen
