// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of what happens to a function from outside, in each order: resets, errors of the
 * bus, and removal without a word; and of the frameworks that need a device's answers: sensors,
 * uploads.
 */
#include <kunit/static_stub.h>
#include <linux/firmware.h>
#include <linux/hwmon.h>

#include "ihsm_test.h"

static unsigned int stops, restarts;
static bool present;

static void fake_stop(struct ihsm_device *ihsm, int error)
{
	stops++;
}

static void fake_restart(struct ihsm_device *ihsm)
{
	restarts++;
	ihsm_set_state(ihsm, IHSM_DRIVER_LIVE);
}

static bool fake_present(struct ihsm_device *ihsm, u32 *status)
{
	*status = present ? IHSM_STATUS_READY : U32_MAX;
	return present;
}

/* A function that the bus does not reach any more: its configuration is not read or written. */
static struct pci_dev *fake_function(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct pci_dev *pdev = kunit_kzalloc(test, sizeof(*pdev), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, pdev);
	pdev->error_state = pci_channel_io_perm_failure;
	pci_set_drvdata(pdev, &fake->ihsm);
	fake->ihsm.pdev = pdev;
	fake->ihsm.queue[0] = fake->queue;
	mutex_init(&fake->ihsm.control);
	stops = 0;
	restarts = 0;
	return pdev;
}

static struct pci_dev *fake_resets(struct kunit *test)
{
	struct pci_dev *pdev = fake_function(test);

	kunit_activate_static_stub(test, ihsm_stop, fake_stop);
	kunit_activate_static_stub(test, ihsm_restart, fake_restart);
	return pdev;
}

/* ---- what holds the function, in each order ---- */

static void test_function_reset(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct pci_dev *pdev = fake_resets(test);

	ihsm_errors.reset_prepare(pdev);
	KUNIT_EXPECT_EQ(test, fake->ihsm.state, IHSM_DRIVER_RESETTING);
	KUNIT_EXPECT_EQ(test, stops, 1);
	/* A reset of our own that was due finds that it must not. */
	ihsm_reset_work(&fake->ihsm.reset_work);
	KUNIT_EXPECT_EQ(test, restarts, 0);
	ihsm_errors.reset_done(pdev);
	KUNIT_EXPECT_EQ(test, restarts, 1);
	KUNIT_EXPECT_EQ(test, fake->ihsm.state, IHSM_DRIVER_LIVE);
}

/* A reset by sysfs while the kernel recovers from an error: the link may still be down. */
static void test_reset_in_recovery(struct kunit *test)
{
	struct pci_dev *pdev = fake_resets(test);

	KUNIT_EXPECT_EQ(test, ihsm_errors.error_detected(pdev, pci_channel_io_frozen),
			PCI_ERS_RESULT_NEED_RESET);
	ihsm_errors.reset_prepare(pdev);
	ihsm_errors.reset_done(pdev);
	KUNIT_EXPECT_EQ(test, restarts, 0);
	ihsm_errors.resume(pdev);
	KUNIT_EXPECT_EQ(test, restarts, 1);
}

static void test_recovery_in_reset(struct kunit *test)
{
	struct pci_dev *pdev = fake_resets(test);

	ihsm_errors.reset_prepare(pdev);
	ihsm_errors.error_detected(pdev, pci_channel_io_normal);
	ihsm_errors.resume(pdev);
	KUNIT_EXPECT_EQ(test, restarts, 0);
	ihsm_errors.reset_done(pdev);
	KUNIT_EXPECT_EQ(test, restarts, 1);
}

/* A recovery that failed has no end; the next one has. */
static void test_second_error(struct kunit *test)
{
	struct pci_dev *pdev = fake_resets(test);

	ihsm_errors.error_detected(pdev, pci_channel_io_normal);
	ihsm_errors.error_detected(pdev, pci_channel_io_frozen);
	ihsm_errors.resume(pdev);
	KUNIT_EXPECT_EQ(test, restarts, 1);
}

static void test_given_up(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct pci_dev *pdev = fake_resets(test);

	KUNIT_EXPECT_EQ(test, ihsm_errors.error_detected(pdev, pci_channel_io_perm_failure),
			PCI_ERS_RESULT_DISCONNECT);
	KUNIT_EXPECT_EQ(test, fake->ihsm.state, IHSM_DRIVER_DEAD);
	ihsm_errors.reset_prepare(pdev);
	ihsm_errors.reset_done(pdev);
	KUNIT_EXPECT_EQ(test, fake->ihsm.state, IHSM_DRIVER_DEAD);
	KUNIT_EXPECT_EQ(test, restarts, 0);
}

