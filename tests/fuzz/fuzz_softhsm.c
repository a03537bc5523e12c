// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzzing of SoftHSM's files, which are another program's: taken apart, opened as a token by a PIN, and decrypted as an
 * object. Each value must lie in the file.
 */
#include <stdlib.h>
#include <string.h>
#include "hsmctl-softhsm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct soft_object *object)
{
	for (size_t i = 0; i < object->count; i++) {
		const struct soft_value *value = &object->value[i];

		if (value->bytes && (value->bytes < object->data ||
				     value->bytes + value->length > object->data + object->size))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct secret pin = { .length = 4, .text = "1234" };
	uint8_t key[SOFT_KEY_SIZE] = { 0 };
	struct soft_object object = { 0 };
	uint8_t *copy = malloc(size + !size);

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	if (!soft_parse(&object, copy, size)) {
		check(&object);
		soft_unlock(&object, &pin, key);
		soft_open(&object, key);
		check(&object);
	}
	free(copy);
	return 0;
}
