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
 * @tampers: after so many of the device's events of that kind
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
	u32 tampers;
	unsigned long read_at;
	struct ihsm_sensors page;
	u8 index[3][IHSM_MAX_SENSORS];
	u32 config[3][IHSM_MAX_SENSORS + 1];
	struct hwmon_channel_info info[3];
	const struct hwmon_channel_info *infos[4];
	struct hwmon_chip_info chip;
};

#define NO_ATTR	U32_MAX

/* Kinds of sensors, and which of a sensor's numbers hwmon's attributes are */
static const struct kind {
	enum ihsm_sensor_kind kind;
	enum hwmon_sensor_types type;
	u32 attributes;
	u32 input, min, max, alarm;
} kinds[] = {
	{ IHSM_SENSOR_TEMPERATURE, hwmon_temp,
	  HWMON_T_INPUT | HWMON_T_MIN | HWMON_T_MAX | HWMON_T_ALARM | HWMON_T_LABEL,
	  hwmon_temp_input, hwmon_temp_min, hwmon_temp_max, hwmon_temp_alarm },
	{ IHSM_SENSOR_VOLTAGE, hwmon_in,
	  HWMON_I_INPUT | HWMON_I_MIN | HWMON_I_MAX | HWMON_I_ALARM | HWMON_I_LABEL,
	  hwmon_in_input, hwmon_in_min, hwmon_in_max, hwmon_in_alarm },
	{ IHSM_SENSOR_ENCLOSURE, hwmon_intrusion, HWMON_INTRUSION_ALARM,
	  NO_ATTR, NO_ATTR, NO_ATTR, hwmon_intrusion_alarm },
};

/* What is known serves for a while, unless the device has told of tampering since. */
static int refresh(struct ihsm_hwmon *mon)
{
	u32 tampers = READ_ONCE(mon->ihsm->notice[IHSM_NOTICE_TAMPER]);
	int err;

	if (mon->valid && mon->tampers == tampers && time_before(jiffies, mon->read_at + FRESH))
		return 0;
	err = ihsm_sensors(mon->ihsm, &mon->page);
	mon->valid = !err;
	mon->tampers = tampers;
	mon->read_at = jiffies;
	return err;
}

/* Return: the kind of what hwmon asks for, and the number of the sensor; or NULL. */
static const struct kind *find_sensor(const struct ihsm_hwmon *mon, enum hwmon_sensor_types type,
				      int channel, unsigned int *index)
{
	unsigned int i;

	if (channel < 0 || channel >= IHSM_MAX_SENSORS)
		return NULL;
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (kinds[i].type != type)
			continue;
		*index = mon->index[i][channel];
		return &kinds[i];
	}
	return NULL;
}

static umode_t sensor_visible(const void *data, enum hwmon_sensor_types type, u32 attr,
			      int channel)
{
	return 0444;
}

static int number(const struct kind *kind, const struct ihsm_sensor *sensor, u32 attr, long *value)
{
	if (attr == kind->input)
		*value = (s32)le32_to_cpu(sensor->value);
	else if (attr == kind->min)
		*value = (s32)le32_to_cpu(sensor->min);
	else if (attr == kind->max)
		*value = (s32)le32_to_cpu(sensor->max);
	else if (attr == kind->alarm)
		*value = !!(sensor->flags & (IHSM_SENSOR_ALARM | IHSM_SENSOR_TRIPPED));
	else
		return -EOPNOTSUPP;
	return 0;
}

static int sensor_read(struct device *dev, enum hwmon_sensor_types type, u32 attr, int channel,
		       long *value)
{
	struct ihsm_hwmon *mon = dev_get_drvdata(dev);
	unsigned int i;
	const struct kind *kind = find_sensor(mon, type, channel, &i);
	int err;

	if (!kind)
		return -EOPNOTSUPP;
	mutex_lock(&mon->lock);
	err = refresh(mon);
	/* The order is to stay; a device that changes it lies about nothing but itself. */
	if (!err)
		err = number(kind, &mon->page.sensor[i], attr, value);
	mutex_unlock(&mon->lock);
	return err;
}

static int sensor_label(struct device *dev, enum hwmon_sensor_types type, u32 attr, int channel,
			const char **label)
{
	struct ihsm_hwmon *mon = dev_get_drvdata(dev);
	unsigned int i;

	if (!find_sensor(mon, type, channel, &i))
		return -EOPNOTSUPP;
	*label = mon->ihsm->sensor_label[i];
	return 0;
}

const struct hwmon_ops ihsm_hwmon_ops = {
	.is_visible = sensor_visible,
	.read = sensor_read,
	.read_string = sensor_label,
};

/* Sort the sensors by kind. Return: how many kinds there are. */
static unsigned int sort_sensors(struct ihsm_hwmon *mon)
{
	unsigned int count = min_t(u32, le32_to_cpu(mon->page.count), IHSM_MAX_SENSORS);
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
