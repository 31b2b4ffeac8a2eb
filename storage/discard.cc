#include "storage/discard.h"

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "storage/files.h"

namespace storage {
namespace {

using base::Status;

std::string mark_path(const std::string& member_directory) {
  return member_directory + "/DISCARD-STATE";
}

}  // namespace

Status mark_state_for_discard(const std::string& member_directory, const std::string& reason) {
  return replace_file(mark_path(member_directory), reason + "\n");
}

Status discard_marked_state(const std::string& member_directory) {
  const std::string mark = mark_path(member_directory), state = member_directory + "/state",
                    aside = member_directory + "/discarded-state";
  auto reason = read_file(mark);
  if (!reason) return reason.status();
  if (!reason.value()) return Status::ok();
  std::error_code error;
  if (std::filesystem::exists(state, error)) {
    if (Status status = remove_directory(aside); !status.is_ok()) return status;
    if (std::rename(state.c_str(), aside.c_str()) != 0) {
      return file_error("put aside", state, errno);
    }
    if (Status status = sync_directory(member_directory); !status.is_ok()) return status;
  } else if (error) {
    return {base::Code::kIo, "cannot look at " + state + ": " + error.message()};
  }
  if (std::filesystem::exists(aside, error)) {
    Status status = replace_file(aside + "/REASON", *reason.value());
    if (!status.is_ok()) return status;
  }
  if (::remove(mark.c_str()) != 0) return file_error("remove", mark, errno);
  return sync_directory(member_directory);
}

}  // namespace storage
