// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device's sensors for hwmon: temperatures, voltages, and the enclosure as an intrusion
 * alarm. One command reads them all; its answer serves for a second.
 */
#include <linux/hwmon.h>
#include <linux/slab.h>

#include "ihsm.h"

#define FRESH	HZ

/**
 * struct ihsm_hwmon - what hwmon is given
 * @ihsm: the device
 * @lock: of what follows
 * @valid: @page has been read
 * @read_at: when, in jiffies
 * @page: all sensors
 * @index: sensor behind a channel, for temperatures, voltages and enclosures
 * @config: attributes of each channel, for the same, ended by zero
 * @info: of the three kinds
 * @infos: those that are there
 * @chip: of all
 */
struct ihsm_hwmon {
	struct ihsm_device *ihsm;
	struct mutex lock; /* of the page */
	bool valid;
	unsigned long read_at;
	struct ihsm_sensors page;
	u8 index[3][IHSM_MAX_SENSORS];
	u32 config[3][IHSM_MAX_SENSORS + 1];
	struct hwmon_channel_info info[3];
	const struct hwmon_channel_info *infos[4];
	struct hwmon_chip_info chip;
};

static const struct kind {
	enum ihsm_sensor_kind kind;
	enum hwmon_sensor_types type;
	u32 attributes;
} kinds[] = {
	{ IHSM_SENSOR_TEMPERATURE, hwmon_temp,
	  HWMON_T_INPUT | HWMON_T_MIN | HWMON_T_MAX | HWMON_T_ALARM | HWMON_T_LABEL },
	{ IHSM_SENSOR_VOLTAGE, hwmon_in,
	  HWMON_I_INPUT | HWMON_I_MIN | HWMON_I_MAX | HWMON_I_ALARM | HWMON_I_LABEL },
	{ IHSM_SENSOR_ENCLOSURE, hwmon_intrusion, HWMON_INTRUSION_ALARM },
};

static unsigned int count_of(const struct ihsm_sensors *page)
{
	return min_t(u32, le32_to_cpu(page->count), IHSM_MAX_SENSORS);
}

static int refresh(struct ihsm_hwmon *mon)
{
	int err;

	if (mon->valid && time_before(jiffies, mon->read_at + FRESH))
		return 0;
	err = ihsm_sensors(mon->ihsm, &mon->page);
	mon->valid = !err;
	mon->read_at = jiffies;
	return err;
}

/* The sensor behind a channel, with the lock held; the device may say something else each time. */
static const struct ihsm_sensor *sensor_of(const struct ihsm_hwmon *mon,
					   enum hwmon_sensor_types type, int channel)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (kinds[i].type == type && channel >= 0 && channel < IHSM_MAX_SENSORS)
			return &mon->page.sensor[mon->index[i][channel]];
	}
	return NULL;
}

static umode_t sensor_visible(const void *data, enum hwmon_sensor_types type, u32 attr,
			      int channel)
{
	return 0444;
}

/* Which of a sensor's numbers an attribute is */
static int number(const struct ihsm_sensor *sensor, enum hwmon_sensor_types type, u32 attr,
		  long *value)
{
	bool alarm = sensor->flags & (IHSM_SENSOR_ALARM | IHSM_SENSOR_TRIPPED);

	if ((type == hwmon_temp && attr == hwmon_temp_input) ||
	    (type == hwmon_in && attr == hwmon_in_input))
		*value = (s32)le32_to_cpu(sensor->value);
	else if ((type == hwmon_temp && attr == hwmon_temp_min) ||
		 (type == hwmon_in && attr == hwmon_in_min))
		*value = (s32)le32_to_cpu(sensor->min);
	else if ((type == hwmon_temp && attr == hwmon_temp_max) ||
		 (type == hwmon_in && attr == hwmon_in_max))
		*value = (s32)le32_to_cpu(sensor->max);
	else if ((type == hwmon_temp && attr == hwmon_temp_alarm) ||
		 (type == hwmon_in && attr == hwmon_in_alarm) ||
		 (type == hwmon_intrusion && attr == hwmon_intrusion_alarm))
		*value = alarm;
	else
		return -EOPNOTSUPP;
	return 0;
}