/* Unbound during a reset: nothing starts it any more. */
static void test_removed_in_reset(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct pci_dev *pdev = fake_resets(test);

	ihsm_errors.reset_prepare(pdev);
	KUNIT_EXPECT_TRUE(test, ihsm_set_state(&fake->ihsm, IHSM_DRIVER_DELETING));
	ihsm_errors.reset_done(pdev);
	KUNIT_EXPECT_EQ(test, restarts, 0);
	KUNIT_EXPECT_EQ(test, fake->ihsm.state, IHSM_DRIVER_DELETING);
}

/* ---- a function that is pulled out: nothing of it is touched, there are no registers ---- */

static void test_surprise(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ihsm_cmd *cmd = fake_submit(test);
	struct ihsm_cmd *late;

	fake_function(test);
	INIT_DELAYED_WORK(&fake->ihsm.watch, ihsm_watch_work);
	kunit_activate_static_stub(test, ihsm_present, fake_present);
	present = true;
	ihsm_watch_work(&fake->ihsm.watch.work);
	cancel_delayed_work_sync(&fake->ihsm.watch);
	KUNIT_EXPECT_EQ(test, fake->ihsm.state, IHSM_DRIVER_LIVE);
	present = false;
	ihsm_watch_work(&fake->ihsm.watch.work);
	KUNIT_EXPECT_EQ(test, fake->ihsm.state, IHSM_DRIVER_DEAD);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&fake->ihsm.watch));
	KUNIT_EXPECT_TRUE(test, completion_done(&cmd->done));
	KUNIT_EXPECT_EQ(test, ihsm_command_error(cmd), -ENODEV);
	ihsm_cmd_free(cmd);
	late = ihsm_cmd_alloc(IHSM_IO_MESSAGE, 0);
	KUNIT_ASSERT_NOT_NULL(test, late);
	KUNIT_EXPECT_EQ(test, ihsm_cmd_place(fake->queue, late), -ENODEV);
	ihsm_cmd_free(late);
	/* Pulled out means dead for those who ask for a reset as well. */
	ihsm_reset_later(&fake->ihsm, NULL);
	KUNIT_EXPECT_EQ(test, ihsm_reset_wait(&fake->ihsm, TASK_KILLABLE), -ENODEV);
}

/* One that does not come back after a reset is tried no more than it is there. */
static void test_pulled_in_reset(struct kunit *test)
{
	struct fake *fake = test->priv;

	fake_function(test);
	kunit_activate_static_stub(test, ihsm_present, fake_present);
	present = false;
	KUNIT_ASSERT_TRUE(test, ihsm_set_state(&fake->ihsm, IHSM_DRIVER_RESETTING));
	ihsm_reset_work(&fake->ihsm.reset_work);
	KUNIT_EXPECT_EQ(test, fake->ihsm.state, IHSM_DRIVER_DEAD);
}

/* An aborted command keeps its time: it may be past the point where it can be called back. */
static void test_aborted_keeps_time(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ihsm_cmd *cmd = fake_submit(test);
	unsigned long deadline = cmd->deadline;

	fake->ihsm.queue[0] = fake->queue;
	KUNIT_EXPECT_TRUE(test, ihsm_cmd_abandon(cmd, true));
	KUNIT_EXPECT_EQ(test, cmd->deadline, deadline);
	KUNIT_EXPECT_FALSE(test, ihsm_queue_overdue(fake->queue));
}

/* ---- sensors ---- */

static struct ihsm_sensors sensors;
static int sensors_error;

static int fake_sensors(struct ihsm_device *ihsm, struct ihsm_sensors *to)
{
	*to = sensors;
	return sensors_error;
}

static void set_sensor(unsigned int i, enum ihsm_sensor_kind kind, s32 value, u32 flags)
{
	struct ihsm_sensor *sensor = &sensors.sensor[i];

	sensor->kind = kind;
	sensor->flags = flags;
	sensor->value = cpu_to_le32(value);
	sensor->min = cpu_to_le32(value - 1);
	sensor->max = cpu_to_le32(value + 1);
	strscpy(sensor->label, "a\nlabel", sizeof(sensor->label));
}

static long sensor(struct kunit *test, struct device *dev, enum hwmon_sensor_types type, u32 attr,
		   int channel)
{
	long value = 0;
	int err = ihsm_hwmon_ops.read(dev, type, attr, channel, &value);

	return err ? err : value;
}

