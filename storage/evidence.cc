#include "storage/evidence.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "storage/files.h"
#include "storage/wal_scan.h"

namespace storage {
namespace {

namespace fs = std::filesystem;
using base::Status;

Status error_of(std::string_view what, const fs::path& path, const std::error_code& error) {
  return file_error(what, path.string(), error.value());
}

/// RocksDB's write-ahead files under `directory`; none if it is not there.
template <class Iterator>
base::Result<std::vector<fs::path>> write_ahead_logs(const std::string& directory) {
  std::vector<fs::path> files;
  std::error_code error;
  for (Iterator file(directory, error), end; !error && file != end; file.increment(error)) {
    if (file->path().extension() == ".log") files.push_back(file->path());
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return error_of("list", directory, error);
  }
  return files;
}

std::string quarantine_path(const std::string& member_directory) {
  return member_directory + "/QUARANTINE";
}

}  // namespace

EvidenceFolder::EvidenceFolder(std::string member_directory, std::uint64_t epoch)
    : root_(std::move(member_directory) + "/evidence"),
      folder_(root_ + "/" + std::to_string(epoch)) {}

Status EvidenceFolder::make_folder() {
  if (Status status = make_directory(root_); !status.is_ok()) return status;
  return make_directory(folder_);
}

Status EvidenceFolder::collect(const std::string& log_directory) {
  if (Status status = make_folder(); !status.is_ok()) return status;
  auto files = write_ahead_logs<fs::directory_iterator>(log_directory);
  if (!files) return files.status();
  for (const fs::path& file : files.value()) {
    const fs::path link = fs::path(folder_) / file.filename();
    std::error_code error;
    fs::create_hard_link(file, link, error);
    // Some file systems know no hard links.
    if (error) fs::copy_file(file, link, fs::copy_options::overwrite_existing, error);
    if (error) return error_of("keep a copy of", file, error);
  }
  return sync_directory(folder_);
}

base::Result<std::optional<Claim>> EvidenceFolder::highest_claim() const {
  auto files = write_ahead_logs<fs::recursive_directory_iterator>(root_);
  if (!files) return files.status();
  std::optional<Claim> highest;
  for (const fs::path& file : files.value()) {
    auto bytes = read_file(file);
    if (!bytes) return bytes.status();
    const auto claim = highest_claim_in_wal(bytes.value().value_or(""));
    if (claim && (!highest || highest->ordinal < claim->ordinal)) highest = claim;
  }
  return highest;
}

Status EvidenceFolder::keep_copy(const std::string& path) {
  if (Status status = make_folder(); !status.is_ok()) return status;
  auto bytes = read_file(path);
  if (!bytes) return bytes.status();
  if (!bytes.value()) return Status::ok();
  return replace_file(folder_ + "/" + fs::path(path).filename().string(), *bytes.value());
}

Status EvidenceFolder::keep_directory(const std::string& path) {
  if (Status status = make_folder(); !status.is_ok()) return status;
  std::error_code error;
  fs::rename(path, fs::path(folder_) / fs::path(path).filename(), error);
  if (error == std::errc::no_such_file_or_directory) return Status::ok();
  if (error) return error_of("move into the evidence", path, error);
  if (Status status = sync_directory(folder_); !status.is_ok()) return status;
  return sync_directory(fs::path(path).parent_path());
}

Status EvidenceFolder::discard() {
  std::error_code error;
  fs::remove_all(root_, error);
  if (error) return error_of("remove", root_, error);
  return Status::ok();
}

base::Result<std::optional<std::string>> read_quarantine(const std::string& member_directory) {
  auto reason = read_file(quarantine_path(member_directory));
  if (!reason || !reason.value()) return reason;
  std::string& text = *reason.value();
  while (!text.empty() && text.back() == '\n') text.pop_back();
  if (text.empty()) text = "the file QUARANTINE is there, but gives no reason";
  return reason;
}

Status remove_quarantine(const std::string& member_directory) {
  const std::string path = quarantine_path(member_directory);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return file_error("remove", path, errno);
  return sync_directory(member_directory);
}

Status write_quarantine(const std::string& member_directory, const std::string& reason) {
  auto earlier = read_quarantine(member_directory);
  if (!earlier) return earlier.status();
  if (earlier.value()) return Status::ok();
  return replace_file(quarantine_path(member_directory), reason + "\n");
}

}  // namespace storage
