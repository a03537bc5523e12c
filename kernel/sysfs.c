// SPDX-License-Identifier: GPL-2.0-only
/*
 * What /sys/class/ihsm/ihsmN tells; Documentation/ABI/testing/sysfs-class-ihsm describes it.
 * Texts of the device are printed only after they were made harmless.
 */
#include <linux/capability.h>
#include <linux/kstrtox.h>
#include <linux/slab.h>
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

static struct field min_security_version = {
	__ATTR(min_security_version, 0444, number_show, NULL),
	offsetof(struct ihsm_identify, min_security_version), sizeof(__le32)
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
		[IHSM_STATE_RETIRED] = "retired",
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

static ssize_t self_test_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	static const char * const names[] = {
		[IHSM_SELF_TEST_NONE] = "none",
		[IHSM_SELF_TEST_PASSED] = "passed",
		[IHSM_SELF_TEST_FAILED] = "failed",
	};
	struct ihsm_device *ihsm = to_ihsm(dev);
	u32 result;

	mutex_lock(&ihsm->identify_lock);
	result = le32_to_cpu(ihsm->identify.self_test);
	mutex_unlock(&ihsm->identify_lock);
	return sysfs_emit(buf, "%s\n", result < ARRAY_SIZE(names) ? names[result] : "unknown");
}
static DEVICE_ATTR_RO(self_test);

/* As many as the device tells of; there may be more. */
static ssize_t partition_list_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct ihsm_device *ihsm = to_ihsm(dev);
	int len = 0;
	u32 count, i;

	mutex_lock(&ihsm->identify_lock);
	count = min_t(u32, le32_to_cpu(ihsm->identify.partitions), IHSM_IDENTIFY_PARTITIONS);
	for (i = 0; i < count; i++)
		len += sysfs_emit_at(buf, len, "%u %pUb\n",
				     le32_to_cpu(ihsm->identify.partition[i].slot),
				     ihsm->identify.partition[i].id);
	mutex_unlock(&ihsm->identify_lock);
	return len;
}
static DEVICE_ATTR_RO(partition_list);

static ssize_t reset_store(struct device *dev, struct device_attribute *attr, const char *buf,
			   size_t count)
{
	bool yes;
	int err = kstrtobool(buf, &yes);

	/* As by ioctl: in a container the owner of the file may be somebody with less. */
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (!err && !yes)
		err = -EINVAL;
	if (!err)
		err = ihsm_reset_now(to_ihsm(dev));
	return err ? err : count;
}
static DEVICE_ATTR_WO(reset);

static struct counter submitted = {
	__ATTR(submitted, 0444, counter_show, NULL), offsetof(struct ihsm_queue, submitted)
};

static struct counter completed = {
	__ATTR(completed, 0444, counter_show, NULL), offsetof(struct ihsm_queue, completed)
};

static struct counter errors = {
	__ATTR(errors, 0444, counter_show, NULL), offsetof(struct ihsm_queue, errors)
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
	&dev_attr_partition_list.attr,
	&min_security_version.attr.attr,
	&dev_attr_self_test.attr,
	&dev_attr_reset.attr,
	&dev_attr_state.attr,
	&dev_attr_device_state.attr,
	&dev_attr_epoch.attr,
	&dev_attr_queues.attr,
	&dev_attr_virtual.attr,
	&submitted.attr.attr,
	&completed.attr.attr,
	&errors.attr.attr,
	&timeouts.attr.attr,
	&missed.attr.attr,
	&bogus.attr.attr,
	NULL
};

/* What a device does not know of itself is not there. */
static umode_t attr_visible(struct kobject *kobj, struct attribute *attr, int index)
{
	struct ihsm_device *ihsm = to_ihsm(kobj_to_dev(kobj));
	bool there = true;

	mutex_lock(&ihsm->identify_lock);
	if (attr == &dev_attr_self_test.attr)
		there = le32_to_cpu(ihsm->identify.self_test) != IHSM_SELF_TEST_NONE;
	else if (attr == &min_security_version.attr.attr)
		there = ihsm->identify.min_security_version;
	mutex_unlock(&ihsm->identify_lock);
	return there ? attr->mode : 0;
}

static const struct attribute_group ihsm_group = {
	.attrs = ihsm_attrs,
	.is_visible = attr_visible,
};

const struct attribute_group *ihsm_groups[] = {
	&ihsm_group,
	NULL
};

/* ---- a directory for each queue ---- */

#define QUEUE_COUNTERS	4

/**
 * struct queue_counter - an attribute that is a counter of one queue
 * @attr: its name, and how it is shown
 * @qid: the queue
 * @offset: in struct ihsm_queue
 */
struct queue_counter {
	struct device_attribute attr;
	unsigned int qid;
	size_t offset;
};

struct queue_group {
	char name[sizeof("queue4294967295")];
	struct queue_counter counter[QUEUE_COUNTERS];
	struct attribute *attrs[QUEUE_COUNTERS + 1];
	struct attribute_group group;
};

static ssize_t queue_counter_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct queue_counter *counter = container_of(attr, struct queue_counter, attr);
	struct ihsm_queue *queue = to_ihsm(dev)->queue[counter->qid];
	u64 value;

	spin_lock_irq(&queue->lock);
	value = *(u64 *)((char *)queue + counter->offset);
	spin_unlock_irq(&queue->lock);
	return sysfs_emit(buf, "%llu\n", value);
}

static void init_group(struct queue_group *group, unsigned int qid)
{
	static const struct {
		const char *name;
		size_t offset;
	} counters[QUEUE_COUNTERS] = {
		{ "submitted", offsetof(struct ihsm_queue, submitted) },
		{ "completed", offsetof(struct ihsm_queue, completed) },
		{ "errors", offsetof(struct ihsm_queue, errors) },
		{ "timeouts", offsetof(struct ihsm_queue, timeouts) },
	};
	unsigned int i;

	snprintf(group->name, sizeof(group->name), "queue%u", qid);
	for (i = 0; i < QUEUE_COUNTERS; i++) {
		struct queue_counter *counter = &group->counter[i];

		sysfs_attr_init(&counter->attr.attr);
		counter->attr.attr.name = counters[i].name;
		counter->attr.attr.mode = 0444;
		counter->attr.show = queue_counter_show;
		counter->qid = qid;
		counter->offset = counters[i].offset;
		group->attrs[i] = &counter->attr.attr;
	}
	group->group.name = group->name;
	group->group.attrs = group->attrs;
}

/**
 * ihsm_sysfs_add_queues() - a directory with counters for each queue
 * @ihsm: device; it goes with its own directory
 *
 * Return: 0 or a negative errno. ihsm_sysfs_free_queues() in both cases.
 */
int ihsm_sysfs_add_queues(struct ihsm_device *ihsm)
{
	unsigned int i;
	int err = 0;

	ihsm->queue_groups = kcalloc(1 + ihsm->queues, sizeof(*ihsm->queue_groups), GFP_KERNEL);
	if (!ihsm->queue_groups)
		return -ENOMEM;
	for (i = 0; i <= ihsm->queues && !err; i++) {
		init_group(&ihsm->queue_groups[i], i);
		err = sysfs_create_group(&ihsm->dev.kobj, &ihsm->queue_groups[i].group);
	}
	return err;
}

/**
 * ihsm_sysfs_free_queues() - after the device's directory is gone
 * @ihsm: device
 */
void ihsm_sysfs_free_queues(struct ihsm_device *ihsm)
{
	kfree(ihsm->queue_groups);
	ihsm->queue_groups = NULL;
}
