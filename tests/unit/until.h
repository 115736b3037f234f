/*
 * until: turns a loop until something holds. Real time is only the limit of patience, for a machine that has other
 * work.
 */
#ifndef UNIT_UNTIL_H
#define UNIT_UNTIL_H

#include "base/clk.h"
#include "base/loop.h"

enum { PATIENCE_MS = 60000, UNTIL_TURN_MS = 5 };

#define UNTIL(loop, condition)                                                                                         \
    for (int64_t until_ms_ = clk_mono_ms(clk_system()) + PATIENCE_MS; !(condition);) {                                 \
        if (clk_mono_ms(clk_system()) > until_ms_)                                                                     \
            fail_msg("waited in vain for %s", #condition);                                                             \
        loop_turn((loop), UNTIL_TURN_MS);                                                                              \
    }

#endif
