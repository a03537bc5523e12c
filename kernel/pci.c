// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module, and a PCI function's way in and out: probe, remove, shutdown, and what happens
 * to the function in between: resets, errors of the bus, sleep.
 *
 * The device structure belongs to the class device and lives until the last open file is
 * closed; what belongs to the PCI function goes with remove.
 */
#include <linux/idr.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "ihsm.h"

#define IHSM_MINORS	256

static dev_t ihsm_devt;
static DEFINE_IDA(ihsm_ida);

static void ihsm_device_release(struct device *dev)
{
	struct ihsm_device *ihsm = container_of(dev, struct ihsm_device, dev);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ihsm->queue); i++)
		kfree(ihsm->queue[i]);
	ida_free(&ihsm_ida, MINOR(dev->devt));
	mutex_destroy(&ihsm->control);
	mutex_destroy(&ihsm->identify_lock);
	kfree(ihsm->queue_groups);
	kfree(ihsm->cpu_queue);
	kfree(ihsm);
}

static struct class ihsm_class = {
	.name = "ihsm",
	.dev_groups = ihsm_groups,
	.dev_release = ihsm_device_release,
};

static void init_device(struct ihsm_device *ihsm, struct pci_dev *pdev)
{
	ihsm->pdev = pdev;
	init_rwsem(&ihsm->gate);
	mutex_init(&ihsm->control);
	mutex_init(&ihsm->identify_lock);
	spin_lock_init(&ihsm->state_lock);
	init_waitqueue_head(&ihsm->state_wait);
	init_llist_head(&ihsm->orphans);
	INIT_DELAYED_WORK(&ihsm->watch, ihsm_watch_work);
	INIT_WORK(&ihsm->reset_work, ihsm_reset_work);
	INIT_WORK(&ihsm->orphan_work, ihsm_orphan_work);
	INIT_DELAYED_WORK(&ihsm->event_work, ihsm_event_work);
}

static struct ihsm_device *alloc_device(struct pci_dev *pdev)
{
	struct ihsm_device *ihsm = kzalloc_obj(*ihsm, GFP_KERNEL);
	int minor;

	if (!ihsm)
		return ERR_PTR(-ENOMEM);
	minor = ida_alloc_max(&ihsm_ida, IHSM_MINORS - 1, GFP_KERNEL);
	if (minor < 0) {
		kfree(ihsm);
		return ERR_PTR(minor);
	}
	init_device(ihsm, pdev);
	ihsm->dev.devt = MKDEV(MAJOR(ihsm_devt), minor);
	ihsm->dev.class = &ihsm_class;
	ihsm->dev.parent = &pdev->dev;
	device_initialize(&ihsm->dev);
	cdev_init(&ihsm->cdev, &ihsm_fops);
	ihsm->cdev.owner = THIS_MODULE;
	ihsm->cpu_queue = kcalloc(nr_cpu_ids, sizeof(*ihsm->cpu_queue), GFP_KERNEL);
	if (!ihsm->cpu_queue || dev_set_name(&ihsm->dev, "ihsm%d", minor)) {
		put_device(&ihsm->dev);
		return ERR_PTR(-ENOMEM);
	}
	return ihsm;
}

/* ---- what belongs to the PCI function ---- */

static int map_registers(struct ihsm_device *ihsm)
{
	struct pci_dev *pdev = ihsm->pdev;
	int err;

	/* A former user may have left it running: it is stopped first, see ihsm_start(). */
	pci_clear_master(pdev);
	err = pci_enable_device_mem(pdev);
	if (err)
		return err;
	err = pci_request_mem_regions(pdev, "ihsm");
	if (err)
		goto disable;
	err = -ENODEV;
	if (pci_resource_len(pdev, IHSM_BAR_REGS) >= IHSM_BAR_REGS_SIZE)
		ihsm->regs = pci_iomap(pdev, IHSM_BAR_REGS, IHSM_BAR_REGS_SIZE);
	if (!ihsm->regs)
		goto release;
	return 0;
release:
	pci_release_mem_regions(pdev);
disable:
	pci_disable_device(pdev);
	return err;
}

static void unmap_registers(struct ihsm_device *ihsm)
{
	struct pci_dev *pdev = ihsm->pdev;

	pci_iounmap(pdev, ihsm->regs);
	ihsm->regs = NULL;
	pci_release_mem_regions(pdev);
	pci_disable_device(pdev);
}

/* Nobody uses the device any more, it is stopped: give back all but the structure itself. */
static void tear_down(struct ihsm_device *ihsm)
{
	unsigned int i;

	for (i = 0; i <= ihsm->queues; i++) {
		if (ihsm->queue[i])
			ihsm_irq_free(ihsm->queue[i]);
	}
	/* One leads to the next. */
	flush_work(&ihsm->orphan_work);
	cancel_delayed_work_sync(&ihsm->event_work);
	cancel_delayed_work_sync(&ihsm->watch);
	/* What is queued still runs: orphans are freed here. */
	destroy_workqueue(ihsm->wq);
	pci_free_irq_vectors(ihsm->pdev);
	unmap_registers(ihsm);
}

