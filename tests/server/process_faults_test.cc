// Clocks that lie, disks without room.
#include "server/process_faults.h"

#include <gtest/gtest.h>

#include "server/space_probe.h"

namespace server {
namespace {

constexpr std::uint64_t kForever = base::FaultSwitch::kForever;

TEST(BentClock, LiesAsItIsTold) {
  ProcessFaults faults;
  BentClock clock(&faults);
  EXPECT_EQ(clock.read(1'000'000, 50), 1'000'000u);
  faults.clock_ahead.set(5000, kForever);
  EXPECT_EQ(clock.read(1'000'000, 50), 1'005'000u);
  faults.clock_behind.set(7000, kForever);
  EXPECT_EQ(clock.read(1'000'000, 50), 998'000u);
  faults.clock_ahead.clear();
  EXPECT_EQ(clock.read(1'000, 50), 0u) << "never below nothing";
  faults.clock_behind.clear();
  faults.clock_fast.set(10, kForever);
  EXPECT_EQ(clock.read(1'000'000, 100), 1'000'000u);
  EXPECT_EQ(clock.read(1'001'000, 1100), 1'001'100u);
  faults.clock_fast.clear();
  EXPECT_EQ(clock.read(1'002'000, 2100), 1'002'000u);
  EXPECT_EQ(BentClock(nullptr).read(7, 7), 7u);
}

TEST(SpaceProbe, IsLowBelowTheReserve) {
  ProcessFaults faults;
  SpaceProbe space("/", faults);
  EXPECT_FALSE(space.low()) << "before the first measurement";
  faults.fill_disk.set(0, kForever);
  space.measure();
  EXPECT_TRUE(space.low());
  EXPECT_EQ(space.free_bytes(), 0u);
  EXPECT_LE(space.reserve_bytes(), SpaceProbe::kReserveBytesMost);
  EXPECT_NE(space.reason().find("0 MiB are free"), std::string::npos) << space.reason();
  faults.fill_disk.clear();
  space.measure();
  EXPECT_GT(space.free_bytes(), 0u);
}

TEST(SpaceProbe, AVolumeThatDoesNotSayHasRoom) {
  ProcessFaults faults;
  SpaceProbe space("/no/such/place", faults);
  space.measure();
  EXPECT_FALSE(space.low());
}

}  // namespace
}  // namespace server
