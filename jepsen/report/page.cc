#include "jepsen/report/page.h"

#include <cstdio>
#include <fstream>

namespace jepsen {
namespace {

constexpr char kStyle[] = R"(
:root { color-scheme: light dark; --ground: #fbfbf9; --ink: #1d1f21; --faint: #6a6f76; --line: #d9dbd7;
  --panel: #ffffff; --ok: #2463a8; --fail: #b8860b; --info: #b03a5b; --good: #1f7a4d; --bad: #b3261e;
  --band: rgba(176, 58, 91, .13); --n1: #2463a8; --n2: #b8641b; --n3: #2f7d5b; --n4: #7a4fa3; --n5: #8a6d1f; }
@media (prefers-color-scheme: dark) { :root { --ground: #16181b; --ink: #e6e7e8; --faint: #9aa0a6;
  --line: #34383d; --panel: #1e2125; --ok: #79b0ea; --fail: #e0b23e; --info: #ee88a4; --good: #6fcf97;
  --bad: #ff8a80; --band: rgba(238, 136, 164, .17); --n1: #79b0ea; --n2: #eba667; --n3: #76c7a1; --n4: #bf9be3;
  --n5: #d7bd68; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1080px; padding: 20px 16px 60px; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 22px; margin: 0 0 4px; } h2 { font-size: 17px; margin: 30px 0 8px; }
p { margin: 6px 0; } .faint { color: var(--faint); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; min-width: 100%; }
th { text-align: left; font-weight: 600; color: var(--faint); } th, td { padding: 4px 12px 4px 0;
  border-bottom: 1px solid var(--line); vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.badge { font-weight: 600; } .valid { color: var(--good); } .invalid { color: var(--bad); }
.unknown, .empty { color: var(--fail); }
code, pre { font: 13px/1.45 ui-monospace, monospace; } pre { white-space: pre-wrap; overflow-wrap: anywhere;
  background: var(--panel); border: 1px solid var(--line); padding: 10px 12px; margin: 8px 0; }
svg { display: block; width: 100%; min-width: 640px; height: auto; background: var(--panel); border: 1px solid var(--line);
  margin: 6px 0 12px; } svg text { fill: var(--faint); font: 11px system-ui, sans-serif; }
svg .ink { fill: var(--ink); }
details summary { cursor: pointer; color: var(--faint); } details .wide { max-height: 420px; overflow: auto; }
.logs td { font: 12px/1.4 ui-monospace, monospace; border: 0; padding: 0 10px 0 0; white-space: nowrap; }
a { color: var(--ok); }
)";

}  // namespace

std::string escaped(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    if (c == '&')
      safe += "&amp;";
    else if (c == '<')
      safe += "&lt;";
    else if (c == '>')
      safe += "&gt;";
    else if (c == '"')
      safe += "&quot;";
    else
      safe += c;
  }
  return safe;
}

std::string short_number(double number) {
  char text[32];
  std::snprintf(text, sizeof text, number >= 100 ? "%.0f" : number >= 10 ? "%.1f" : "%.2f", number);
  return text;
}

std::string html_table(const std::vector<std::vector<std::string>>& rows) {
  const auto is_number = [](const std::string& cell) {
    return !cell.empty() && cell.find_first_not_of("0123456789. –") == std::string::npos;
  };
  std::string html = "<div class=wide><table>\n";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const char* const tag = i == 0 ? "th" : "td";
    html += "<tr>";
    for (std::size_t column = 0; column < rows[i].size(); ++column) {
      // A head stands where its numbers stand.
      const bool number = is_number(rows[i == 0 && rows.size() > 1 ? 1 : i][column]);
      html += std::string("<") + tag + (number ? " class=number>" : ">") + rows[i][column] + "</" +
              tag + ">";
    }
    html += "</tr>\n";
  }
  return html + "</table></div>\n";
}

std::string badge(const std::string& verdict) {
  return "<span class=\"badge " + verdict + "\">" + verdict + "</span>";
}

std::string page(const std::string& title, const std::string& body) {
  return "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n"
         "<meta name=viewport content=\"width=device-width, initial-scale=1\">\n<title>" +
         escaped(title) + "</title>\n<style>" + kStyle + "</style>\n<body>\n" + body +
         "</body>\n</html>\n";
}

base::Status write_page(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  if (file.flush()) return base::Status::ok();
  return {base::Code::kIo, path + " cannot be written"};
}

}  // namespace jepsen
