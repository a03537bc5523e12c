/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the board answers BOARD_ALIAS with, for tests of the firmware: a device and aliases made as the
 * real board makes them, from secrets that everybody knows.
 */
#ifndef DICE_TESTING_H
#define DICE_TESTING_H

#include <stdlib.h>
#include <string.h>
#include <hsm/board.h>
#include <hsm/dice.h>

/* What the next aliases' certificates say; a test may change it. */
static struct hsm_tcb_info test_tcb = {
	.vendor = "Integrated HSM",
	.model = "test",
	.version = "0",
	.security_version = 3,
	.function = 1,
	.measurement = { 0x4d },
	.lifecycle = HSM_LIFECYCLE_PRODUCTION,
};

static struct {
	struct hsm_dice_keys keys;
	X509 *cert[HSM_DICE_ALGORITHMS];
	struct hsm_dice_keys alias;
	uint8_t cdi[HSM_CDI_SIZE];
	bool ready;
} test_device;

static uint8_t test_device_number;

/*
 * The device whose second chain is another's, with the same board id and another serial number; none when it is no
 * device's number
 */
static uint8_t test_device_mixed = 0xff;

/* The device's keys of one algorithm, and the certificate by which its board is known */
static void test_device_layer(enum hsm_dice_algorithm algorithm, bool other)
{
	const uint8_t secret[HSM_CDI_SIZE] = { 0xd1, 0xce, test_device_number, other };
	const struct hsm_dice_device device = {
		.board_id = { test_device_number + 1 },
		.serial = other ? "OTHER" : "TEST",
	};
	struct hsm_dice_keys keys;

	if (hsm_dice_keys_derive(NULL, secret, &keys))
		abort();
	test_device.keys.key[algorithm] = keys.key[algorithm];
	keys.key[algorithm] = NULL;
	hsm_dice_keys_free(&keys);
	if (!test_device.keys.key[algorithm])
		return;
	test_device.cert[algorithm] =
		hsm_dice_device_certificate(NULL, &device, test_device.keys.key[algorithm]);
	if (!test_device.cert[algorithm])
		abort();
}

static void test_device_make(void)
{
	const uint8_t secret[HSM_CDI_SIZE] = { 0xd1, 0xce, test_device_number };

	if (test_device.ready)
		return;
	if (hsm_dice_derive(NULL, secret, "test", NULL, 0, test_device.cdi) ||
	    hsm_dice_keys_derive(NULL, test_device.cdi, &test_device.alias))
		abort();
	test_device_layer(HSM_DICE_P384, false);
	test_device_layer(HSM_DICE_ML_DSA_87, test_device_number == test_device_mixed);
	test_device.ready = true;
}

/* From here on another device; what certificates of the former one the caller has, go */
__attribute__((unused)) static void test_device_use(uint8_t number)
{
	unsigned int i;

	if (test_device.ready && number == test_device_number)
		return;
	for (i = 0; i < HSM_DICE_ALGORITHMS; i++)
		X509_free(test_device.cert[i]);
	hsm_dice_keys_free(&test_device.keys);
	hsm_dice_keys_free(&test_device.alias);
	memset(&test_device, 0, sizeof(test_device));
	test_device_number = number;
	test_device_make();
}

/* The device's certificate, which a verifier would have as its root; NULL: no such algorithm */
__attribute__((unused)) static X509 *test_device_root(enum hsm_dice_algorithm algorithm)
{
	test_device_make();
	return test_device.cert[algorithm];
}

static size_t test_put(X509 *cert, uint8_t *at)
{
	int length = i2d_X509(cert, &at);

	if (length <= 0)
		abort();
	return (size_t)length;
}

__attribute__((unused)) static int board_alias(const uint8_t *id, uint8_t *reply, size_t *length)
{
	struct board_chain head;
	struct board_alias alias;
	uint8_t *at = reply + sizeof(alias), *start;
	X509 *cert;
	unsigned int i;

	test_device_make();
	memcpy(alias.cdi, test_device.cdi, sizeof(alias.cdi));
	memcpy(reply, &alias, sizeof(alias));
	for (i = 0; i < HSM_DICE_ALGORITHMS; i++) {
		if (!test_device.cert[i])
			continue;
		cert = hsm_dice_alias_certificate(NULL, test_device.cert[i],
						  test_device.keys.key[i],
						  test_device.alias.key[i], &test_tcb, id);
		if (!cert)
			abort();
		start = at;
		at += sizeof(head);
		at += test_put(cert, at);
		at += test_put(test_device.cert[i], at);
		X509_free(cert);
		head.algorithm = i;
		head.length = (uint32_t)(at - start - (ptrdiff_t)sizeof(head));
		memcpy(start, &head, sizeof(head));
	}
	*length = (size_t)(at - reply);
	return 0;
}

#endif /* DICE_TESTING_H */