static void no_release(struct device *dev)
{
}

static void test_hwmon(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct pci_dev *pdev = fake_function(test);
	struct device *dev = &pdev->dev;
	const char *label;

	memset(&sensors, 0, sizeof(sensors));
	set_sensor(0, IHSM_SENSOR_CLOCK, 5, 0);
	set_sensor(1, IHSM_SENSOR_TEMPERATURE, -20000, 0);
	set_sensor(2, IHSM_SENSOR_ENCLOSURE, 0, IHSM_SENSOR_TRIPPED);
	set_sensor(3, IHSM_SENSOR_VOLTAGE, 900, IHSM_SENSOR_ALARM);
	/* More than there can be */
	sensors.count = cpu_to_le32(U32_MAX);
	sensors_error = 0;
	kunit_activate_static_stub(test, ihsm_sensors, fake_sensors);
	/* Without any it offers nothing. */
	ihsm_hwmon_register(&fake->ihsm);
	KUNIT_EXPECT_NULL(test, fake->ihsm.hwmon);
	if (!IS_REACHABLE(CONFIG_HWMON))
		kunit_skip(test, "no hwmon");

	device_initialize(dev);
	dev->release = no_release;
	KUNIT_ASSERT_EQ(test, dev_set_name(dev, "ihsm-test"), 0);
	KUNIT_ASSERT_EQ(test, device_add(dev), 0);
	pci_set_drvdata(pdev, &fake->ihsm);
	fake->ihsm.identify.sensors = cpu_to_le32(4);
	ihsm_hwmon_register(&fake->ihsm);
	KUNIT_EXPECT_NOT_NULL(test, fake->ihsm.hwmon);
	if (fake->ihsm.hwmon) {
		struct device *mon = fake->ihsm.hwmon_dev;

		KUNIT_EXPECT_EQ(test, sensor(test, mon, hwmon_temp, hwmon_temp_input, 0), -20000);
		KUNIT_EXPECT_EQ(test, sensor(test, mon, hwmon_temp, hwmon_temp_min, 0), -20001);
		KUNIT_EXPECT_EQ(test, sensor(test, mon, hwmon_temp, hwmon_temp_max, 0), -19999);
		KUNIT_EXPECT_EQ(test, sensor(test, mon, hwmon_temp, hwmon_temp_alarm, 0), 0);
		KUNIT_EXPECT_EQ(test, sensor(test, mon, hwmon_in, hwmon_in_input, 0), 900);
		KUNIT_EXPECT_EQ(test, sensor(test, mon, hwmon_in, hwmon_in_min, 0), 899);
		KUNIT_EXPECT_EQ(test, sensor(test, mon, hwmon_in, hwmon_in_max, 0), 901);
		KUNIT_EXPECT_EQ(test, sensor(test, mon, hwmon_in, hwmon_in_alarm, 0), 1);
		KUNIT_EXPECT_EQ(test, sensor(test, mon, hwmon_intrusion, hwmon_intrusion_alarm, 0),
				1);
		KUNIT_EXPECT_EQ(test, sensor(test, mon, hwmon_fan, 0, 0), -EOPNOTSUPP);
		KUNIT_EXPECT_EQ(test, sensor(test, mon, hwmon_temp, hwmon_temp_crit, 0),
				-EOPNOTSUPP);
		KUNIT_EXPECT_EQ(test, sensor(test, mon, hwmon_temp, hwmon_temp_input,
					     IHSM_MAX_SENSORS), -EOPNOTSUPP);
		KUNIT_EXPECT_EQ(test, ihsm_hwmon_ops.read_string(mon, hwmon_temp, hwmon_temp_label,
								 0, &label), 0);
		KUNIT_EXPECT_STREQ(test, label, "a?label");
		KUNIT_EXPECT_EQ(test, ihsm_hwmon_ops.read_string(mon, hwmon_fan, 0, 0, &label),
				-EOPNOTSUPP);
		KUNIT_EXPECT_EQ(test, ihsm_hwmon_ops.is_visible(NULL, hwmon_temp, 0, 0), 0444);
	}
	ihsm_hwmon_unregister(&fake->ihsm);
	device_del(dev);
	put_device(dev);
}

/* ---- uploads ---- */

static u32 stage_steps[8];
static unsigned int stage_count;
static int stage_error;

static int fake_stage(struct ihsm_device *ihsm, u32 step, u32 number, const void *from, u32 len)
{
	if (stage_count < ARRAY_SIZE(stage_steps))
		stage_steps[stage_count++] = step;
	return stage_error;
}

