// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of a function's way in and out, with a card that is made up (ihsm_test_card.h): probe
 * and each reason to refuse, removal, resets of all kinds, errors of the bus, sleep, events.
 */
#include <linux/hw_random.h>
#include <linux/hwmon.h>

#include "ihsm.h"
#include "ihsm_test_card.h"

#define PATIENCE (60 * HZ)

static int pci_init(struct kunit *test)
{
	test->priv = card_new(test);
	return test->priv ? 0 : -ENOMEM;
}

static void pci_exit(struct kunit *test)
{
	if (test->priv)
		card_unplug(test->priv);
}

static struct ihsm_device *plug_in(struct kunit *test)
{
	struct card *card = test->priv;
	struct ihsm_device *ihsm;

	KUNIT_ASSERT_EQ(test, card_plug(card), 0);
	ihsm = card_driven(card);
	KUNIT_ASSERT_NOT_NULL(test, ihsm);
	KUNIT_ASSERT_EQ(test, ihsm->state, IHSM_DRIVER_LIVE);
	return ihsm;
}

static u16 command_register(struct card *card)
{
	u16 value = 0;

	pci_read_config_word(card->pdev, PCI_COMMAND, &value);
	return value;
}

static bool comes_to(struct ihsm_device *ihsm, enum ihsm_driver_state state)
{
	return wait_event_timeout(ihsm->state_wait, READ_ONCE(ihsm->state) == state, PATIENCE);
}

/* ---- in and out ---- */

