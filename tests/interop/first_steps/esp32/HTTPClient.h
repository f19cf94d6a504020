// The ESP32's HTTP client as far as a PUT goes, by a socket of the desk's own.
#pragma once
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "Arduino.h"

class HTTPClient {
 public:
  bool begin(const char* url) {
    std::string rest(url);
    if (rest.compare(0, 7, "http://") != 0) return false;
    rest = rest.substr(7);
    host_ = rest.substr(0, rest.find('/'));
    path_ = rest.substr(host_.size());
    return true;
  }

  void addHeader(const char* name, const char* value) {
    headers_ += std::string(name) + ": " + value + "\r\n";
  }

  int PUT(const String& body) {
    const std::string answer = ask(
        "PUT " + path_ + " HTTP/1.1\r\nHost: " + host_ + "\r\nConnection: close\r\n" + headers_ +
        "Content-Length: " + std::to_string(body.length()) + "\r\n\r\n" + body.c_str());
    const size_t end = answer.find("\r\n\r\n");
    if (answer.size() < 12 || end == std::string::npos) return -1;
    body_ = answer.substr(end + 4);
    return atoi(answer.c_str() + 9);
  }

  String getString() { return String(body_.c_str()); }
  void end() {}

 private:
  std::string ask(const std::string& request) {
    const size_t colon = host_.rfind(':');
    addrinfo* found = nullptr;
    if (getaddrinfo(host_.substr(0, colon).c_str(), host_.substr(colon + 1).c_str(), nullptr, &found)) return "";
    const int fd = socket(found->ai_family, SOCK_STREAM, 0);
    std::string answer;
    if (connect(fd, found->ai_addr, found->ai_addrlen) == 0 &&
        write(fd, request.data(), request.size()) == static_cast<ssize_t>(request.size())) {
      char part[4096];
      for (ssize_t size; (size = read(fd, part, sizeof part)) > 0;) answer.append(part, size);
    }
    close(fd);
    freeaddrinfo(found);
    return answer;
  }

  std::string host_, path_, headers_, body_;
};