static void start_upload(struct kunit *test, struct fw_upload *upload)
{
	struct fake *fake = test->priv;

	upload->dd_handle = &fake->ihsm;
	stage_count = 0;
	stage_error = 0;
	kunit_activate_static_stub(test, ihsm_stage, fake_stage);
}

static void test_upload(struct kunit *test)
{
	struct fw_upload upload = {};
	u8 image[16] = {};
	u32 written = 0;

	start_upload(test, &upload);
	KUNIT_EXPECT_EQ(test, ihsm_upload_ops.prepare(&upload, image, 0),
			FW_UPLOAD_ERR_INVALID_SIZE);
	KUNIT_EXPECT_EQ(test, ihsm_upload_ops.prepare(&upload, image, IHSM_IMAGE_MAX + 1),
			FW_UPLOAD_ERR_INVALID_SIZE);
	KUNIT_EXPECT_EQ(test, stage_count, 0);
	KUNIT_EXPECT_EQ(test, ihsm_upload_ops.prepare(&upload, image, 16), FW_UPLOAD_ERR_NONE);
	KUNIT_EXPECT_EQ(test, ihsm_upload_ops.write(&upload, image, 0, 16, &written),
			FW_UPLOAD_ERR_NONE);
	KUNIT_EXPECT_EQ(test, written, 16);
	KUNIT_EXPECT_EQ(test, ihsm_upload_ops.poll_complete(&upload), FW_UPLOAD_ERR_NONE);
	ihsm_upload_ops.cleanup(&upload);
	KUNIT_EXPECT_EQ(test, stage_count, 4);
	KUNIT_EXPECT_EQ(test, stage_steps[3], IHSM_STAGE_ABORT);
	stage_error = -ETIMEDOUT;
	KUNIT_EXPECT_EQ(test, ihsm_upload_ops.prepare(&upload, image, 16), FW_UPLOAD_ERR_TIMEOUT);
	stage_error = -EINVAL;
	KUNIT_EXPECT_EQ(test, ihsm_upload_ops.write(&upload, image, 0, 16, &written),
			FW_UPLOAD_ERR_INVALID_SIZE);
	stage_error = -EIO;
	KUNIT_EXPECT_EQ(test, ihsm_upload_ops.poll_complete(&upload), FW_UPLOAD_ERR_RW_ERROR);
}

/* Whenever it comes, a cancel is heard, once. */
static void test_upload_cancel(struct kunit *test)
{
	struct fw_upload upload = {};
	u8 image[16] = {};
	u32 written = 0;

	start_upload(test, &upload);
	ihsm_upload_ops.cancel(&upload);
	KUNIT_EXPECT_EQ(test, ihsm_upload_ops.prepare(&upload, image, 16), FW_UPLOAD_ERR_CANCELED);
	KUNIT_EXPECT_EQ(test, stage_count, 0);
	KUNIT_EXPECT_EQ(test, ihsm_upload_ops.prepare(&upload, image, 16), FW_UPLOAD_ERR_NONE);
	ihsm_upload_ops.cancel(&upload);
	KUNIT_EXPECT_EQ(test, ihsm_upload_ops.write(&upload, image, 0, 16, &written),
			FW_UPLOAD_ERR_CANCELED);
	KUNIT_EXPECT_EQ(test, ihsm_upload_ops.poll_complete(&upload), FW_UPLOAD_ERR_CANCELED);
	ihsm_upload_ops.cleanup(&upload);
	KUNIT_EXPECT_EQ(test, ihsm_upload_ops.prepare(&upload, image, 16), FW_UPLOAD_ERR_NONE);
}

static struct kunit_case reset_cases[] = {
	KUNIT_CASE(test_function_reset),
	KUNIT_CASE(test_reset_in_recovery),
	KUNIT_CASE(test_recovery_in_reset),
	KUNIT_CASE(test_second_error),
	KUNIT_CASE(test_given_up),
	KUNIT_CASE(test_removed_in_reset),
	KUNIT_CASE(test_surprise),
	KUNIT_CASE(test_pulled_in_reset),
	KUNIT_CASE(test_aborted_keeps_time),
	KUNIT_CASE(test_hwmon),
	KUNIT_CASE(test_upload),
	KUNIT_CASE(test_upload_cancel),
	{}
};

static struct kunit_suite reset_suite = {
	.name = "ihsm-reset",
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = reset_cases,
};

kunit_test_suite(reset_suite);