/* Bring the device up, with everything that it needs. */
static int set_up(struct ihsm_device *ihsm)
{
	struct device *dev = &ihsm->pdev->dev;
	int err;

	err = map_registers(ihsm);
	if (err)
		return dev_err_probe(dev, err, "cannot map the registers\n");
	err = ihsm_controller_probe(ihsm);
	if (err)
		goto unmap;
	err = ihsm_irq_vectors(ihsm);
	if (err) {
		dev_err_probe(dev, err, "no interrupt vectors\n");
		goto unmap;
	}
	err = -ENOMEM;
	ihsm->wq = alloc_ordered_workqueue("%s", WQ_MEM_RECLAIM, dev_name(&ihsm->dev));
	if (!ihsm->wq)
		goto vectors;
	err = ihsm_controller_alloc(ihsm);
	if (!err)
		err = ihsm_sysfs_queues(ihsm);
	if (err)
		goto queues;
	err = ihsm_start(ihsm);
	if (!err)
		return 0;
	ihsm_stop(ihsm, -ENODEV);
	dev_err_probe(dev, err, "the device does not start\n");
queues:
	tear_down(ihsm);
	return err;
vectors:
	pci_free_irq_vectors(ihsm->pdev);
unmap:
	unmap_registers(ihsm);
	return err;
}

/* ---- what else the kernel uses of it ---- */

static void offer(struct ihsm_device *ihsm)
{
	/* Without these the device works, only less of it is seen. */
	ihsm_hwrng_register(ihsm);
	ihsm_hwmon_register(ihsm);
	ihsm_fw_upload_register(ihsm);
}

static void withdraw(struct ihsm_device *ihsm)
{
	ihsm_fw_upload_unregister(ihsm);
	ihsm_hwmon_unregister(ihsm);
	ihsm_hwrng_unregister(ihsm);
}

/* ---- the driver ---- */

/* No work of ours starts or stops the device after this. */
static void stop_for_good(struct ihsm_device *ihsm)
{
	ihsm_set_state(ihsm, IHSM_DRIVER_DELETING);
	cancel_delayed_work_sync(&ihsm->watch);
	cancel_work_sync(&ihsm->reset_work);
	mutex_lock(&ihsm->control);
	ihsm_stop(ihsm, -ENODEV);
	mutex_unlock(&ihsm->control);
}

static int ihsm_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct ihsm_device *ihsm = alloc_device(pdev);
	int err;

	if (IS_ERR(ihsm))
		return PTR_ERR(ihsm);
	err = set_up(ihsm);
	if (err)
		goto put;
	pci_set_drvdata(pdev, ihsm);
	/* For after a reset of the slot */
	pci_save_state(pdev);
	ihsm_set_state(ihsm, IHSM_DRIVER_LIVE);
	err = cdev_device_add(&ihsm->cdev, &ihsm->dev);
	if (err)
		goto stop;
	queue_delayed_work(ihsm->wq, &ihsm->watch, HZ);
	offer(ihsm);
	dev_info(&ihsm->dev, "%u queues, messages up to %u bytes\n", ihsm->queues,
		 ihsm->max_message);
	return 0;
stop:
	stop_for_good(ihsm);
	tear_down(ihsm);
put:
	put_device(&ihsm->dev);
	return err;
}

static void ihsm_remove(struct pci_dev *pdev)
{
	struct ihsm_device *ihsm = pci_get_drvdata(pdev);

	pci_disable_sriov(pdev);
	/*
	 * Ends what open files and the writers of sysfs wait for: those below wait for them, and a
	 * reset that is held has no other end.
	 */
	stop_for_good(ihsm);
	withdraw(ihsm);
	cdev_device_del(&ihsm->cdev, &ihsm->dev);
	down_write(&ihsm->gate);
	ihsm->gone = true;
	up_write(&ihsm->gate);
	tear_down(ihsm);
	put_device(&ihsm->dev);
}

static void ihsm_shutdown(struct pci_dev *pdev)
{
	stop_for_good(pci_get_drvdata(pdev));
}

/*
 * Keep the device stopped until go_on(): for what happens to the function behind our back. Its
 * settings and all contexts are lost. A restart that is under way ends first, and none begins.
 */
static void hold(struct ihsm_device *ihsm, enum ihsm_hold what)
{
	mutex_lock(&ihsm->control);
	ihsm->held |= what;
	ihsm_set_state(ihsm, IHSM_DRIVER_RESETTING);
	if (READ_ONCE(ihsm->state) == IHSM_DRIVER_RESETTING)
		ihsm_stop(ihsm, -ECANCELED);
	mutex_unlock(&ihsm->control);
}

