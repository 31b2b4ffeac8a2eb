// A plain TCP connection to 127.0.0.1, for bytes that no client of ours would send. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cluster {

class Socket {
 public:
  /// Connects; connected() tells whether that worked.
  explicit Socket(std::uint16_t port);
  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&&) = delete;
  ~Socket();
  bool connected() const { return connected_; }
  /// False if the other side has closed, or takes nothing for a second.
  bool send(std::string_view bytes);
  /// What came until the other side closed, or until timeout_ms passed.
  std::string receive_until_closed(std::uint64_t timeout_ms);
  /// Whether the other side closes, or has closed, within timeout_ms.
  bool closes(std::uint64_t timeout_ms);

 private:
  int fd_;
  bool connected_ = false;
  bool closed_ = false;
};

}  // namespace cluster
