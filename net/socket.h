// The core of a connection: a TCP socket with a read and a write buffer, shared by the facades over
// it and the Asio operations on it. Loop thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <kj/async.h>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>

#include "net/socket_faults.h"

namespace net {

/// Bytes read ahead and bytes not yet taken by the kernel. Asio's handlers hold the socket by
/// shared_ptr, so a facade may be destroyed at any time; it closes the socket then. A side that
/// takes nothing that we sent for 30 s, or whose machine is gone for about as long, fails it.
/// Invariants:
/// - at most one read and one write operation of Asio are under way;
/// - once failed or closed, nothing more is read or written and every waiter is told.
class Socket : public std::enable_shared_from_this<Socket> {
 public:
  explicit Socket(asio::ip::tcp::socket socket)
      : Socket(std::move(socket), kj::newPromiseAndFulfiller<void>()) {}
  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  // ---- Reading: nothing is read from the kernel unless somebody asks ----

  const char* data() const { return read_buffer_.data() + read_begin_; }
  std::size_t available() const { return read_end_ - read_begin_; }
  /// Requires: bytes <= available().
  void consume(std::size_t bytes);
  /// Resolves once available() >= bytes (true), or the other side ended before that (false).
  /// Rejects when the socket fails. One caller at a time; the buffer grows only as bytes arrive.
  kj::Promise<bool> fill(std::size_t bytes);

  // ---- Writing: copied, flushed at the end of the turn or above 128 KiB ----

  /// Fails the socket when more than hard_limit_bytes would be queued.
  void write(const void* bytes, std::size_t size);
  std::size_t queued_bytes() const { return write_buffer_.size() + writing_.size(); }
  /// Resolves once at most `bytes` are queued. Rejects when the socket fails.
  kj::Promise<void> drained_to(std::size_t bytes);
  /// Ends the sending side once everything is written.
  void shutdown_send();
  void set_hard_limit(std::size_t bytes) { hard_limit_bytes_ = bytes; }

  /// Closes at once; waiters are rejected with `why`. Harmless if repeated.
  void close(const std::string& why);
  bool open() const { return open_; }
  /// Resolves when the socket has failed or was closed.
  kj::Promise<void> on_close() { return closed_.addBranch(); }
  /// Memory held by the buffers.
  std::size_t buffer_bytes() const {
    return read_buffer_.capacity() + write_buffer_.capacity() + writing_.capacity();
  }
  /// How often bytes were given to the kernel.
  std::uint64_t flushes() const { return flushes_; }
  /// From now on bytes meet these faults, both ways; those that wait already leave as if there were
  /// none.
  void meet(std::shared_ptr<SocketFaults> faults);
  /// Kept until the socket is gone: for counting connections.
  void attach(std::shared_ptr<void> token) { token_ = std::move(token); }

 private:
  Socket(asio::ip::tcp::socket socket, kj::PromiseFulfillerPair<void> closed);

  struct Drain {
    std::size_t bytes;
    kj::Own<kj::PromiseFulfiller<void>> fulfiller;
  };

  void read_more();
  void on_read(std::size_t bytes, bool end);
  // While faults are on.
  void hold_read(std::size_t bytes, bool end);
  void release_read(std::size_t bytes, bool end, std::uint64_t due_us);
  std::size_t paced_bytes();
  void after(std::uint64_t wait_us, std::function<void()> work);
  void schedule_flush();
  void flush();
  void on_written();
  void settle_drains();
  void make_room();

  asio::ip::tcp::socket socket_;
  std::shared_ptr<SocketFaults> faults_;  // null: there are none
  bool flush_awaited_ = false;            // by a timer
  std::shared_ptr<void> token_;
  bool open_ = true;
  std::string close_reason_;

  std::vector<char> read_buffer_;
  std::size_t read_begin_ = 0;
  std::size_t read_end_ = 0;
  bool reading_ = false;
  bool ended_ = false;  // the other side sent everything that it will
  std::size_t wanted_bytes_ = 0;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<bool>>> reader_;

  std::vector<char> write_buffer_;  // not given to Asio yet
  std::vector<char> writing_;       // the operation under way
  bool flush_scheduled_ = false;
  bool shutdown_wanted_ = false;
  std::size_t hard_limit_bytes_ = std::size_t{64} << 20;
  std::vector<Drain> drains_;
  kj::Promise<void> flush_task_ = nullptr;
  std::uint64_t flushes_ = 0;

  kj::Own<kj::PromiseFulfiller<void>> closed_fulfiller_;
  kj::ForkedPromise<void> closed_;
};

}  // namespace net
