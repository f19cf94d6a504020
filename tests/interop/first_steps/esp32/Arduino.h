// What a sketch takes from the Arduino core, for a program that runs on a desk: loop() runs once.
#pragma once
#include <cstdio>
#include <string>

class String {
 public:
  String(const char* text = "") : text_(text) {}
  String(float number, int decimals) {
    char digits[32];
    snprintf(digits, sizeof digits, "%.*f", decimals, number);
    text_ = digits;
  }
  String& operator+=(const String& other) {
    text_ += other.text_;
    return *this;
  }
  String& operator+=(const char* other) {
    text_ += other;
    return *this;
  }
  const char* c_str() const { return text_.c_str(); }
  size_t length() const { return text_.size(); }

 private:
  std::string text_;
};

struct SerialPort {
  void begin(unsigned long) {}
  void print(int number) { printf("%d", number); }
  void print(const char* text) { printf("%s", text); }
  void println(const String& text) { printf("%s\n", text.c_str()); }
};
inline SerialPort Serial;

inline int analogRead(int pin) { return pin == 34 ? 614 : 0; }  // 21.5 where 4095 are ten degrees
inline void delay(unsigned long) {}

void setup();
void loop();

int main() {
  setup();
  loop();
}
