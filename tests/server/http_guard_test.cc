#include "server/http_guard.h"

#include <gtest/gtest.h>

namespace server {
namespace {

TEST(HttpGuard, LetsRequestsWithoutABodyPass) {
  EXPECT_TRUE(may_pass("GET / HTTP/1.1\r\n\r\n"));
  EXPECT_TRUE(may_pass("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_TRUE(may_pass("GET / HTTP/1.1\r\nX-Content-Length: 5\r\n\r\n"));
}

TEST(HttpGuard, RefusesEveryOtherLength) {
  for (const char* header :
       {"Content-Length: 5", "content-length: -1", "Content-Length: 00", "Content-Length: +0",
        "CONTENT-LENGTH:", "Content-Length : 5", "Content-Length: 0\r\nContent-Length: 0",
        "Content-Length: 0\r\nContent-Length: 5", "Content-Length: 0, 0",
        "Transfer-Encoding: chunked", "transfer-encoding : identity", "Transfer-Encoding:\tx"}) {
    EXPECT_FALSE(may_pass(std::string("GET / HTTP/1.1\r\n") + header + "\r\n\r\n")) << header;
  }
}

TEST(HttpGuard, RefusesWhatTwoParsersCouldReadDifferently) {
  for (const std::string& head :
       {std::string("GET / HTTP/1.1\nContent-Length: 5\r\n\r\n"), std::string("\r\n"),
        std::string("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n"), std::string("\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nA: b\rContent-Length: 5\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nno colon\r\n\r\n"), std::string("GET / HTTP/1.1\r\n"),
        std::string("GET / HTTP/1.1\r\nA: \0\r\n\r\n", 23), std::string()}) {
    EXPECT_FALSE(may_pass(head)) << head;
  }
}

}  // namespace
}  // namespace server
