// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of what the driver tells programs and the kernel's frameworks, with the device's
 * answers played: events, random numbers, virtual functions.
 */
#include <kunit/static_stub.h>

#include "ihsm_test.h"

/* ---- events ---- */

static void test_notices(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ihsm_context one = { .ihsm = &fake->ihsm };
	struct ihsm_context two = { .ihsm = &fake->ihsm };

	KUNIT_EXPECT_EQ(test, ihsm_notices(&one, true), 0);
	ihsm_notice(&fake->ihsm, IHSM_EVENT_PARTITIONS);
	ihsm_notice(&fake->ihsm, IHSM_EVENT_PARTITIONS);
	ihsm_notice(&fake->ihsm, 0);
	KUNIT_EXPECT_EQ(test, ihsm_notices(&one, false),
			BIT(IHSM_NOTICE_PARTITIONS) | BIT(IHSM_NOTICE_RESET));
	/* Looking takes nothing away; being told does, and from nobody else. */
	KUNIT_EXPECT_NE(test, ihsm_notices(&one, true), 0);
	KUNIT_EXPECT_EQ(test, ihsm_notices(&one, true), 0);
	KUNIT_EXPECT_NE(test, ihsm_notices(&two, true), 0);
	ihsm_notice(&fake->ihsm, IHSM_EVENT_TAMPER);
	ihsm_notice(&fake->ihsm, IHSM_EVENT_FIRMWARE);
	ihsm_notice(&fake->ihsm, IHSM_EVENT_STATE);
	KUNIT_EXPECT_EQ(test, ihsm_notices(&two, true),
			BIT(IHSM_NOTICE_TAMPER) | BIT(IHSM_NOTICE_FIRMWARE) |
			BIT(IHSM_NOTICE_STATE));
	/* What the device may say and nobody knows */
	ihsm_notice(&fake->ihsm, IHSM_EVENT_RESET_NEEDED);
	ihsm_notice(&fake->ihsm, 6);
	ihsm_notice(&fake->ihsm, 255);
	KUNIT_EXPECT_EQ(test, ihsm_notices(&two, true), 0);
}

/* ---- random numbers ---- */

static int random_error;
static u32 random_len;

static int fake_random(struct ihsm_device *ihsm, void *to, u32 len)
{
	random_len = len;
	if (!random_error)
		memset(to, 0x3c, len);
	return random_error;
}

static void test_hwrng(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ihsm_device *ihsm = &fake->ihsm;
	u8 *bytes = kunit_kzalloc(test, 2 * IHSM_RANDOM_MAX, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, bytes);
	kunit_activate_static_stub(test, ihsm_random, fake_random);
	/* A device that says nothing of random numbers is not asked for any. */
	ihsm_hwrng_register(ihsm);
	KUNIT_EXPECT_NULL(test, ihsm->hwrng.name);
	ihsm_hwrng_unregister(ihsm);

	random_error = 0;
	KUNIT_EXPECT_EQ(test, ihsm_rng_bytes(ihsm, bytes, 16, true), 16);
	KUNIT_EXPECT_EQ(test, bytes[15], 0x3c);
	KUNIT_EXPECT_EQ(test, bytes[16], 0);
	/* Never more than a command carries */
	KUNIT_EXPECT_EQ(test, ihsm_rng_bytes(ihsm, bytes, 2 * IHSM_RANDOM_MAX, true),
			IHSM_RANDOM_MAX);
	KUNIT_EXPECT_EQ(test, random_len, IHSM_RANDOM_MAX);
	KUNIT_EXPECT_EQ(test, bytes[IHSM_RANDOM_MAX], 0);
	/* Who must not wait gets nothing; nor does anybody while the device is reset. */
	KUNIT_EXPECT_EQ(test, ihsm_rng_bytes(ihsm, bytes, 16, false), 0);
	ihsm->state = IHSM_DRIVER_RESETTING;
	KUNIT_EXPECT_EQ(test, ihsm_rng_bytes(ihsm, bytes, 16, true), 0);
	ihsm->state = IHSM_DRIVER_LIVE;
	random_error = -ENODEV;
	KUNIT_EXPECT_EQ(test, ihsm_rng_bytes(ihsm, bytes, 16, true), -ENODEV);
}

/* ---- virtual functions ---- */

static u32 shared_vf, shared_vectors;
static int vf_number;

static int fake_share(struct ihsm_device *ihsm, u32 vf, u32 vectors)
{
	shared_vf = vf;
	shared_vectors = vectors;
	return 0;
}

static int fake_number(struct pci_dev *vf)
{
	return vf_number;
}

static void test_sriov(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ihsm_device *ihsm = &fake->ihsm;
	struct pci_dev *pdev = kunit_kzalloc(test, sizeof(*pdev), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, pdev);
	pci_set_drvdata(pdev, ihsm);
	kunit_activate_static_stub(test, ihsm_vf_share, fake_share);
	kunit_activate_static_stub(test, ihsm_vf_number, fake_number);
	/* A function without the capability makes none; a device that does not work neither. */
	KUNIT_EXPECT_LT(test, ihsm_sriov_configure(pdev, 2), 0);
	KUNIT_EXPECT_EQ(test, ihsm_sriov_configure(pdev, 0), 0);
	ihsm->state = IHSM_DRIVER_DEAD;
	KUNIT_EXPECT_EQ(test, ihsm_sriov_configure(pdev, 2), -ENODEV);
	KUNIT_EXPECT_EQ(test, ihsm_sriov_configure(pdev, 0), 0);
	ihsm->state = IHSM_DRIVER_LIVE;

	vf_number = 3;
	KUNIT_EXPECT_EQ(test, ihsm_sriov_vectors(pdev), 0);
	KUNIT_EXPECT_EQ(test, ihsm_sriov_set_vectors(pdev, 4), -EOPNOTSUPP);
	ihsm->identify.flags = cpu_to_le32(IHSM_IDENTIFY_VF_SHARE);
	KUNIT_EXPECT_EQ(test, ihsm_sriov_set_vectors(pdev, 4), 0);
	KUNIT_EXPECT_EQ(test, shared_vf, 3);
	KUNIT_EXPECT_EQ(test, shared_vectors, 4);
	KUNIT_EXPECT_EQ(test, ihsm_sriov_set_vectors(pdev, 0), 0);
	KUNIT_EXPECT_EQ(test, shared_vectors, 0);
	KUNIT_EXPECT_EQ(test, ihsm_sriov_set_vectors(pdev, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, ihsm_sriov_set_vectors(pdev, -1), -EINVAL);
	KUNIT_EXPECT_EQ(test, ihsm_sriov_set_vectors(pdev, IHSM_MAX_VECTORS), 0);
	KUNIT_EXPECT_EQ(test, ihsm_sriov_set_vectors(pdev, IHSM_MAX_VECTORS + 1), -EINVAL);
	vf_number = -EINVAL;
	KUNIT_EXPECT_EQ(test, ihsm_sriov_set_vectors(pdev, 4), -EINVAL);
}

static struct kunit_case framework_cases[] = {
	KUNIT_CASE(test_notices),
	KUNIT_CASE(test_hwrng),
	KUNIT_CASE(test_sriov),
	{}
};

static struct kunit_suite framework_suite = {
	.name = "ihsm-frameworks",
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = framework_cases,
};

kunit_test_suite(framework_suite);
