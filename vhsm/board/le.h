/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Little-endian numbers at a moving position, for the board's two formats of fixed layout: the
 * fuses' slots and the root record. Lengths are checked by the callers, once for the whole.
 */
#ifndef BOARD_LE_H
#define BOARD_LE_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline void put_bytes(uint8_t **at, const void *bytes, size_t length)
{
	memcpy(*at, bytes, length);
	*at += length;
}

static inline void put_u32(uint8_t **at, uint32_t value)
{
	value = htole32(value);
	put_bytes(at, &value, sizeof(value));
}

static inline void put_u64(uint8_t **at, uint64_t value)
{
	value = htole64(value);
	put_bytes(at, &value, sizeof(value));
}

static inline void get_bytes(const uint8_t **at, void *bytes, size_t length)
{
	memcpy(bytes, *at, length);
	*at += length;
}

static inline uint32_t get_u32(const uint8_t **at)
{
	uint32_t value;

	get_bytes(at, &value, sizeof(value));
	return le32toh(value);
}

static inline uint64_t get_u64(const uint8_t **at)
{
	uint64_t value;

	get_bytes(at, &value, sizeof(value));
	return le64toh(value);
}

#endif /* BOARD_LE_H */
