/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The board's clock, for delays and expiry of PINs and for rates.
 */
#ifndef FIRMWARE_CLOCK_H
#define FIRMWARE_CLOCK_H

#include <stdint.h>

/* clock_ticks - nanoseconds that never go back, from any start */
uint64_t clock_ticks(void);

/*
 * clock_now - milliseconds since 1970, by the machine's clock when it is first asked, and from then on only forward: setting
 * the machine's clock while the firmware runs changes nothing
 * clock_start - what clock_now() said first in this process
 */
uint64_t clock_now(void);
uint64_t clock_start(void);

#endif /* FIRMWARE_CLOCK_H */
