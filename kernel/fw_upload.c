// SPDX-License-Identifier: GPL-2.0-only
/*
 * Firmware by the kernel's own way, /sys/class/firmware/ihsmN: an image is handed to the device,
 * which keeps it. Nothing is checked or activated here; that takes the approval of the device's
 * officers, who do not trust this kernel.
 */
#include <linux/firmware.h>

#include "ihsm.h"

/* What the device's answer means to whoever uploads */
static enum fw_upload_err upload_error(int err)
{
	switch (err) {
	case 0:
		return FW_UPLOAD_ERR_NONE;
	case -ETIMEDOUT:
		return FW_UPLOAD_ERR_TIMEOUT;
	case -EINVAL:
		return FW_UPLOAD_ERR_INVALID_SIZE;
	default:
		return FW_UPLOAD_ERR_RW_ERROR;
	}
}

static enum fw_upload_err upload_prepare(struct fw_upload *upload, const u8 *data, u32 size)
{
	struct ihsm_device *ihsm = upload->dd_handle;

	/* As soon as the image is complete here, somebody may think better of it. */
	if (xchg(&ihsm->upload_cancelled, 0))
		return FW_UPLOAD_ERR_CANCELED;
	if (!size || size > IHSM_IMAGE_MAX)
		return FW_UPLOAD_ERR_INVALID_SIZE;
	return upload_error(ihsm_stage(ihsm, IHSM_STAGE_BEGIN, size, NULL, 0));
}

static enum fw_upload_err upload_write(struct fw_upload *upload, const u8 *data, u32 offset,
				       u32 size, u32 *written)
{
	struct ihsm_device *ihsm = upload->dd_handle;
	u32 len = min(size, IHSM_STAGE_MAX);
	int err;

	if (READ_ONCE(ihsm->upload_cancelled))
		return FW_UPLOAD_ERR_CANCELED;
	err = ihsm_stage(ihsm, IHSM_STAGE_WRITE, offset, data + offset, len);
	if (err)
		return upload_error(err);
	*written = len;
	return FW_UPLOAD_ERR_NONE;
}

static enum fw_upload_err upload_complete(struct fw_upload *upload)
{
	struct ihsm_device *ihsm = upload->dd_handle;

	if (READ_ONCE(ihsm->upload_cancelled))
		return FW_UPLOAD_ERR_CANCELED;
	return upload_error(ihsm_stage(ihsm, IHSM_STAGE_END, 0, NULL, 0));
}

static void upload_cancel(struct fw_upload *upload)
{
	struct ihsm_device *ihsm = upload->dd_handle;

	WRITE_ONCE(ihsm->upload_cancelled, 1);
}

/* What was ended is staged; what was not is forgotten. */
static void upload_cleanup(struct fw_upload *upload)
{
	struct ihsm_device *ihsm = upload->dd_handle;

	ihsm_stage(ihsm, IHSM_STAGE_ABORT, 0, NULL, 0);
	/* This upload's end is not the next one's. */
	WRITE_ONCE(ihsm->upload_cancelled, 0);
}

const struct fw_upload_ops ihsm_upload_ops = {
	.prepare = upload_prepare,
	.write = upload_write,
	.poll_complete = upload_complete,
	.cancel = upload_cancel,
	.cleanup = upload_cleanup,
};

/**
 * ihsm_fw_upload_register() - take images, if the device does
 * @ihsm: live device
 *
 * A device that cannot be offered so works all the same.
 */
void ihsm_fw_upload_register(struct ihsm_device *ihsm)
{
	struct fw_upload *upload;

	if (!IS_ENABLED(CONFIG_FW_UPLOAD) || !ihsm_identify_flag(ihsm, IHSM_IDENTIFY_STAGE))
		return;
	upload = firmware_upload_register(THIS_MODULE, &ihsm->pdev->dev, dev_name(&ihsm->dev),
					  &ihsm_upload_ops, ihsm);
	if (IS_ERR(upload))
		dev_warn(&ihsm->dev, "takes no firmware images (%ld)\n", PTR_ERR(upload));
	else
		ihsm->upload = upload;
}

/**
 * ihsm_fw_upload_unregister() - no upload runs any more when this returns
 * @ihsm: device, registered or not
 */
void ihsm_fw_upload_unregister(struct ihsm_device *ihsm)
{
	if (!ihsm->upload)
		return;
	WRITE_ONCE(ihsm->upload_cancelled, 1);
	firmware_upload_unregister(ihsm->upload);
	ihsm->upload = NULL;
}
