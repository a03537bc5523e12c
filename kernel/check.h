/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Decisions that need nothing but their arguments: what the device claims to be
 * able to do, what a program asks for, how long a command may take. Kept apart so
 * that they are tested without a device.
 */
#ifndef IHSM_CHECK_H
#define IHSM_CHECK_H

#include <linux/types.h>
#include <linux/ihsm.h>
#include <linux/ihsm_hw.h>

/**
 * struct ihsm_limits - what the capability register allows, cut to what we use
 * @sq_log2: entries of a submission ring
 * @cq_log2: entries of a completion ring
 * @queues: I/O queue pairs
 * @vectors: interrupt vectors
 * @dma_bits: width of a bus address
 * @timeout_ms: longest time that enabling or a reset takes, at most half a minute
 * @shadow: shadow doorbells are there
 */
struct ihsm_limits {
	u8 sq_log2;
	u8 cq_log2;
	u8 queues;
	u8 vectors;
	u8 dma_bits;
	u32 timeout_ms;
	bool shadow;
};

/**
 * ihsm_check_cap() - read the capability register's value
 * @cap: its value
 * @limits: filled in
 *
 * Return: 0, -ENODEV when all is ones, -EPROTO when a field is out of range.
 */
int ihsm_check_cap(u64 cap, struct ihsm_limits *limits);

/**
 * ihsm_addressable() - is this an address at all?
 * @user: as a structure has it, with 64 bits on every machine
 *
 * Return: whether an address of a program on this machine can have that value.
 */
static inline bool ihsm_addressable(u64 user)
{
	return user == (unsigned long)user;
}

/**
 * ihsm_check_command() - may this go to the device?
 * @command: as the program gave it
 * @max_message: the device's
 *
 * Return: 0, -EINVAL, -EMSGSIZE, or -EFAULT for what is no address.
 */
int ihsm_check_command(const struct ihsm_command *command, u32 max_message);

/** ihsm_check_info() - likewise for &struct ihsm_info. Return: 0, -EINVAL or -EFAULT. */
int ihsm_check_info(const struct ihsm_info *info);

/**
 * ihsm_class_limit() - longest time of a time class, cut to what a driver believes
 * @ms: what the device claims
 *
 * Return: milliseconds, from 100 to ten minutes.
 */
u32 ihsm_class_limit(u32 ms);

/**
 * ihsm_max_message() - largest message, cut to what fits into one segment list
 * @claimed: what the device claims
 *
 * Return: bytes; zero when the device claims less than any message needs.
 */
u32 ihsm_max_message(u32 claimed);

/**
 * ihsm_copy_text() - take a text over from the device: ended, and nothing in it but print
 * @to: @size + 1 bytes
 * @from: @size bytes
 * @size: of the device's field
 */
void ihsm_copy_text(char *to, const char *from, size_t size);

#endif /* IHSM_CHECK_H */