/* The last one to end starts the device: before that it may not even be there. */
static void go_on(struct ihsm_device *ihsm, enum ihsm_hold what)
{
	mutex_lock(&ihsm->control);
	ihsm->held &= ~what;
	if (!ihsm->held && READ_ONCE(ihsm->state) == IHSM_DRIVER_RESETTING)
		ihsm_restart(ihsm);
	mutex_unlock(&ihsm->control);
}

/* A function reset, by sysfs for example */
static void ihsm_reset_prepare(struct pci_dev *pdev)
{
	hold(pci_get_drvdata(pdev), IHSM_HOLD_RESET);
}

static void ihsm_reset_done(struct pci_dev *pdev)
{
	go_on(pci_get_drvdata(pdev), IHSM_HOLD_RESET);
}

/* ---- errors of the bus: Documentation/PCI/pci-error-recovery.rst ---- */

static pci_ers_result_t ihsm_error_detected(struct pci_dev *pdev, pci_channel_state_t state)
{
	struct ihsm_device *ihsm = pci_get_drvdata(pdev);

	dev_warn_ratelimited(&ihsm->dev, "error on the bus\n");
	/* Where it cannot be reached it is not reset, only kept from memory. */
	hold(ihsm, IHSM_HOLD_BUS);
	if (state != pci_channel_io_perm_failure)
		return PCI_ERS_RESULT_NEED_RESET;
	mutex_lock(&ihsm->control);
	ihsm->held &= ~IHSM_HOLD_BUS;
	ihsm_die(ihsm, "the bus has given it up");
	mutex_unlock(&ihsm->control);
	return PCI_ERS_RESULT_DISCONNECT;
}

/*
 * The function has been enabled all the time: its settings are all that it lacks. It may not write
 * before ihsm_start() has seen it stop; that its slot was reset is more than is known here.
 */
static pci_ers_result_t ihsm_slot_reset(struct pci_dev *pdev)
{
	pci_restore_state(pdev);
	pci_save_state(pdev);
	pci_clear_master(pdev);
	return PCI_ERS_RESULT_RECOVERED;
}

static void ihsm_error_resume(struct pci_dev *pdev)
{
	go_on(pci_get_drvdata(pdev), IHSM_HOLD_BUS);
}

const struct pci_error_handlers ihsm_errors = {
	.error_detected = ihsm_error_detected,
	.slot_reset = ihsm_slot_reset,
	.resume = ihsm_error_resume,
	.reset_prepare = ihsm_reset_prepare,
	.reset_done = ihsm_reset_done,
};

/* ---- sleep ---- */

static int ihsm_suspend(struct device *dev)
{
	hold(dev_get_drvdata(dev), IHSM_HOLD_SLEEP);
	return 0;
}

static int ihsm_resume(struct device *dev)
{
	/* One that does not start again is dead, which does not keep the system from waking up. */
	go_on(dev_get_drvdata(dev), IHSM_HOLD_SLEEP);
	return 0;
}

static DEFINE_SIMPLE_DEV_PM_OPS(ihsm_pm, ihsm_suspend, ihsm_resume);

static const struct pci_device_id ihsm_ids[] = {
	{ PCI_DEVICE(IHSM_PCI_VENDOR_ID, IHSM_PCI_DEVICE_ID_PF) },
	{ PCI_DEVICE(IHSM_PCI_VENDOR_ID, IHSM_PCI_DEVICE_ID_VF) },
	{ }
};
MODULE_DEVICE_TABLE(pci, ihsm_ids);

static struct pci_driver ihsm_driver = {
	.name = "ihsm",
	.id_table = ihsm_ids,
	.probe = ihsm_probe,
	.remove = ihsm_remove,
	.shutdown = ihsm_shutdown,
	.sriov_configure = ihsm_sriov_configure,
	.sriov_get_vf_total_msix = ihsm_sriov_vectors,
	.sriov_set_msix_vec_count = ihsm_sriov_set_vectors,
	.err_handler = &ihsm_errors,
	.driver.pm = pm_sleep_ptr(&ihsm_pm),
};

static int __init ihsm_init(void)
{
	int err = alloc_chrdev_region(&ihsm_devt, 0, IHSM_MINORS, "ihsm");

	if (err)
		return err;
	err = class_register(&ihsm_class);
	if (err)
		goto region;
	err = pci_register_driver(&ihsm_driver);
	if (err)
		goto class;
	return 0;
class:
	class_unregister(&ihsm_class);
region:
	unregister_chrdev_region(ihsm_devt, IHSM_MINORS);
	return err;
}
module_init(ihsm_init);

static void __exit ihsm_exit(void)
{
	pci_unregister_driver(&ihsm_driver);
	class_unregister(&ihsm_class);
	unregister_chrdev_region(ihsm_devt, IHSM_MINORS);
}
module_exit(ihsm_exit);

MODULE_DESCRIPTION("Integrated hardware security module");
MODULE_LICENSE("GPL");
