/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The board's own parts, from the lowest to the highest. Each header is one level and includes what it stands
 * on; Documentation/board.rst explains what each protects.
 */
#ifndef BOARD_INTERNAL_H
#define BOARD_INTERNAL_H

#include "text.h" /* sizes, messages, the log */
#include "fuses.h" /* one-time and monotonic values */
#include "keys.h" /* derivation and sealing */
#include "nvm.h" /* the database */
#include "state.h" /* these three as one thing that can be trusted */
#include "directory.h" /* directories, the lock, sockets */
#include "firmware.h" /* from the disk to a process */
#include "board.h" /* all that runs */

#endif /* BOARD_INTERNAL_H */