static void test_bound(struct kunit *test)
{
	struct card *card = test->priv;
	struct ihsm_device *ihsm = plug_in(test);

	KUNIT_EXPECT_EQ(test, ihsm->vectors, 2);
	KUNIT_EXPECT_EQ(test, ihsm->queues, 1);
	KUNIT_EXPECT_EQ(test, ihsm->max_message, CARD_MESSAGE);
	KUNIT_EXPECT_EQ(test, ihsm->epoch, 1);
	KUNIT_EXPECT_EQ(test, command_register(card) & (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER),
			PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	KUNIT_EXPECT_EQ(test, card->event_count, 1);
	/* It was not running: there was nothing to reset. */
	KUNIT_EXPECT_EQ(test, card->resets, 0);
	device_release_driver(&card->pdev->dev);
	KUNIT_EXPECT_FALSE(test, card->enabled);
	KUNIT_EXPECT_EQ(test, command_register(card) & PCI_COMMAND_MASTER, 0);
	KUNIT_EXPECT_FALSE(test, pci_is_enabled(card->pdev));
	/* And once more */
	KUNIT_EXPECT_EQ(test, device_attach(&card->pdev->dev), 1);
	KUNIT_EXPECT_NOT_NULL(test, card_driven(card));
}

/* A number is taken again when its device has gone, also when it never came to be one. */
static void test_minors(struct kunit *test)
{
	struct card *card = test->priv;
	unsigned int minor = MINOR(plug_in(test)->dev.devt);
	unsigned int i;

	for (i = 0; i < 10; i++) {
		device_release_driver(&card->pdev->dev);
		card->faults.bad_starts = i % 2;
		KUNIT_EXPECT_GE(test, device_attach(&card->pdev->dev), 0);
		KUNIT_EXPECT_EQ(test, !card_driven(card), i % 2);
		if (card_driven(card))
			KUNIT_EXPECT_EQ(test, MINOR(card_driven(card)->dev.devt), minor);
	}
}

/* Left running by somebody else: it is stopped before it may write to memory. */
static void test_left_running(struct kunit *test)
{
	struct card *card = test->priv;

	card->status |= IHSM_STATUS_READY;
	plug_in(test);
	KUNIT_EXPECT_EQ(test, card->resets, 1);
}

struct refusal {
	const char *name;
	u32 regs_size;  /* all of these: 0 for what is right */
	u64 cap;
	u32 version;
	u32 max_message;
	bool no_vectors;
	bool running;
	struct card_faults faults;
};

static const struct refusal refusals[] = {
	{ "registers that are too small", .regs_size = IHSM_BAR_REGS_SIZE / 2 },
	{ "no capability that makes sense", .cap = 1 },
	{ "all ones", .cap = U64_MAX },
	{ "a newer interface", .version = IHSM_VERSION + 0x10000 },
	{ "an older interface", .version = 1 },
	{ "no vectors", .no_vectors = true },
	{ "never ready", .faults.never_ready = true },
	{ "a failure to start", .faults.bad_starts = UINT_MAX },
	{ "running for ever", .running = true, .faults.never_resets = true },
	{ "too small messages", .max_message = 1 },
	{ "no identity", .faults = { .refuses = IHSM_ADMIN_IDENTIFY, .status = IHSM_SC_INTERNAL } },
	{ "no shadow pages",
	  .faults = { .refuses = IHSM_ADMIN_SET_SHADOW, .status = IHSM_SC_DATA_TRANSFER } },
	{ "no queue",
	  .faults = { .refuses = IHSM_ADMIN_CREATE_QUEUE, .status = IHSM_SC_INVALID_QUEUE } },
};

static void refusal_name(const struct refusal *refusal, char *name)
{
	strscpy(name, refusal->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(refusal, refusals, refusal_name);

/* What cannot be used is left alone, switched off; without its fault it can. */
static void test_refused(struct kunit *test)
{
	const struct refusal *refusal = test->param_value;
	struct card *card = test->priv;
	u64 cap = card->cap;

	card->faults = refusal->faults;
	if (refusal->regs_size)
		card->bar_size[IHSM_BAR_REGS] = refusal->regs_size;
	if (refusal->cap)
		card->cap = refusal->cap;
	if (refusal->version)
		card->version = refusal->version;
	if (refusal->max_message)
		card->identify.max_message = cpu_to_le32(refusal->max_message);
	if (refusal->no_vectors)
		card->config[PCI_CAPABILITY_LIST] = 0;
	if (refusal->running)
		card->status |= IHSM_STATUS_READY;
	KUNIT_ASSERT_EQ(test, card_plug(card), 0);
	KUNIT_EXPECT_NULL(test, card_driven(card));
	KUNIT_EXPECT_EQ(test, command_register(card) & PCI_COMMAND_MASTER, 0);
	KUNIT_EXPECT_FALSE(test, pci_is_enabled(card->pdev));

	/* What it is made of stays as it was found. */
	if (refusal->regs_size || refusal->no_vectors)
		return;
	memset(&card->faults, 0, sizeof(card->faults));
	card->cap = cap;
	card->version = IHSM_VERSION;
	card->identify.max_message = cpu_to_le32(CARD_MESSAGE);
	KUNIT_EXPECT_EQ(test, device_attach(&card->pdev->dev), 1);
}

/* One vector for all, and doorbells that are registers */
static void test_plain(struct kunit *test)
{
	struct card *card = test->priv;
	struct ihsm_device *ihsm;
	u8 bytes[16] = {};

	card->cap &= ~(IHSM_CAP_SHADOW | IHSM_CAP_VECTORS_MASK << IHSM_CAP_VECTORS_SHIFT);
	card->cap |= 1ULL << IHSM_CAP_VECTORS_SHIFT;
	ihsm = plug_in(test);
	KUNIT_EXPECT_EQ(test, ihsm->vectors, 1);
	KUNIT_EXPECT_EQ(test, ihsm->queues, 1);
	KUNIT_EXPECT_NULL(test, ihsm->shadow);
	KUNIT_EXPECT_EQ(test, ihsm_random(ihsm, bytes, sizeof(bytes)), 0);
	KUNIT_EXPECT_EQ(test, bytes[15], 0x5c);
}

/* ---- resets ---- */

static bool ends_start(struct ihsm_device *ihsm, u32 generation)
{
	return wait_event_timeout(ihsm->state_wait,
				  READ_ONCE(ihsm->generation) != generation &&
					  READ_ONCE(ihsm->state) == IHSM_DRIVER_LIVE,
				  PATIENCE);
}

static bool has_dump(struct card *card)
{
	struct kernfs_node *node = sysfs_get_dirent(card->pdev->dev.kobj.sd, "devcoredump");

	if (!node)
		return false;
	sysfs_put(node);
	return true;
}

static void test_reset(struct kunit *test)
{
	struct card *card = test->priv;
	struct ihsm_device *ihsm = plug_in(test);
	u32 generation = ihsm->generation;

	KUNIT_EXPECT_EQ(test, reset_now(ihsm), 0);
	KUNIT_EXPECT_EQ(test, ihsm->generation, generation + 1);
	KUNIT_EXPECT_EQ(test, card->resets, 1);
	KUNIT_EXPECT_EQ(test, ihsm->epoch, card->epoch);
	/* It was asked for: there is nothing to look into. */
	KUNIT_EXPECT_FALSE(test, has_dump(card));
	/* The number after the largest is not nobody's. */
	ihsm->generation = U32_MAX;
	KUNIT_EXPECT_EQ(test, reset_now(ihsm), 0);
	KUNIT_EXPECT_EQ(test, ihsm->generation, 1);
}

/* The device says that it needs one: by its status, and by an event */
static void test_reset_wanted(struct kunit *test)
{
	struct card *card = test->priv;
	struct ihsm_device *ihsm = plug_in(test);
	u32 generation = ihsm->generation;

	card->status |= IHSM_STATUS_FATAL;
	ihsm_look_now(ihsm);
	KUNIT_EXPECT_TRUE(test, ends_start(ihsm, generation));
	KUNIT_EXPECT_EQ(test, card->resets, 1);
	KUNIT_EXPECT_TRUE(test, has_dump(card));
	generation = ihsm->generation;
	card_event(card, IHSM_EVENT_RESET_NEEDED);
	KUNIT_EXPECT_TRUE(test, ends_start(ihsm, generation));
	KUNIT_EXPECT_EQ(test, card->resets, 2);
}

static void test_comes_back_late(struct kunit *test)
{
	struct card *card = test->priv;
	struct ihsm_device *ihsm = plug_in(test);

	card->faults.bad_starts = 2;
	KUNIT_EXPECT_EQ(test, reset_now(ihsm), 0);
	KUNIT_EXPECT_EQ(test, card->faults.bad_starts, 0);
}

static void test_never_comes_back(struct kunit *test)
{
	struct card *card = test->priv;
	struct ihsm_device *ihsm = plug_in(test);

	card->faults.bad_starts = UINT_MAX;
	KUNIT_EXPECT_EQ(test, reset_now(ihsm), -ENODEV);
	KUNIT_EXPECT_EQ(test, ihsm->state, IHSM_DRIVER_DEAD);
	/* Three times, no more */
	KUNIT_EXPECT_EQ(test, card->faults.bad_starts, UINT_MAX - 3);
	KUNIT_EXPECT_EQ(test, reset_now(ihsm), -ENODEV);
}

/* It was not seen to stop: its hands are tied before memory is given back. */
static void test_does_not_stop(struct kunit *test)
{
	struct card *card = test->priv;
	struct ihsm_device *ihsm = plug_in(test);

	card->faults.never_resets = true;
	KUNIT_EXPECT_EQ(test, reset_now(ihsm), -ENODEV);
	KUNIT_EXPECT_EQ(test, ihsm->state, IHSM_DRIVER_DEAD);
	KUNIT_EXPECT_EQ(test, command_register(card) & PCI_COMMAND_MASTER, 0);
}

static void test_vanishes(struct kunit *test)
{
	struct card *card = test->priv;
	struct ihsm_device *ihsm = plug_in(test);
	unsigned int resets = card->resets;

	card->faults.gone = true;
	ihsm_look_now(ihsm);
	KUNIT_EXPECT_TRUE(test, comes_to(ihsm, IHSM_DRIVER_DEAD));
	KUNIT_EXPECT_EQ(test, card->resets, resets);
	ihsm_coredump(ihsm, "of one that is not there");
	KUNIT_EXPECT_TRUE(test, has_dump(card));
}

static void test_function_reset(struct kunit *test)
{
	struct card *card = test->priv;
	struct ihsm_device *ihsm = plug_in(test);
	u32 generation = ihsm->generation;

	ihsm_errors.reset_prepare(card->pdev);
	KUNIT_EXPECT_EQ(test, ihsm->state, IHSM_DRIVER_RESETTING);
	KUNIT_EXPECT_FALSE(test, card->enabled);
	ihsm_errors.reset_done(card->pdev);
	KUNIT_EXPECT_EQ(test, ihsm->state, IHSM_DRIVER_LIVE);
	KUNIT_EXPECT_EQ(test, ihsm->generation, generation + 1);
}

/* A slot's reset took the settings; they are there again, but not yet the right to write. */
static void test_bus_error(struct kunit *test)
{
	struct card *card = test->priv;
	struct ihsm_device *ihsm = plug_in(test);
	u32 bar = 0;

	KUNIT_EXPECT_EQ(test, ihsm_errors.error_detected(card->pdev, pci_channel_io_frozen),
			PCI_ERS_RESULT_NEED_RESET);
	KUNIT_EXPECT_EQ(test, ihsm->state, IHSM_DRIVER_RESETTING);
	memset(card->config + PCI_COMMAND, 0, 2);
	memset(card->config + PCI_BASE_ADDRESS_0, 0, 4);
	KUNIT_EXPECT_EQ(test, ihsm_errors.slot_reset(card->pdev), PCI_ERS_RESULT_RECOVERED);
	pci_read_config_dword(card->pdev, PCI_BASE_ADDRESS_0, &bar);
	KUNIT_EXPECT_EQ(test, bar, pci_resource_start(card->pdev, 0));
	KUNIT_EXPECT_EQ(test, command_register(card) & (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER),
			PCI_COMMAND_MEMORY);
	ihsm_errors.resume(card->pdev);
	KUNIT_EXPECT_EQ(test, ihsm->state, IHSM_DRIVER_LIVE);
	KUNIT_EXPECT_TRUE(test, command_register(card) & PCI_COMMAND_MASTER);
}

static void test_sleep(struct kunit *test)
{
	struct card *card = test->priv;
	struct ihsm_device *ihsm = plug_in(test);
	const struct dev_pm_ops *pm = card->pdev->dev.driver->pm;

	KUNIT_ASSERT_NOT_NULL(test, pm);
	KUNIT_EXPECT_EQ(test, pm->suspend(&card->pdev->dev), 0);
	KUNIT_EXPECT_EQ(test, ihsm->state, IHSM_DRIVER_RESETTING);
	KUNIT_EXPECT_FALSE(test, card->enabled);
	/* A watch or an event that comes in between does not start it. */
	ihsm_look_now(ihsm);
	flush_workqueue(ihsm->wq);
	KUNIT_EXPECT_FALSE(test, card->enabled);
	KUNIT_EXPECT_EQ(test, pm->resume(&card->pdev->dev), 0);
	KUNIT_EXPECT_EQ(test, ihsm->state, IHSM_DRIVER_LIVE);
	/* One that does not wake up does not keep the system asleep. */
	KUNIT_EXPECT_EQ(test, pm->suspend(&card->pdev->dev), 0);
	card->faults.gone = true;
	KUNIT_EXPECT_EQ(test, pm->resume(&card->pdev->dev), 0);
	KUNIT_EXPECT_EQ(test, ihsm->state, IHSM_DRIVER_DEAD);
}

static void test_shutdown(struct kunit *test)
{
	struct card *card = test->priv;
	struct ihsm_device *ihsm = plug_in(test);
	struct pci_driver *driver = to_pci_driver(card->pdev->dev.driver);

	driver->shutdown(card->pdev);
	KUNIT_EXPECT_EQ(test, ihsm->state, IHSM_DRIVER_DELETING);
	KUNIT_EXPECT_FALSE(test, card->enabled);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&ihsm->watch));
	/* Nothing starts it any more, and it can still be unbound. */
	ihsm_errors.reset_prepare(card->pdev);
	ihsm_errors.reset_done(card->pdev);
	KUNIT_EXPECT_FALSE(test, card->enabled);
}

/* ---- what it has to tell ---- */

static bool noticed(struct ihsm_device *ihsm, enum ihsm_notice what)
{
	return wait_event_timeout(ihsm->state_wait, READ_ONCE(ihsm->notice[what]), PATIENCE);
}

static void test_event(struct kunit *test)
{
	struct card *card = test->priv;
	struct ihsm_device *ihsm = plug_in(test);

	card->identify.partitions = cpu_to_le32(3);
	card_event(card, IHSM_EVENT_PARTITIONS | 7 << 8);
	KUNIT_EXPECT_TRUE(test, noticed(ihsm, IHSM_NOTICE_PARTITIONS));
	flush_delayed_work(&ihsm->event_work);
	/* It was asked again, for what is new and for the next event. */
	KUNIT_EXPECT_EQ(test, le32_to_cpu(ihsm->identify.partitions), 3);
	KUNIT_EXPECT_EQ(test, card->event_count, 1);
	card_event(card, IHSM_EVENT_TAMPER);
	KUNIT_EXPECT_TRUE(test, noticed(ihsm, IHSM_NOTICE_TAMPER));
	flush_delayed_work(&ihsm->event_work);
}

/* The admin queue's interrupt is lost: who waits looks. */
static void test_lost_interrupt(struct kunit *test)
{
	struct card *card = test->priv;
	struct ihsm_device *ihsm = plug_in(test);
	u8 bytes[4] = {};

	card->faults.no_irq = true;
	card->faults.late = true;
	KUNIT_EXPECT_EQ(test, ihsm_random(ihsm, bytes, sizeof(bytes)), 0);
	card->faults.late = false;
	KUNIT_EXPECT_EQ(test, bytes[3], 0x5c);
}

/* One that stops in the middle of a command is not waited for as long as a command may take. */
static void test_stops_in_a_command(struct kunit *test)
{
	struct card *card = test->priv;
	struct ihsm_device *ihsm = plug_in(test);
	u32 generation = ihsm->generation;
	u8 bytes[4];

	card->faults.drops = IHSM_ADMIN_RANDOM;
	card->status &= ~IHSM_STATUS_READY;
	KUNIT_EXPECT_LT(test, ihsm_random(ihsm, bytes, sizeof(bytes)), 0);
	KUNIT_EXPECT_TRUE(test, ends_start(ihsm, generation));
	card->faults.drops = IHSM_ADMIN_RANDOM;
	card->faults.gone = true;
	KUNIT_EXPECT_LT(test, ihsm_random(ihsm, bytes, sizeof(bytes)), 0);
	KUNIT_EXPECT_TRUE(test, comes_to(ihsm, IHSM_DRIVER_DEAD));
}

/* One that is there and never answers: ten seconds, then a reset */
static void test_never_answers(struct kunit *test)
{
	struct card *card = test->priv;
	struct ihsm_device *ihsm = plug_in(test);
	u32 generation = ihsm->generation;
	u8 bytes[4];

	card->faults.drops = IHSM_ADMIN_RANDOM;
	KUNIT_EXPECT_EQ(test, ihsm_random(ihsm, bytes, sizeof(bytes)), -ETIMEDOUT);
	KUNIT_EXPECT_TRUE(test, ends_start(ihsm, generation));
	KUNIT_EXPECT_TRUE(test, has_dump(card));
}

/* ---- the kernel's frameworks ---- */

static void test_frameworks(struct kunit *test)
{
	struct card *card = test->priv;
	struct ihsm_device *ihsm;
	u8 bytes[8] = {};

	card->identify.flags = cpu_to_le32(IHSM_IDENTIFY_RANDOM | IHSM_IDENTIFY_STAGE);
	card->identify.sensors = cpu_to_le32(1);
	card->sensors.count = cpu_to_le32(1);
	card->sensors.sensor[0].kind = IHSM_SENSOR_VOLTAGE;
	ihsm = plug_in(test);
	if (IS_REACHABLE(CONFIG_HW_RANDOM)) {
		KUNIT_ASSERT_NOT_NULL(test, ihsm->hwrng.name);
		KUNIT_EXPECT_EQ(test, ihsm->hwrng.read(&ihsm->hwrng, bytes, sizeof(bytes), true),
				sizeof(bytes));
		KUNIT_EXPECT_EQ(test, bytes[7], 0x5c);
	}
	if (IS_REACHABLE(CONFIG_HWMON))
		KUNIT_EXPECT_NOT_NULL(test, ihsm->hwmon);
	if (IS_ENABLED(CONFIG_FW_UPLOAD))
		KUNIT_EXPECT_NOT_NULL(test, ihsm->upload);
}

static int no_bytes(struct hwrng *rng, void *data, size_t max, bool wait)
{
	return 0;
}

/* Somebody else has the name: the device works all the same, and takes nothing away from him. */
static void test_name_taken(struct kunit *test)
{
	static struct hwrng other = { .name = "ihsm0", .read = no_bytes };
	struct card *card = test->priv;
	struct ihsm_device *ihsm;

	if (!IS_REACHABLE(CONFIG_HW_RANDOM))
		kunit_skip(test, "no hwrng");
	KUNIT_ASSERT_EQ(test, hwrng_register(&other), 0);
	card->identify.flags = cpu_to_le32(IHSM_IDENTIFY_RANDOM);
	ihsm = plug_in(test);
	KUNIT_EXPECT_STREQ(test, dev_name(&ihsm->dev), other.name);
	KUNIT_EXPECT_NULL(test, ihsm->hwrng.name);
	card_unplug(card);
	hwrng_unregister(&other);
}

/* Sensors that cannot be read, or that are none that anybody knows: nothing is offered. */
static void test_no_sensors(struct kunit *test)
{
	struct card *card = test->priv;
	struct ihsm_device *ihsm;

	card->identify.sensors = cpu_to_le32(1);
	card->faults.refuses = IHSM_ADMIN_SENSORS;
	card->faults.status = IHSM_SC_INTERNAL;
	ihsm = plug_in(test);
	KUNIT_EXPECT_NULL(test, ihsm->hwmon);
	card->faults.refuses = 0;
	card->sensors.count = cpu_to_le32(1);
	card->sensors.sensor[0].kind = 200;
	ihsm_hwmon_register(ihsm);
	KUNIT_EXPECT_NULL(test, ihsm->hwmon);
}

static struct kunit_case pci_cases[] = {
	KUNIT_CASE(test_bound),
	KUNIT_CASE(test_minors),
	KUNIT_CASE(test_left_running),
	KUNIT_CASE_PARAM(test_refused, refusal_gen_params),
	KUNIT_CASE(test_plain),
	KUNIT_CASE(test_reset),
	KUNIT_CASE(test_reset_wanted),
	KUNIT_CASE(test_comes_back_late),
	KUNIT_CASE(test_never_comes_back),
	KUNIT_CASE(test_does_not_stop),
	KUNIT_CASE(test_vanishes),
	KUNIT_CASE(test_function_reset),
	KUNIT_CASE(test_bus_error),
	KUNIT_CASE(test_sleep),
	KUNIT_CASE(test_shutdown),
	KUNIT_CASE(test_event),
	KUNIT_CASE(test_lost_interrupt),
	KUNIT_CASE(test_stops_in_a_command),
	KUNIT_CASE_SLOW(test_never_answers),
	KUNIT_CASE(test_frameworks),
	KUNIT_CASE(test_name_taken),
	KUNIT_CASE(test_no_sensors),
	{}
};

static struct kunit_suite pci_suite = {
	.name = "ihsm-pci",
	.init = pci_init,
	.exit = pci_exit,
	.test_cases = pci_cases,
};

kunit_test_suite(pci_suite);
