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
 * @names: of the values of a number that has names
 * @count: how many
 */
struct field {
	struct device_attribute attr;
	size_t offset;
	size_t size;
	const char * const *names;
	u32 count;
};

#define FIELD(_name, _show, _member, ...)					\
	struct field _name = {							\
		.attr = __ATTR(_name, 0444, _show, NULL),			\
		.offset = offsetof(struct ihsm_identify, _member),		\
		.size = sizeof_field(struct ihsm_identify, _member),		\
		__VA_ARGS__							\
	}
#define NAMES(list)	.names = (list), .count = ARRAY_SIZE(list)
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
	u32 value;

	mutex_lock(&ihsm->identify_lock);
	value = le32_to_cpup((__le32 *)((char *)&ihsm->identify + field->offset));
	mutex_unlock(&ihsm->identify_lock);
	if (!field->names)
		return sysfs_emit(buf, "%u\n", value);
	return sysfs_emit(buf, "%s\n", value < field->count ? field->names[value] : "unknown");
}

static const char * const device_states[] = {
	[IHSM_STATE_UNCLAIMED] = "unclaimed",
	[IHSM_STATE_OPERATIONAL] = "operational",
	[IHSM_STATE_TAMPERED] = "tampered",
	[IHSM_STATE_RECOVERY] = "recovery",
	[IHSM_STATE_ERROR] = "error",
	[IHSM_STATE_RETIRED] = "retired",
};

static const char * const self_tests[] = {
	[IHSM_SELF_TEST_NONE] = "none",
	[IHSM_SELF_TEST_PASSED] = "passed",
	[IHSM_SELF_TEST_FAILED] = "failed",
};

static FIELD(serial, text_show, serial);
static FIELD(model, text_show, model);
static FIELD(firmware, text_show, firmware);
static FIELD(security_version, number_show, security_version);
static FIELD(function, number_show, function);
static FIELD(partitions, number_show, partitions);
static FIELD(min_security_version, number_show, min_security_version);
static FIELD(device_state, number_show, state, NAMES(device_states));
static FIELD(self_test, number_show, self_test, NAMES(self_tests));

static ssize_t state_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", ihsm_state_name(READ_ONCE(to_ihsm(dev)->state)));
}
static DEVICE_ATTR_RO(state);

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
	if (!err) {
		ihsm_reset_later(to_ihsm(dev), NULL);
		err = ihsm_reset_wait(to_ihsm(dev), TASK_KILLABLE);
	}
	return err ? err : count;
}
static DEVICE_ATTR_WO(reset);

/* ---- counters ---- */

#define ALL_QUEUES	(-1)

/**
 * struct counter - an attribute that is a counter of queues
 * @attr: its name, and how it is shown
 * @qid: the queue, or ALL_QUEUES
 * @offset: in struct ihsm_queue
 */
struct counter {
	struct device_attribute attr;
	int qid;
	size_t offset;
};

static ssize_t counter_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct counter *counter = container_of(attr, struct counter, attr);
	struct ihsm_device *ihsm = to_ihsm(dev);
	u64 sum = 0;
	int i;

	for (i = 0; i <= ihsm->queues; i++) {
		struct ihsm_queue *queue = ihsm->queue[i];

		if (counter->qid != ALL_QUEUES && counter->qid != i)
			continue;
		spin_lock_irq(&queue->lock);
		sum += *(u64 *)((char *)queue + counter->offset);
		spin_unlock_irq(&queue->lock);
	}
	return sysfs_emit(buf, "%llu\n", sum);
}

#define COUNTER(_name)								\
	struct counter _name = {						\
		.attr = __ATTR(_name, 0444, counter_show, NULL),		\
		.qid = ALL_QUEUES,						\
		.offset = offsetof(struct ihsm_queue, _name),			\
	}

static COUNTER(submitted);
static COUNTER(completed);
static COUNTER(errors);
static COUNTER(timeouts);
static COUNTER(missed);
static COUNTER(bogus);

/* ---- what there is of each device ---- */

static struct attribute *ihsm_attrs[] = {
	&serial.attr.attr,
	&model.attr.attr,
	&firmware.attr.attr,
	&security_version.attr.attr,
	&function.attr.attr,
	&partitions.attr.attr,
	&dev_attr_partition_list.attr,
	&min_security_version.attr.attr,
	&self_test.attr.attr,
	&dev_attr_reset.attr,
	&dev_attr_state.attr,
	&device_state.attr.attr,
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
	if (attr == &self_test.attr.attr)
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

/* Those that are of interest for a single queue */
static const struct counter * const queue_counters[] = {
	&submitted, &completed, &errors, &timeouts
};

struct queue_group {
	char name[sizeof("queue4294967295")];
	struct counter counter[ARRAY_SIZE(queue_counters)];
	struct attribute *attrs[ARRAY_SIZE(queue_counters) + 1];
	struct attribute_group group;
};

/**
 * struct queue_groups - the directories of a device's queues
 * @list: of all, ended by NULL
 * @queue: one for each queue
 */
struct queue_groups {
	const struct attribute_group *list[1 + IHSM_MAX_QUEUES + 1];
	struct queue_group queue[];
};

static void init_group(struct queue_group *group, unsigned int qid)
{
	unsigned int i;

	snprintf(group->name, sizeof(group->name), "queue%u", qid);
	for (i = 0; i < ARRAY_SIZE(queue_counters); i++) {
		struct counter *counter = &group->counter[i];

		*counter = *queue_counters[i];
		counter->qid = qid;
		sysfs_attr_init(&counter->attr.attr);
		group->attrs[i] = &counter->attr.attr;
	}
	group->group.name = group->name;
	group->group.attrs = group->attrs;
}

/**
 * ihsm_sysfs_queues() - a directory with counters for each queue
 * @ihsm: device; its directory has not been made. What is allocated goes with the device.
 *
 * Return: 0 or -ENOMEM.
 */
int ihsm_sysfs_queues(struct ihsm_device *ihsm)
{
	struct queue_groups *groups;
	unsigned int i;

	groups = kzalloc(struct_size(groups, queue, 1 + ihsm->queues), GFP_KERNEL);
	if (!groups)
		return -ENOMEM;
	for (i = 0; i <= ihsm->queues; i++) {
		init_group(&groups->queue[i], i);
		groups->list[i] = &groups->queue[i].group;
	}
	ihsm->queue_groups = groups;
	ihsm->dev.groups = groups->list;
	return 0;
}
