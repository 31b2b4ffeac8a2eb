#include "storage/new_directory.h"

#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/check.h"
#include "storage/files.h"
#include "storage/rocks_engine.h"

namespace storage {
namespace {

using base::Result;
using base::Status;

std::string audit_path(const std::string& member_directory) {
  return member_directory + "/AUDIT";
}

}  // namespace

Result<std::unique_ptr<NewDirectory>> NewDirectory::begin(const std::string& place,
                                                          base::ClusterId cluster,
                                                          base::MemberId member) {
  if (Status status = remove_directory(place); !status.is_ok()) return status;
  std::unique_ptr<NewDirectory> made(new NewDirectory(place));
  DataDirectoryOptions options;
  options.path = place;
  options.cluster = cluster;
  options.member = member;
  auto directory = DataDirectory::open(options);
  if (!directory) return directory.status();
  made->directory_ = std::move(directory).value();
  made->engine_ = made->directory_->take_engine();
  made->identity_ = made->directory_->log().identity();
  return made;
}

Result<std::unique_ptr<kv::IncomingEngine>> NewDirectory::begin_rows() {
  CHECK(engine_ != nullptr, "the state is installed once");
  return engine_->begin_install();
}

Status NewDirectory::install(std::unique_ptr<kv::IncomingEngine> rows) {
  const auto engine = std::move(engine_);
  CHECK(engine != nullptr, "the state is installed once");
  return engine->install(std::move(rows));
}

Result<std::unique_ptr<kv::Engine>> NewDirectory::open_state() const {
  CHECK(engine_ == nullptr, "after install()");
  auto engine = RocksEngine::open(member() + "/state");
  if (!engine) return engine.status();
  return std::unique_ptr<kv::Engine>(std::move(engine).value());
}

Status NewDirectory::finish(const kv::Position& position, const std::string& audit) {
  auto engine = open_state();
  if (!engine) return engine.status();
  Status status = kv::write_position(*engine.value(), position);
  engine = std::unique_ptr<kv::Engine>();
  if (!status.is_ok()) return status;
  raft::PersistRequest request;
  request.ordinal = {directory_->log().opening().epoch, 1};
  request.term = position.term;
  request.hard_state = raft::HardState{position.term, {}, {}};
  request.restart = raft::LogStart{position.applied, position.term, position.hash};
  status = directory_->log().append(std::span(&request, 1));
  if (!status.is_ok()) return status;
  status = replace_file(audit_path(member()), audit);
  directory_.reset();
  return status;
}

Status NewDirectory::put_at(const std::string& data_dir) const {
  const std::string to = data_dir + "/member";
  if (std::rename(member().c_str(), to.c_str()) != 0) return file_error("rename", member(), errno);
  if (Status status = sync_directory(data_dir); !status.is_ok()) return status;
  return remove_directory(place_);
}

Status NewDirectory::exchange_with(const std::string& data_dir) const {
  Status status = exchange_directories(data_dir + "/member", member());
  return status.is_ok() ? sync_directory(place_) : status;
}

Result<std::string> read_audit(const std::string& member_directory) {
  auto text = read_file(audit_path(member_directory));
  if (!text) return text.status();
  return text.value().value_or("");
}

}  // namespace storage
