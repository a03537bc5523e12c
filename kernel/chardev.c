// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/ihsmN: one table of ioctls. What an ioctl needs, its sizes and its rights, is in the table,
 * and whether it comes by io_uring as well.
 */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "ihsm.h"
#include "uring.h"

union ioctl_buffer {
	struct ihsm_info info;
	struct ihsm_command command;
	struct ihsm_reset reset;
	struct ihsm_events events;
};

/* What the device said about itself goes to the program, from a copy: its memory may be slow. */
static int copy_identity(struct ihsm_device *ihsm, void __user *to, size_t len)
{
	struct ihsm_identify *identify;
	int err;

	mutex_lock(&ihsm->identify_lock);
	identify = kmemdup(&ihsm->identify, sizeof(*identify), GFP_KERNEL_ACCOUNT);
	mutex_unlock(&ihsm->identify_lock);
	if (!identify)
		return -ENOMEM;
	err = copy_to_user(to, identify, min(len, sizeof(*identify))) ? -EFAULT : 0;
	kfree(identify);
	return err;
}

static int ioctl_info(struct ihsm_context *context, void *buffer)
{
	struct ihsm_device *ihsm = context->ihsm;
	struct ihsm_info *info = buffer;
	int err;

	err = ihsm_check_info(info);
	if (!err)
		err = ihsm_enter(ihsm, true);
	if (err)
		return err;
	info->abi = IHSM_ABI_VERSION;
	info->state = READ_ONCE(ihsm->state);
	info->context = context->id;
	info->epoch = READ_ONCE(ihsm->epoch);
	info->max_message = context->max_message;
	info->cap = ihsm->cap;
	info->hw_version = ihsm->hw_version;
	info->queues = ihsm->queues;
	ihsm_leave(ihsm);
	/* The structure is the file's, whatever becomes of the device. */
	if (!info->identify_len)
		return 0;
	return copy_identity(ihsm, u64_to_user_ptr(info->identify), info->identify_len);
}

static int ioctl_command(struct ihsm_context *context, void *buffer)
{
	return ihsm_command(context, buffer);
}

static int ioctl_reset(struct ihsm_context *context, void *buffer)
{
	struct ihsm_device *ihsm = context->ihsm;
	const struct ihsm_reset *reset = buffer;
	int err;

	if (reset->flags)
		return -EINVAL;
	err = ihsm_enter(ihsm, true);
	if (err)
		return err;
	ihsm_reset_later(ihsm, NULL);
	ihsm_leave(ihsm);
	return ihsm_reset_wait(ihsm, IHSM_WAIT);
}

static int ioctl_events(struct ihsm_context *context, void *buffer)
{
	struct ihsm_events *events = buffer;

	if (events->flags || events->reserved)
		return -EINVAL;
	events->events = ihsm_notices(context, true);
	return 0;
}

/**
 * struct ioctl_op - an ioctl
 * @cmd: its whole number
 * @size: of its structure as we know it
 * @min_size: of its first version
 * @admin: needs CAP_SYS_ADMIN
 * @write: needs a file that is open for writing
 * @uring: comes by io_uring as well
 * @execute: with @size bytes, which go back to the caller on success
 */
struct ioctl_op {
	unsigned int cmd;
	u32 size;
	u32 min_size;
	bool admin;
	bool write;
	bool uring;
	int (*execute)(struct ihsm_context *context, void *buffer);
};

static const struct ioctl_op ioctl_ops[] = {
	{
		.cmd = IHSM_IOC_INFO,
		.size = sizeof(struct ihsm_info),
		.min_size = offsetofend(struct ihsm_info, reserved),
		.execute = ioctl_info,
	}, {
		.cmd = IHSM_IOC_COMMAND,
		.size = sizeof(struct ihsm_command),
		.min_size = offsetofend(struct ihsm_command, poll_us),
		.write = true,
		.uring = true,
		.execute = ioctl_command,
	}, {
		.cmd = IHSM_IOC_RESET,
		.size = sizeof(struct ihsm_reset),
		.min_size = offsetofend(struct ihsm_reset, flags),
		.admin = true,
		.write = true,
		.execute = ioctl_reset,
	}, {
		.cmd = IHSM_IOC_EVENTS,
		.size = sizeof(struct ihsm_events),
		.min_size = offsetofend(struct ihsm_events, reserved),
		.execute = ioctl_events,
	},
};

