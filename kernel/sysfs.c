// SPDX-License-Identifier: GPL-2.0-only
/*
 * What /sys/class/ihsm/ihsmN tells; Documentation/ABI/testing/sysfs-class-ihsm describes it. Texts of
 * the device are printed only after they were made harmless.
 */
#include <linux/sysfs.h>

#include "ihsm.h"

static struct ihsm_device *to_ihsm(struct device *dev)
{
	return container_of(dev, struct ihsm_device, dev);
}

#define TEXT_MAX	sizeof_field(struct ihsm_identify, model)

/* A text of the device */
#define TEXT_ATTRIBUTE(_name)								\
static ssize_t _name##_show(struct device *dev, struct device_attribute *attr, char *buf)	\
{											\
	struct ihsm_device *ihsm = to_ihsm(dev);					\
	char text[TEXT_MAX + 1];							\
											\
	BUILD_BUG_ON(sizeof(ihsm->identify._name) > TEXT_MAX);				\
	mutex_lock(&ihsm->identify_lock);						\
	ihsm_copy_text(text, ihsm->identify._name, sizeof(ihsm->identify._name));	\
	mutex_unlock(&ihsm->identify_lock);						\
	return sysfs_emit(buf, "%s\n", text);						\
}											\
static DEVICE_ATTR_RO(_name)

/* A number of the device */
#define NUMBER_ATTRIBUTE(_name)								\
static ssize_t _name##_show(struct device *dev, struct device_attribute *attr, char *buf)	\
{											\
	struct ihsm_device *ihsm = to_ihsm(dev);					\
	u32 value;									\
											\
	mutex_lock(&ihsm->identify_lock);						\
	value = le32_to_cpu(ihsm->identify._name);					\
	mutex_unlock(&ihsm->identify_lock);						\
	return sysfs_emit(buf, "%u\n", value);						\
}											\
static DEVICE_ATTR_RO(_name)

TEXT_ATTRIBUTE(serial);
TEXT_ATTRIBUTE(model);
TEXT_ATTRIBUTE(firmware);
NUMBER_ATTRIBUTE(security_version);
NUMBER_ATTRIBUTE(function);
NUMBER_ATTRIBUTE(partitions);

static ssize_t state_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", ihsm_state_name(READ_ONCE(to_ihsm(dev)->state)));
}
static DEVICE_ATTR_RO(state);

static ssize_t device_state_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	static const char * const names[] = {
		[IHSM_STATE_UNCLAIMED] = "unclaimed",
		[IHSM_STATE_OPERATIONAL] = "operational",
		[IHSM_STATE_TAMPERED] = "tampered",
		[IHSM_STATE_RECOVERY] = "recovery",
	};
	struct ihsm_device *ihsm = to_ihsm(dev);
	u32 state;

	mutex_lock(&ihsm->identify_lock);
	state = le32_to_cpu(ihsm->identify.state);
	mutex_unlock(&ihsm->identify_lock);
	return sysfs_emit(buf, "%s\n", state < ARRAY_SIZE(names) ? names[state] : "unknown");
}
static DEVICE_ATTR_RO(device_state);

static ssize_t epoch_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(to_ihsm(dev)->epoch));
}
static DEVICE_ATTR_RO(epoch);

static ssize_t queues_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", to_ihsm(dev)->queues);
}
static DEVICE_ATTR_RO(queues);

static ssize_t virtual_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", !!(to_ihsm(dev)->cap & IHSM_CAP_VIRTUAL));
}
static DEVICE_ATTR_RO(virtual);

static struct attribute *ihsm_attrs[] = {
	&dev_attr_serial.attr,
	&dev_attr_model.attr,
	&dev_attr_firmware.attr,
	&dev_attr_security_version.attr,
	&dev_attr_function.attr,
	&dev_attr_partitions.attr,
	&dev_attr_state.attr,
	&dev_attr_device_state.attr,
	&dev_attr_epoch.attr,
	&dev_attr_queues.attr,
	&dev_attr_virtual.attr,
	NULL
};

static const struct attribute_group ihsm_group = {
	.attrs = ihsm_attrs,
};

const struct attribute_group *ihsm_groups[] = {
	&ihsm_group,
	NULL
};
