// The processor behind GP0: an AXI3 master with one write and one read under way, each a burst of up to 16 words.
#pragma once

#include <cstdint>
#include <string>

#include "Voverlay.h"
#include "overlay.h"
#include "random_bits.h"

struct RegisterBurst {
  uint32_t id, address, length, size, burst;
  uint32_t data[16];
  uint8_t strobes[16];
  uint32_t answers[16];
};

class RegisterPort {
 public:
  std::string violation;

  void configure(const overlay_settings &settings) {
    stall_ = settings.register_stall;
    random_.restart(settings.seed + 1);
  }

  bool writing() const { return writing_; }
  bool reading() const { return reading_; }

  void write(const RegisterBurst &burst) {
    writing_ = true;
    write_ = burst;
    address_taken_ = false;
    write_word_ = 0;
  }

  void read(const RegisterBurst &burst) {
    reading_ = true;
    read_ = burst;
    asked_ = false;
    read_word_ = 0;
  }

  const RegisterBurst &written() const { return write_; }
  const RegisterBurst &was_read() const { return read_; }

  void drive(Voverlay &top) {
    const bool data_left = write_word_ <= write_.length;
    top.s_axi_gp0_awvalid = writing_ && !address_taken_ && (top.s_axi_gp0_awvalid || !stalls());
    top.s_axi_gp0_wvalid = writing_ && data_left && (word_offered_ || !stalls());
    word_offered_ = top.s_axi_gp0_wvalid;
    top.s_axi_gp0_awid = top.s_axi_gp0_wid = write_.id;
    top.s_axi_gp0_awaddr = write_.address;
    top.s_axi_gp0_awlen = write_.length;
    top.s_axi_gp0_awsize = write_.size;
    top.s_axi_gp0_awburst = write_.burst;
    if (data_left) {
      top.s_axi_gp0_wdata = write_.data[write_word_];
      top.s_axi_gp0_wstrb = write_.strobes[write_word_];
      top.s_axi_gp0_wlast = write_word_ == write_.length;
    }
    top.s_axi_gp0_bready = !stalls();
    top.s_axi_gp0_arvalid = reading_ && !asked_ && (top.s_axi_gp0_arvalid || !stalls());
    top.s_axi_gp0_arid = read_.id;
    top.s_axi_gp0_araddr = read_.address;
    top.s_axi_gp0_arlen = read_.length;
    top.s_axi_gp0_arsize = read_.size;
    top.s_axi_gp0_arburst = read_.burst;
    top.s_axi_gp0_rready = !stalls();
  }

  void take(Voverlay &top) {
    if (top.s_axi_gp0_awvalid && top.s_axi_gp0_awready) address_taken_ = true;
    if (top.s_axi_gp0_wvalid && top.s_axi_gp0_wready) {
      ++write_word_;
      word_offered_ = false;
    }
    if (top.s_axi_gp0_bvalid && top.s_axi_gp0_bready) {
      if (!writing_ || !address_taken_ || write_word_ != write_.length + 1 || top.s_axi_gp0_bid != write_.id)
        break_rule("an answer to a write that was not made, or not wholly");
      write_.answers[0] = top.s_axi_gp0_bresp;
      writing_ = false;
    }
    if (top.s_axi_gp0_arvalid && top.s_axi_gp0_arready) asked_ = true;
    if (top.s_axi_gp0_rvalid && top.s_axi_gp0_rready) {
      if (!reading_ || !asked_ || top.s_axi_gp0_rid != read_.id ||
          bool(top.s_axi_gp0_rlast) != (read_word_ == read_.length))
        break_rule("an answer to a read that was not made, or RLAST not with the last word");
      read_.data[read_word_ & 15] = top.s_axi_gp0_rdata;
      read_.answers[read_word_ & 15] = top.s_axi_gp0_rresp;
      if (top.s_axi_gp0_rlast) reading_ = false;
      ++read_word_;
    }
  }

 private:
  bool stalls() { return random_.chance(stall_); }

  void break_rule(const char *rule) {
    if (violation.empty()) violation = rule;
  }

  RandomBits random_;
  uint32_t stall_ = 0;
  RegisterBurst write_{}, read_{};
  bool writing_ = false, reading_ = false, address_taken_ = false, asked_ = false, word_offered_ = false;
  uint32_t write_word_ = 0, read_word_ = 0;
};