static const struct ioctl_op *find_op(unsigned int cmd)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ioctl_ops); i++) {
		if (ioctl_ops[i].cmd == cmd)
			return &ioctl_ops[i];
	}
	return NULL;
}

/* May this file's user do this? Then take over the structure, read once. Return: 0 or an errno. */
static int take_argument(const struct file *file, const struct ioctl_op *op, void __user *user,
			 union ioctl_buffer *buffer, u32 *size)
{
	if (op->write && !(file->f_mode & FMODE_WRITE))
		return -EBADF;
	if (op->admin && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (get_user(*size, (u32 __user *)user))
		return -EFAULT;
	if (*size < op->min_size)
		return -EINVAL;
	if (*size > PAGE_SIZE)
		return -E2BIG;
	return copy_struct_from_user(buffer, op->size, user, *size);
}

static long ihsm_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	const struct ioctl_op *op = find_op(cmd);
	void __user *user = (void __user *)arg;
	union ioctl_buffer buffer = {};
	u32 size;
	int err;

	if (!op)
		return -ENOTTY;
	err = take_argument(file, op, user, &buffer, &size);
	if (!err)
		err = op->execute(file->private_data, &buffer);
	if (err)
		return err;
	return copy_to_user(user, &buffer, min(size, op->size)) ? -EFAULT : 0;
}

/* The entry is shared with the program: it is read once. cmd_op was taken over by the core. */
static int ihsm_uring_cmd(struct io_uring_cmd *ioucmd, unsigned int issue_flags)
{
	const struct ioctl_op *op;
	struct ihsm_uring entry;

	if (issue_flags & IHSM_URING_CANCEL)
		return ihsm_uring_cancel(ioucmd);
	op = find_op(ioucmd->cmd_op);
	if (!op || !op->uring)
		return -ENOTTY;
	if (op->write && !(ioucmd->file->f_mode & FMODE_WRITE))
		return -EBADF;
	if (!(issue_flags & IO_URING_F_SQE128))
		return -EINVAL;
	entry = *(const struct ihsm_uring *)IHSM_URING_ENTRY(ioucmd);
	/* What is looked at from here on is the copy. */
	barrier();
	if (entry.command.size < op->min_size || entry.command.poll_us)
		return -EINVAL;
	if (entry.command.size > sizeof(entry) || memchr_inv(entry.rest, 0, sizeof(entry.rest)))
		return -E2BIG;
	return ihsm_uring_command(ioucmd, ioucmd->file->private_data, &entry.command, issue_flags);
}

static __poll_t ihsm_poll(struct file *file, poll_table *wait)
{
	struct ihsm_context *context = file->private_data;
	struct ihsm_device *ihsm = context->ihsm;
	__poll_t mask = 0;

	poll_wait(file, &ihsm->state_wait, wait);
	if (ihsm_notices(context, false))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (READ_ONCE(ihsm->state) >= IHSM_DRIVER_DEAD)
		mask |= EPOLLHUP | EPOLLERR;
	return mask;
}

static int ihsm_open(struct inode *inode, struct file *file)
{
	struct ihsm_device *ihsm = container_of(inode->i_cdev, struct ihsm_device, cdev);
	struct ihsm_context *context = ihsm_context_open(ihsm);

	if (IS_ERR(context))
		return PTR_ERR(context);
	file->private_data = context;
	return nonseekable_open(inode, file);
}

static int ihsm_release(struct inode *inode, struct file *file)
{
	ihsm_context_close(file->private_data);
	return 0;
}

const struct file_operations ihsm_fops = {
	.owner = THIS_MODULE,
	.open = ihsm_open,
	.release = ihsm_release,
	.unlocked_ioctl = ihsm_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.uring_cmd = ihsm_uring_cmd,
	.uring_cmd_iopoll = ihsm_uring_poll,
	.poll = ihsm_poll,
};
