#include "server/http_guard.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <utility>

namespace server {
namespace {

constexpr std::size_t kMaxHeadBytes = 16 << 10;
constexpr std::string_view kEnd = "\r\n\r\n";
constexpr std::string_view kRefusal =
    "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n"
    "Content-Length: 42\r\n\r\nrequests with a body are not taken here.\r\n";

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Not empty, and nothing in it that another parser could take for the end of the line.
bool is_plain(std::string_view line) {
  return !line.empty() && line.find('\r') == line.npos && line.find('\0') == line.npos;
}

/// Lower-case name and trimmed value; an empty name if the line is no header or a folded one.
std::pair<std::string, std::string_view> split_header(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || line.front() == ' ' || line.front() == '\t') return {};
  return {lower(trimmed(line.substr(0, colon))), trimmed(line.substr(colon + 1))};
}

class HttpGuard final : public kj::AsyncIoStream {
 public:
  explicit HttpGuard(kj::Own<kj::AsyncIoStream> inner) : inner_(kj::mv(inner)) {}

  kj::Promise<size_t> tryRead(void* buffer, size_t min_bytes, size_t max_bytes) override {
    return read_more(static_cast<char*>(buffer), min_bytes, max_bytes, 0);
  }
  kj::Promise<void> write(const void* buffer, size_t size) override {
    return inner_->write(buffer, size);
  }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override {
    return inner_->write(pieces);
  }
  kj::Promise<void> whenWriteDisconnected() override { return inner_->whenWriteDisconnected(); }
  void shutdownWrite() override { inner_->shutdownWrite(); }
  void abortRead() override { inner_->abortRead(); }

 private:
  kj::Promise<size_t> read_more(char* buffer, size_t min_bytes, size_t max_bytes, size_t done) {
    const size_t take = std::min(max_bytes - done, passed_);
    std::memcpy(buffer + done, bytes_.data(), take);
    bytes_.erase(0, take);
    passed_ -= take;
    done += take;
    if (done >= min_bytes || ended_ || (last_ && passed_ == 0)) return done;
    if (pass_head()) return read_more(buffer, min_bytes, max_bytes, done);
    if (refused_) {
      ended_ = true;
      return inner_->write(kRefusal.data(), kRefusal.size()).then([done] { return done; });
    }
    return inner_->tryRead(chunk_, 1, sizeof chunk_)
        .then([=, this](size_t n) -> kj::Promise<size_t> {
          if (n == 0) ended_ = true;
          bytes_.append(chunk_, n);
          return read_more(buffer, min_bytes, max_bytes, done);
        });
  }

  /// Moves one head from waiting to passed. Requires: passed_ is 0.
  bool pass_head() {
    const std::size_t end = bytes_.find(kEnd);
    const bool whole = end != std::string::npos && end + kEnd.size() <= kMaxHeadBytes;
    if (!whole) {
      refused_ = bytes_.size() >= kMaxHeadBytes;
      return false;
    }
    passed_ = end + kEnd.size();
    const HeadVerdict verdict = judge(std::string_view(bytes_).substr(0, passed_));
    last_ = verdict == HeadVerdict::kPassesLast;
    if (verdict != HeadVerdict::kRefused) return true;
    passed_ = 0;
    refused_ = true;
    return false;
  }

  kj::Own<kj::AsyncIoStream> inner_;
  std::string bytes_;       // passed ones, then waiting ones
  std::size_t passed_ = 0;  // how many of bytes_ may be read
  bool refused_ = false;
  bool last_ = false;  // nothing passes after what has passed
  bool ended_ = false;
  char chunk_[4096];
};

}  // namespace

HeadVerdict judge(std::string_view head) {
  bool first = true, has_length = false, last = false;
  while (head.size() > 2) {
    const std::size_t end = head.find('\n');
    if (end == std::string_view::npos || end == 0 || head[end - 1] != '\r') {
      return HeadVerdict::kRefused;
    }
    const std::string_view line = head.substr(0, end - 1);
    head.remove_prefix(end + 1);
    if (!is_plain(line)) return HeadVerdict::kRefused;
    if (std::exchange(first, false)) {
      last = line.ends_with(" HTTP/1.0");
      continue;
    }
    const auto [name, value] = split_header(line);
    if (name.empty() || name == "transfer-encoding") return HeadVerdict::kRefused;
    if (name == "connection" && lower(value) == "close") last = true;
    if (name != "content-length") continue;
    if (has_length || value != "0") return HeadVerdict::kRefused;
    has_length = true;
  }
  if (first || head != "\r\n") return HeadVerdict::kRefused;
  return last ? HeadVerdict::kPassesLast : HeadVerdict::kPasses;
}

kj::Own<kj::AsyncIoStream> guard_http(kj::Own<kj::AsyncIoStream> inner) {
  return kj::heap<HttpGuard>(kj::mv(inner));
}

}  // namespace server
