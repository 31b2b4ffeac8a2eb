// Pieces of a page: text made safe, tables, the style that all pages share. Any thread.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"

namespace jepsen {

std::string escaped(const std::string& text);
/// "12.3", without more digits than a person reads.
std::string short_number(double number);
/// The first row is the head; cells are HTML.
std::string html_table(const std::vector<std::vector<std::string>>& rows);
/// A word with the colour of its verdict.
std::string badge(const std::string& verdict);
/// A whole page; `body` is HTML. It needs nothing from elsewhere, follows the light or dark of its
/// reader, and is readable on a narrow screen.
std::string page(const std::string& title, const std::string& body);
/// Errors: kIo, naming the file.
base::Status write_page(const std::string& path, const std::string& text);

}  // namespace jepsen