static int sensor_read(struct device *dev, enum hwmon_sensor_types type, u32 attr, int channel,
		       long *value)
{
	struct ihsm_hwmon *mon = dev_get_drvdata(dev);
	const struct ihsm_sensor *sensor;
	int err;

	mutex_lock(&mon->lock);
	err = refresh(mon);
	sensor = sensor_of(mon, type, channel);
	if (!err)
		err = sensor ? number(sensor, type, attr, value) : -EOPNOTSUPP;
	mutex_unlock(&mon->lock);
	return err;
}

static int sensor_label(struct device *dev, enum hwmon_sensor_types type, u32 attr, int channel,
			const char **label)
{
	struct ihsm_hwmon *mon = dev_get_drvdata(dev);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (kinds[i].type != type || channel < 0 || channel >= IHSM_MAX_SENSORS)
			continue;
		*label = mon->ihsm->sensor_label[mon->index[i][channel]];
		return 0;
	}
	return -EOPNOTSUPP;
}

const struct hwmon_ops ihsm_hwmon_ops = {
	.is_visible = sensor_visible,
	.read = sensor_read,
	.read_string = sensor_label,
};

/* Sort the sensors by kind. Return: how many kinds there are. */
static unsigned int sort_sensors(struct ihsm_hwmon *mon)
{
	unsigned int count = count_of(&mon->page);
	unsigned int found = 0;
	unsigned int i, k;

	for (i = 0; i < count; i++)
		ihsm_copy_text(mon->ihsm->sensor_label[i], mon->page.sensor[i].label,
			       sizeof(mon->page.sensor[i].label));
	for (k = 0; k < ARRAY_SIZE(kinds); k++) {
		unsigned int n = 0;

		for (i = 0; i < count; i++) {
			if (mon->page.sensor[i].kind != kinds[k].kind)
				continue;
			mon->index[k][n] = i;
			mon->config[k][n++] = kinds[k].attributes;
		}
		if (!n)
			continue;
		mon->info[k].type = kinds[k].type;
		mon->info[k].config = mon->config[k];
		mon->infos[found++] = &mon->info[k];
	}
	return found;
}

/**
 * ihsm_hwmon_register() - offer the device's sensors, if it has any
 * @ihsm: live device
 *
 * A device that cannot be offered so works all the same.
 */
void ihsm_hwmon_register(struct ihsm_device *ihsm)
{
	struct ihsm_hwmon *mon;
	struct device *dev;

	if (!le32_to_cpu(ihsm->identify.sensors))
		return;
	mon = kzalloc_obj(*mon, GFP_KERNEL);
	if (!mon)
		return;
	mutex_init(&mon->lock);
	mon->ihsm = ihsm;
	if (refresh(mon) || !sort_sensors(mon))
		goto free;
	mon->chip.ops = &ihsm_hwmon_ops;
	mon->chip.info = mon->infos;
	dev = hwmon_device_register_with_info(&ihsm->pdev->dev, "ihsm", mon, &mon->chip, NULL);
	if (IS_ERR(dev)) {
		dev_warn(&ihsm->dev, "its sensors are not offered\n");
		goto free;
	}
	ihsm->hwmon = mon;
	ihsm->hwmon_dev = dev;
	return;
free:
	kfree(mon);
}

/**
 * ihsm_hwmon_unregister() - nobody reads any more when this returns
 * @ihsm: device, registered or not
 */
void ihsm_hwmon_unregister(struct ihsm_device *ihsm)
{
	if (!ihsm->hwmon)
		return;
	hwmon_device_unregister(ihsm->hwmon_dev);
	kfree(ihsm->hwmon);
	ihsm->hwmon = NULL;
}
