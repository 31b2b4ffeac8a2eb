#include "net/socket.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include <kj/debug.h>
#include <asio/buffer.hpp>
#include <asio/write.hpp>

#include "base/check.h"

namespace net {
namespace {

constexpr std::size_t kReadChunkBytes = 64 * 1024;
constexpr std::size_t kFlushBytes = 128 * 1024;  // rpc.md section 3: large replies must not wait
constexpr std::size_t kKeepBytes = 4 << 20;      // larger buffers are released once empty

constexpr int kUnacknowledgedMs = 30000;

/// A machine that went away tells nobody: without these its connections, and those of a side that
/// never reads, would stand and keep their buffers for ever. A platform that refuses them works
/// without.
void watch_the_other_side(asio::ip::tcp::socket& socket) {
  asio::error_code ignored;
  socket.set_option(asio::ip::tcp::socket::keep_alive(true), ignored);
  const auto set = [&](int option, int value) {
    ::setsockopt(socket.native_handle(), IPPROTO_TCP, option, &value, sizeof value);
  };
  set(TCP_KEEPIDLE, 15);
  set(TCP_KEEPINTVL, 5);
  set(TCP_USER_TIMEOUT, kUnacknowledgedMs);
}

kj::Exception disconnected(const std::string& why) {
  return KJ_EXCEPTION(DISCONNECTED, "connection closed", why.c_str());
}

std::uint64_t now_us() {
  using std::chrono::microseconds;
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<microseconds>(now).count());
}

void flip_a_bit(char* bytes, std::size_t size, Pacer& pacer) {
  const std::uint64_t bit = pacer.draw(size * 8);
  bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
}

void release_if_large(std::vector<char>& buffer) {
  if (buffer.capacity() > kKeepBytes) std::vector<char>().swap(buffer);
}

}  // namespace

Socket::Socket(asio::ip::tcp::socket socket, kj::PromiseFulfillerPair<void> closed)
    : socket_(std::move(socket)),
      closed_fulfiller_(kj::mv(closed.fulfiller)),
      closed_(closed.promise.fork()) {
  asio::error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  watch_the_other_side(socket_);
}

Socket::~Socket() {
  close("destroyed");
}

// ---- Reading ----

void Socket::consume(std::size_t bytes) {
  CHECK(bytes <= available());
  read_begin_ += bytes;
  // A read under way fills the buffer behind read_end_, so nothing moves meanwhile.
  if (read_begin_ != read_end_ || reading_) return;
  read_begin_ = read_end_ = 0;
  release_if_large(read_buffer_);
}

kj::Promise<bool> Socket::fill(std::size_t bytes) {
  CHECK(reader_ == nullptr || !KJ_ASSERT_NONNULL(reader_)->isWaiting(), "one reader at a time");
  if (available() >= bytes) return true;
  if (!open_) return disconnected(close_reason_);
  if (ended_) return false;
  auto pair = kj::newPromiseAndFulfiller<bool>();
  wanted_bytes_ = bytes;
  reader_ = kj::mv(pair.fulfiller);
  read_more();
  return kj::mv(pair.promise);
}

/// Makes room for one chunk behind read_end_, moving or growing the buffer.
void Socket::make_room() {
  if (read_buffer_.size() - read_end_ >= kReadChunkBytes) return;
  if (read_begin_ > 0) {
    std::memmove(read_buffer_.data(), read_buffer_.data() + read_begin_, available());
    read_end_ -= read_begin_;
    read_begin_ = 0;
  }
  if (read_buffer_.size() - read_end_ < kReadChunkBytes) {
    read_buffer_.resize(std::max(read_end_ + kReadChunkBytes, read_buffer_.size() * 3 / 2));
  }
}

void Socket::read_more() {
  if (reading_ || !open_) return;
  make_room();
  reading_ = true;
  socket_.async_read_some(
      asio::buffer(read_buffer_.data() + read_end_, read_buffer_.size() - read_end_),
      [self = shared_from_this()](const asio::error_code& error, std::size_t bytes) {
        self->reading_ = false;
        if (!self->open_) return;
        if (error && error != asio::error::eof) return self->close(error.message());
        if (self->faults_) return self->hold_read(bytes, static_cast<bool>(error));
        self->on_read(bytes, static_cast<bool>(error));
      });
}

void Socket::on_read(std::size_t bytes, bool end) {
  read_end_ += bytes;
  ended_ = end;
  KJ_IF_MAYBE (reader, reader_) {
    if (!(*reader)->isWaiting()) {
      reader_ = nullptr;
    } else if (available() >= wanted_bytes_ || ended_) {
      auto waiter = kj::mv(*reader);
      reader_ = nullptr;
      waiter->fulfill(available() >= wanted_bytes_);
    } else {
      read_more();
    }
  }
}

// ---- Writing ----

void Socket::write(const void* bytes, std::size_t size) {
  if (!open_) return;
  if (queued_bytes() + size > hard_limit_bytes_) {
    return close("the other side does not take what is sent to it");
  }
  if (faults_) {
    const Impairment impairment = faults_->on(Direction::kOut);
    if (impairment.any()) faults_->caught(impairment, Direction::kOut);
    faults_->pacer.written(size, now_us(), impairment);
  }
  const char* from = static_cast<const char*>(bytes);
  write_buffer_.insert(write_buffer_.end(), from, from + size);
  if (write_buffer_.size() >= kFlushBytes) {
    flush();
  } else {
    schedule_flush();
  }
}

