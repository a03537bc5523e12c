// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device as a source of random numbers for the kernel. Its bytes are not sealed: whoever sits
 * between kernel and device reads and chooses them. In an encrypted guest that is the host, so
 * there they are mixed in and count for next to nothing.
 */
#include <linux/cc_platform.h>
#include <linux/hw_random.h>

#include "ihsm.h"

/* Entropy of 1,024 bits. Zero would mean the largest. */
#define QUALITY_FULL	1024
#define QUALITY_LEAST	1

/**
 * ihsm_rng_bytes() - some random bytes
 * @ihsm: device
 * @data: where they go
 * @max: room there
 * @wait: the caller can wait; else there are none
 *
 * Return: how many there are, or a negative errno.
 */
int ihsm_rng_bytes(struct ihsm_device *ihsm, void *data, size_t max, bool wait)
{
	u32 len = min_t(size_t, max, IHSM_RANDOM_MAX);
	int err;

	if (!wait || READ_ONCE(ihsm->state) == IHSM_DRIVER_RESETTING)
		return 0;
	err = ihsm_random(ihsm, data, len);
	return err ? err : len;
}

static int ihsm_rng_read(struct hwrng *rng, void *data, size_t max, bool wait)
{
	return ihsm_rng_bytes((struct ihsm_device *)rng->priv, data, max, wait);
}

/**
 * ihsm_hwrng_register() - offer the device's random numbers, if it has any
 * @ihsm: live device
 *
 * A device that cannot be offered so works all the same.
 */
void ihsm_hwrng_register(struct ihsm_device *ihsm)
{
	struct hwrng *rng = &ihsm->hwrng;

	if (!ihsm_identify_flag(ihsm, IHSM_IDENTIFY_RANDOM))
		return;
	rng->name = dev_name(&ihsm->dev);
	rng->read = ihsm_rng_read;
	rng->priv = (unsigned long)ihsm;
	rng->quality = cc_platform_has(CC_ATTR_GUEST_MEM_ENCRYPT) ? QUALITY_LEAST : QUALITY_FULL;
	if (hwrng_register(rng)) {
		dev_warn(&ihsm->dev, "not offered as a source of random numbers\n");
		rng->name = NULL;
	}
}

/**
 * ihsm_hwrng_unregister() - nobody reads any more when this returns
 * @ihsm: device, registered or not
 */
void ihsm_hwrng_unregister(struct ihsm_device *ihsm)
{
	if (ihsm->hwrng.name)
		hwrng_unregister(&ihsm->hwrng);
	ihsm->hwrng.name = NULL;
}
