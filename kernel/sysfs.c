// SPDX-License-Identifier: GPL-2.0-only
/*
 * What /sys/class/ihsm/ihsmN tells; Documentation/ABI/testing/sysfs-class-ihsm describes it.
 * Texts of the device are printed only after they were made harmless.
 */
#include <linux/sysfs.h>

#include "ihsm.h"

static struct ihsm_device *to_ihsm(struct device *dev)
{
	return container_of(dev, struct ihsm_device, dev);
}

/**
 * struct field - an attribute that is a field of what the device says about itself
 * @attr: its name, and how it is shown
 * @offset: in struct ihsm_identify
 * @size: bytes there
 */
struct field {
	struct device_attribute attr;
	size_t offset;
	size_t size;
};

#define TEXT_MAX	sizeof_field(struct ihsm_identify, model)

static ssize_t text_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct field *field = container_of(attr, struct field, attr);
	struct ihsm_device *ihsm = to_ihsm(dev);
	char text[TEXT_MAX + 1];

	mutex_lock(&ihsm->identify_lock);
	ihsm_copy_text(text, (char *)&ihsm->identify + field->offset, min(field->size, TEXT_MAX));
	mutex_unlock(&ihsm->identify_lock);
	return sysfs_emit(buf, "%s\n", text);
}

static ssize_t number_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct field *field = container_of(attr, struct field, attr);
	struct ihsm_device *ihsm = to_ihsm(dev);
	__le32 value;

	mutex_lock(&ihsm->identify_lock);
	memcpy(&value, (char *)&ihsm->identify + field->offset, sizeof(value));
	mutex_unlock(&ihsm->identify_lock);
	return sysfs_emit(buf, "%u\n", le32_to_cpu(value));
}

static struct field serial = {
	__ATTR(serial, 0444, text_show, NULL),
	offsetof(struct ihsm_identify, serial), sizeof_field(struct ihsm_identify, serial)
};

static struct field model = {
	__ATTR(model, 0444, text_show, NULL),
	offsetof(struct ihsm_identify, model), sizeof_field(struct ihsm_identify, model)
};

static struct field firmware = {
	__ATTR(firmware, 0444, text_show, NULL),
	offsetof(struct ihsm_identify, firmware), sizeof_field(struct ihsm_identify, firmware)
};

static struct field security_version = {
	__ATTR(security_version, 0444, number_show, NULL),
	offsetof(struct ihsm_identify, security_version), sizeof(__le32)
};

static struct field function = {
	__ATTR(function, 0444, number_show, NULL),
	offsetof(struct ihsm_identify, function), sizeof(__le32)
};

static struct field partitions = {
	__ATTR(partitions, 0444, number_show, NULL),
	offsetof(struct ihsm_identify, partitions), sizeof(__le32)
};

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
		[IHSM_STATE_ERROR] = "error",
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

/**
 * struct counter - an attribute that is a counter, over all queues
 * @attr: its name, and how it is shown
 * @offset: in struct ihsm_queue
 */
struct counter {
	struct device_attribute attr;
	size_t offset;
};

static ssize_t counter_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct counter *counter = container_of(attr, struct counter, attr);
	struct ihsm_device *ihsm = to_ihsm(dev);
	u64 sum = 0;
	unsigned int i;

	for (i = 0; i <= ihsm->queues; i++) {
		struct ihsm_queue *queue = ihsm->queue[i];

		spin_lock_irq(&queue->lock);
		sum += *(u64 *)((char *)queue + counter->offset);
		spin_unlock_irq(&queue->lock);
	}
	return sysfs_emit(buf, "%llu\n", sum);
}

static struct counter submitted = {
	__ATTR(submitted, 0444, counter_show, NULL), offsetof(struct ihsm_queue, submitted)
};

static struct counter completed = {
	__ATTR(completed, 0444, counter_show, NULL), offsetof(struct ihsm_queue, completed)
};

static struct counter timeouts = {
	__ATTR(timeouts, 0444, counter_show, NULL), offsetof(struct ihsm_queue, timeouts)
};

static struct counter missed = {
	__ATTR(missed, 0444, counter_show, NULL), offsetof(struct ihsm_queue, missed)
};

static struct counter bogus = {
	__ATTR(bogus, 0444, counter_show, NULL), offsetof(struct ihsm_queue, bogus)
};

static struct attribute *ihsm_attrs[] = {
	&serial.attr.attr,
	&model.attr.attr,
	&firmware.attr.attr,
	&security_version.attr.attr,
	&function.attr.attr,
	&partitions.attr.attr,
	&dev_attr_state.attr,
	&dev_attr_device_state.attr,
	&dev_attr_epoch.attr,
	&dev_attr_queues.attr,
	&dev_attr_virtual.attr,
	&submitted.attr.attr,
	&completed.attr.attr,
	&timeouts.attr.attr,
	&missed.attr.attr,
	&bogus.attr.attr,
	NULL
};

static const struct attribute_group ihsm_group = {
	.attrs = ihsm_attrs,
};

const struct attribute_group *ihsm_groups[] = {
	&ihsm_group,
	NULL
};