void Socket::schedule_flush() {
  if (flush_scheduled_) return;
  flush_scheduled_ = true;
  // After everything that is runnable now and all that it arms: one write a turn.
  flush_task_ = kj::evalLast([this] {
                  flush_scheduled_ = false;
                  flush();
                }).eagerlyEvaluate(nullptr);
}

void Socket::flush() {
  if (!open_ || !writing_.empty() || write_buffer_.empty()) return;
  if (faults_) {
    const std::size_t due = paced_bytes();
    if (!open_ || due == 0) return;
    const auto end = write_buffer_.begin() + static_cast<std::ptrdiff_t>(due);
    writing_.assign(write_buffer_.begin(), end);
    write_buffer_.erase(write_buffer_.begin(), end);
    if (faults_->on(Direction::kOut).corrupt) flip_a_bit(writing_.data(), due, faults_->pacer);
  } else {
    writing_.swap(write_buffer_);
  }
  ++flushes_;
  asio::async_write(socket_, asio::buffer(writing_),
                    [self = shared_from_this()](const asio::error_code& error, std::size_t) {
                      self->writing_.clear();
                      release_if_large(self->writing_);
                      if (!self->open_) return;
                      if (error) return self->close(error.message());
                      self->on_written();
                    });
}

void Socket::on_written() {
  flush();
  settle_drains();
  if (shutdown_wanted_ && queued_bytes() == 0) {
    asio::error_code ignored;
    socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  }
}

void Socket::settle_drains() {
  std::vector<Drain> left;
  for (Drain& each : drains_) {
    if (queued_bytes() <= each.bytes) {
      each.fulfiller->fulfill();
    } else {
      left.push_back(kj::mv(each));
    }
  }
  drains_ = kj::mv(left);
}

kj::Promise<void> Socket::drained_to(std::size_t bytes) {
  if (!open_) return disconnected(close_reason_);
  if (queued_bytes() <= bytes) return kj::READY_NOW;
  auto pair = kj::newPromiseAndFulfiller<void>();
  drains_.push_back({bytes, kj::mv(pair.fulfiller)});
  return kj::mv(pair.promise);
}

void Socket::shutdown_send() {
  shutdown_wanted_ = true;
  if (open_ && queued_bytes() == 0) on_written();
}

// ---- Faults ----

void Socket::meet(std::shared_ptr<SocketFaults> faults) {
  faults_ = std::move(faults);
  if (!write_buffer_.empty()) faults_->pacer.written(write_buffer_.size(), now_us(), {});
}

void Socket::after(std::uint64_t wait_us, std::function<void()> work) {
  auto timer = std::make_shared<asio::steady_timer>(socket_.get_executor());
  timer->expires_after(std::chrono::microseconds(wait_us));
  timer->async_wait(
      [self = shared_from_this(), timer, work = std::move(work)](const asio::error_code& error) {
        if (!error && self->open_) work();
      });
}

/// How much of what is to be written may go. If not all of it, the rest is asked about again.
std::size_t Socket::paced_bytes() {
  const Impairment impairment = faults_->on(Direction::kOut);
  if (impairment.reset) {
    close("reset by an injected fault");
    return 0;
  }
  const std::uint64_t now = now_us();
  const std::size_t due = faults_->pacer.take_due(now, impairment);
  const auto again = faults_->pacer.ask_again_us(now);
  if (again && !flush_awaited_) {
    flush_awaited_ = true;
    after(*again - now, [this] {
      flush_awaited_ = false;
      flush();
    });
  }
  return due;
}

/// Nothing more is read until these bytes were handed on: the other side's kernel fills up, as with
/// a slow path.
void Socket::hold_read(std::size_t bytes, bool end) {
  const Impairment impairment = faults_->on(Direction::kIn);
  if (!impairment.any()) return on_read(bytes, end);
  faults_->caught(impairment, Direction::kIn);
  if (impairment.reset) return close("reset by an injected fault");
  if (impairment.corrupt && bytes > 0) {
    flip_a_bit(read_buffer_.data() + read_end_, bytes, faults_->pacer);
  }
  Pacer once(faults_->pacer.draw(~std::uint64_t{0}));
  const std::uint64_t now = now_us();
  once.written(bytes, now, impairment);
  reading_ = true;
  release_read(bytes, end, once.due_us());
}

void Socket::release_read(std::size_t bytes, bool end, std::uint64_t due_us) {
  constexpr std::uint64_t kLookUs = 5'000;
  const Impairment impairment = faults_->on(Direction::kIn);
  const bool stuck = impairment.cut || (impairment.large_lost && bytes > kPacketBytes);
  if (stuck || (impairment.any() && now_us() < due_us)) {
    after(kLookUs, [this, bytes, end, due_us] { release_read(bytes, end, due_us); });
    return;
  }
  reading_ = false;
  on_read(bytes, end);
}

// ---- The end ----

void Socket::close(const std::string& why) {
  if (!open_) return;
  open_ = false;
  close_reason_ = why;
  asio::error_code ignored;
  socket_.close(ignored);
  write_buffer_.clear();
  KJ_IF_MAYBE (reader, reader_) {
    auto waiter = kj::mv(*reader);
    reader_ = nullptr;
    waiter->reject(disconnected(why));
  }
  for (Drain& each : std::exchange(drains_, {})) each.fulfiller->reject(disconnected(why));
  closed_fulfiller_->fulfill();
}

}  // namespace net
