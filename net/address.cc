// "host:port". Any thread.
#include "net/connection.h"

#include <charconv>

namespace net {

base::Result<Address> parse_address(const std::string& text) {
  const auto bad = [&](const char* why) {
    return base::Status(base::Code::kInvalidArgument, "\"" + text + "\" is not HOST:PORT: " + why);
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return bad("there is no colon");
  Address address;
  address.host = text.substr(0, colon);
  if (address.host.size() > 2 && address.host.front() == '[' && address.host.back() == ']') {
    address.host = address.host.substr(1, address.host.size() - 2);
  } else if (address.host.find(':') != std::string::npos) {
    return bad("an IPv6 host stands in brackets");
  }
  if (address.host.empty()) return bad("the host is empty");
  const char* begin = text.data() + colon + 1;
  const char* end = text.data() + text.size();
  unsigned port = 0;
  const auto [rest, error] = std::from_chars(begin, end, port);
  if (error != std::errc() || rest != end || port > 65535) {
    return bad("the port is a number from 0 to 65535");
  }
  address.port = static_cast<std::uint16_t>(port);
  return address;
}

}  // namespace net
