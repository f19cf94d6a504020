// The ESP32's Wi-Fi, which is connected at the second look.
#pragma once

enum wl_status_t { WL_IDLE_STATUS = 0, WL_CONNECTED = 3 };

struct WiFiClass {
  wl_status_t begin(const char*, const char*) { return WL_IDLE_STATUS; }
  wl_status_t status() { return looks_++ ? WL_CONNECTED : WL_IDLE_STATUS; }

 private:
  int looks_ = 0;
};
inline WiFiClass WiFi;
