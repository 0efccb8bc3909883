// Memory behind HP0: an AXI3 slave that answers late, irregularly, wrongly or never, as it is told, and that watches
// over the rules of the bus.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "Voverlay.h"
#include "overlay.h"
#include "random_bits.h"

class MemoryPort {
 public:
  enum Answer : uint8_t { OKAY = 0, SLVERR = 2, DECERR = 3 };

  overlay_settings settings{};
  uint64_t read_bursts = 0, read_words = 0, write_bursts = 0, write_words = 0;
  uint64_t answered = 0;  // the clock of the last answer to a write
  std::string violation;

  void attach(uint8_t *bytes, uint64_t base, const uint64_t *ranges, uint32_t count) {
    bytes_ = bytes;
    base_ = base;
    ranges_.clear();
    for (uint32_t index = 0; index < count; ++index) ranges_.emplace_back(ranges[2 * index], ranges[2 * index + 1]);
  }

  void configure(const overlay_settings &now) {
    settings = now;
    random_.restart(now.seed);
  }

  void fault(uint32_t kind, uint32_t after, uint32_t value) {
    if (kind == OVERLAY_FAULT_NONE) {
      for (auto *queue : {&reads_, &answers_})
        for (auto &burst : *queue) burst.due = burst.due == NEVER ? 0 : burst.due;
    }
    fault_ = kind;
    after_ = after;
    value_ = value;
    counted_ = 0;
  }

  // An answer is under way that will come.
  bool active() const {
    return (!reads_.empty() && reads_.front().due != NEVER) || (!answers_.empty() && answers_.front().due != NEVER) ||
           (!addresses_.empty() && !words_.empty() && fault_ != OVERLAY_FAULT_WRITE_DEAF);
  }

  // What is offered to the circuit in this clock. What was offered and not taken is offered again.
  void drive(Voverlay &top, uint64_t now) {
    tokens_ = settings.words ? std::min<uint64_t>(tokens_ + settings.words, 4000) : 4000;
    top.m_axi_hp0_arready = reads_.size() < OUTSTANDING && fault_ != OVERLAY_FAULT_READ_DEAF && !stalls();
    top.m_axi_hp0_awready = addresses_.size() + answers_.size() < OUTSTANDING && !stalls();
    top.m_axi_hp0_wready = words_.size() < BUFFERED && fault_ != OVERLAY_FAULT_WRITE_DEAF && !stalls();
    if (!read_offered_) {
      top.m_axi_hp0_rvalid = 0;
      if (!reads_.empty() && reads_.front().due <= now && !stalls() && pays()) offer_word(top);
    }
    if (!answer_offered_) {
      top.m_axi_hp0_bvalid = 0;
      if (!answers_.empty() && answers_.front().due <= now && !stalls()) {
        top.m_axi_hp0_bvalid = answer_offered_ = true;
        top.m_axi_hp0_bid = answers_.front().id;
        top.m_axi_hp0_bresp = answers_.front().answer;
      }
    }
  }

  // What was taken at the end of this clock; true if anything was.
  bool take(Voverlay &top, uint64_t now) {
    watch(top);
    bool moved = false;
    if (top.m_axi_hp0_arvalid && top.m_axi_hp0_arready) {
      ++read_bursts;
      reads_.push_back(accepted(top.m_axi_hp0_arid, top.m_axi_hp0_araddr, top.m_axi_hp0_arlen));
      reads_.back().due = due(now, last_read_due_, OVERLAY_FAULT_READ_WITHHELD, OVERLAY_FAULT_READ_PAUSE);
      if (hits(OVERLAY_FAULT_READ_ANSWER)) reads_.back().answer = Answer(value_);
      moved = true;
    }
    if (top.m_axi_hp0_awvalid && top.m_axi_hp0_awready) {
      addresses_.push_back(accepted(top.m_axi_hp0_awid, top.m_axi_hp0_awaddr, top.m_axi_hp0_awlen));
      moved = true;
    }
    if (top.m_axi_hp0_wvalid && top.m_axi_hp0_wready) {
      uint64_t data = top.m_axi_hp0_wdata;
      if (hits(OVERLAY_FAULT_WRITE_FLIP)) data ^= uint64_t(1) << (value_ & 63);
      words_.push_back({data, uint8_t(top.m_axi_hp0_wstrb), bool(top.m_axi_hp0_wlast)});
      ++write_words;
      moved = true;
    }
    while (!addresses_.empty() && !words_.empty() && pays()) write_word(now);
    if (top.m_axi_hp0_rvalid && top.m_axi_hp0_rready) {
      read_offered_ = false;
      ++read_words;
      if (reads_.front().word++ == reads_.front().length) reads_.pop_front();
      moved = true;
    }
    if (top.m_axi_hp0_bvalid && top.m_axi_hp0_bready) {
      answer_offered_ = false;
      answered = now;
      answers_.pop_front();
      moved = true;
    }
    return moved;
  }

 private:
  static constexpr uint64_t NEVER = ~uint64_t(0);
  static constexpr size_t OUTSTANDING = 8, BUFFERED = 128;  // of the ports of a Zynq-7000 (UG585, table 5-2)

  struct Burst {
    uint32_t id, address, length, word;
    uint64_t due;
    Answer answer;
  };
  struct Word {
    uint64_t data;
    uint8_t strobes;
    bool last;
  };

