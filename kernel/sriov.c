// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtual functions: how many there are (sriov_numvfs), and how many interrupt vectors, and so
 * queue pairs, each of them has (sriov_vf_msix_count). This driver serves them like any other.
 */
#include "ihsm.h"

/**
 * ihsm_sriov_configure() - the kernel's call for sriov_numvfs
 * @pdev: physical function
 * @count: how many virtual functions there are to be; zero: none
 *
 * Return: @count, or a negative errno.
 */
int ihsm_sriov_configure(struct pci_dev *pdev, int count)
{
	struct ihsm_device *ihsm = pci_get_drvdata(pdev);
	int err;

	if (count) {
		/* They go in any state. */
		if (READ_ONCE(ihsm->state) != IHSM_DRIVER_LIVE)
			return -ENODEV;
		err = pci_enable_sriov(pdev, count);
		return err ? err : count;
	}
	if (pci_vfs_assigned(pdev)) {
		dev_warn(&ihsm->dev, "virtual functions belong to guests: they stay\n");
		return -EBUSY;
	}
	pci_disable_sriov(pdev);
	return 0;
}

/**
 * ihsm_sriov_vectors() - the kernel's call for sriov_vf_total_msix
 * @pdev: physical function
 *
 * Return: vectors that can be shared out among the virtual functions; none where the device does
 * not share them.
 */
u32 ihsm_sriov_vectors(struct pci_dev *pdev)
{
	struct ihsm_device *ihsm = pci_get_drvdata(pdev);

	if (!ihsm_identify_flag(ihsm, IHSM_IDENTIFY_VF_SHARE))
		return 0;
	return ihsm->limits.vectors * pci_sriov_get_totalvfs(pdev);
}

/* Which of its physical function's is it? Return: its number, from 0, or a negative errno. */
int ihsm_vf_number(struct pci_dev *vf)
{
	KUNIT_STATIC_STUB_REDIRECT(ihsm_vf_number, vf);
	return pci_iov_vf_id(vf);
}

/**
 * ihsm_sriov_set_vectors() - the kernel's call for a virtual function's sriov_vf_msix_count
 * @vf: virtual function without a driver
 * @count: vectors; zero: the device's own choice
 *
 * Return: 0 or a negative errno.
 */
int ihsm_sriov_set_vectors(struct pci_dev *vf, int count)
{
	struct ihsm_device *ihsm = pci_get_drvdata(pci_physfn(vf));
	int number = ihsm_vf_number(vf);

	if (number < 0)
		return number;
	/* One is the admin queue's; a pair needs another. */
	if (count == 1 || count < 0 || count > IHSM_MAX_VECTORS)
		return -EINVAL;
	if (!ihsm_identify_flag(ihsm, IHSM_IDENTIFY_VF_SHARE))
		return -EOPNOTSUPP;
	return ihsm_vf_share(ihsm, number, count);
}
