// SPDX-License-Identifier: Apache-2.0
/*
 * Partition ids and hashes as text.
 */
#include <errno.h>
#include <stdio.h>
#include "internal.h"

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

void hex_format(const uint8_t *data, size_t length, char *text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < length; i++) {
		*text++ = digits[data[i] >> 4];
		*text++ = digits[data[i] & 15];
	}
	*text = '\0';
}

int hex_parse(const char *text, uint8_t *data, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		int high = nibble(text[0]);
		int low = high < 0 ? -1 : nibble(text[1]);

		if (low < 0)
			return -EINVAL;
		data[i] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	return 0;
}

static bool dash_before(unsigned int byte)
{
	return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

void uuid_format(const uint8_t id[HSM_PARTITION_ID_SIZE], char text[UUID_TEXT_SIZE])
{
	for (unsigned int i = 0; i < HSM_PARTITION_ID_SIZE; i++) {
		if (dash_before(i))
			*text++ = '-';
		hex_format(id + i, 1, text);
		text += 2;
	}
}

int uuid_parse(const char *text, uint8_t id[HSM_PARTITION_ID_SIZE])
{
	for (unsigned int i = 0; i < HSM_PARTITION_ID_SIZE; i++) {
		if (dash_before(i) && *text++ != '-')
			return -EINVAL;
		if (hex_parse(text, id + i, 1))
			return -EINVAL;
		text += 2;
	}
	return *text ? -EINVAL : 0;
}