  static Burst accepted(uint32_t id, uint32_t address, uint32_t length) { return {id, address, length, 0, 0, OKAY}; }

  bool stalls() { return random_.chance(settings.stall); }

  // Whether memory moves a word now.
  bool pays() {
    if (tokens_ < 1000) return false;
    if (settings.words) tokens_ -= 1000;
    return true;
  }

  // Whether this event is the one that the fault comes with.
  bool hits(uint32_t kind) { return fault_ == kind && counted_++ == after_; }

  // Answers come in order, since all bursts have one identity.
  uint64_t due(uint64_t now, uint64_t &before, uint32_t withheld, uint32_t pause) {
    if (fault_ == withheld && counted_++ >= after_) return NEVER;
    uint64_t late = hits(pause) ? value_ : 0;
    before = std::max(before, now + settings.latency + late + random_.below(settings.jitter + 1));
    return before;
  }

  bool answers(uint32_t address) const {
    for (const auto &range : ranges_)
      if (range.first <= address && address < range.second) return true;
    return false;
  }

  void offer_word(Voverlay &top) {
    Burst &burst = reads_.front();
    uint32_t address = burst.address + 8 * burst.word;
    Answer answer = burst.answer;
    uint64_t data = 0;
    if (!answers(address)) answer = DECERR;
    else if (answer == OKAY) std::memcpy(&data, bytes_ + (address - base_), 8);
    if (hits(OVERLAY_FAULT_READ_FLIP)) data ^= uint64_t(1) << (value_ & 63);
    top.m_axi_hp0_rid = burst.id;
    top.m_axi_hp0_rdata = data;
    top.m_axi_hp0_rresp = answer;
    top.m_axi_hp0_rlast = burst.word == burst.length;
    top.m_axi_hp0_rvalid = read_offered_ = true;
  }

  void write_word(uint64_t now) {
    Burst &burst = addresses_.front();
    const Word word = words_.front();
    words_.pop_front();
    if (word.last != (burst.word == burst.length)) break_rule("WLAST is not with the last word of its burst");
    if (burst.word == 0) {
      ++write_bursts;
      if (hits(OVERLAY_FAULT_WRITE_ANSWER)) burst.answer = Answer(value_);
      burst.due = due(now, last_answer_due_, OVERLAY_FAULT_WRITE_WITHHELD, OVERLAY_FAULT_WRITE_PAUSE);
    }
    uint32_t address = burst.address + 8 * burst.word;
    if (!answers(address)) burst.answer = DECERR;
    if (burst.answer == OKAY)
      for (int byte = 0; byte < 8; ++byte)
        if (word.strobes >> byte & 1) bytes_[address - base_ + byte] = uint8_t(word.data >> 8 * byte);
    if (burst.word++ == burst.length) {
      answers_.push_back(burst);
      addresses_.pop_front();
    }
  }

  // Rules -------------------------------------------------------------------------------------------------------------

  struct Offer {
    bool waits = false;
    uint64_t value = 0, more = 0;
  };

  void break_rule(const char *rule) {
    if (violation.empty()) violation = rule;
  }

  void stays(Offer &before, bool valid, bool ready, uint64_t value, uint64_t more, const char *rule) {
    if (before.waits && !(valid && before.value == value && before.more == more)) break_rule(rule);
    before = {valid && !ready, value, more};
  }

  void burst_rules(uint32_t address, uint32_t length, uint32_t size, uint32_t burst) {
    if (size != 3 || burst != 1) break_rule("a burst is not one of whole words that follow each other");
    if (address % 8) break_rule("a burst begins within a word");
    if (address / 4096 != (address + 8 * length) / 4096) break_rule("a burst crosses 4 KB");
  }

  void watch(Voverlay &top) {
    if (top.m_axi_hp0_arvalid)
      burst_rules(top.m_axi_hp0_araddr, top.m_axi_hp0_arlen, top.m_axi_hp0_arsize, top.m_axi_hp0_arburst);
    if (top.m_axi_hp0_awvalid)
      burst_rules(top.m_axi_hp0_awaddr, top.m_axi_hp0_awlen, top.m_axi_hp0_awsize, top.m_axi_hp0_awburst);
    stays(address_read_, top.m_axi_hp0_arvalid, top.m_axi_hp0_arready, top.m_axi_hp0_araddr, top.m_axi_hp0_arlen,
          "the address of a read did not stay until it was taken");
    stays(address_write_, top.m_axi_hp0_awvalid, top.m_axi_hp0_awready, top.m_axi_hp0_awaddr, top.m_axi_hp0_awlen,
          "the address of a write did not stay until it was taken");
    stays(word_, top.m_axi_hp0_wvalid, top.m_axi_hp0_wready, top.m_axi_hp0_wdata,
          top.m_axi_hp0_wstrb << 1 | top.m_axi_hp0_wlast, "a word did not stay until it was taken");
  }

  RandomBits random_;
  uint8_t *bytes_ = nullptr;
  uint64_t base_ = 0;
  std::vector<std::pair<uint64_t, uint64_t>> ranges_;
  std::deque<Burst> reads_, addresses_, answers_;
  std::deque<Word> words_;
  uint64_t last_read_due_ = 0, last_answer_due_ = 0, tokens_ = 0;
  bool read_offered_ = false, answer_offered_ = false;
  Offer address_read_, address_write_, word_;
  uint32_t fault_ = OVERLAY_FAULT_NONE, after_ = 0, value_ = 0, counted_ = 0;
};
