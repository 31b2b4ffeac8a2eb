// Stands between the socket and kj-http and lets only requests without a body through. kj-http
// 0.9.2 lacks the fixes for CVE-2026-32239 and 32240 (odd or doubled lengths that a proxy before it
// may read differently); none of our pages takes a body, so refusing lengths altogether closes the
// door. Door thread.
#pragma once

#include <kj/async-io.h>

#include <string>
#include <string_view>

namespace server {

enum class HeadVerdict {
  kRefused,
  kPasses,
  kPassesLast,  // the client wants the connection closed after it, which kj-http does not look for
};
/// What becomes of `head`, one request line and its headers up to and including the empty line. It
/// passes if lines end in CR LF, none is folded, there is no Transfer-Encoding, and no
/// Content-Length but one plain 0.
HeadVerdict judge(std::string_view head);

/// A stream that reads whole, checked heads from `inner`. After one that may not pass, or more than
/// 16 KiB without an end, it answers 400 and reads as ended.
kj::Own<kj::AsyncIoStream> guard_http(kj::Own<kj::AsyncIoStream> inner);

}  // namespace server
