#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""In a guest with functions 0 and 1 of a board whose temperature the outside sets (host VALUE): what programs,
udev and sensors(1) are told when it leaves its limits. TAP."""

import fcntl
import glob
import os
import select
import socket
import struct
import subprocess
import sys
import time

IOC_EVENTS = 0xED03
TAMPER = 1 << 2  # enum ihsm_notice
PATIENCE = 40  # seconds; nothing is judged by the time it takes
points = 0
bad = 0


def point(name, good):
    global points, bad
    points += 1
    bad += not good
    print(f"{'ok' if good else 'not ok'} {points} - {name}", flush=True)


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read().strip()


def events(fd):
    """What happened since this was last asked."""
    return struct.unpack("=IIII", fcntl.ioctl(fd, IOC_EVENTS, struct.pack("=IIII", 16, 0, 0, 0)))[2]


def told(fd):
    """Wait until this file is told of tampering; by poll() alone."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        ready = poll.poll(1000)
        if ready and ready[0][1] & select.POLLIN and events(fd) & TAMPER:
            return True
    return False


def uevent(netlink, device):
    """Wait until the kernel tells udev of a change of the device."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if not select.select([netlink], [], [], 1)[0]:
            continue
        message = netlink.recv(8192)
        if message.startswith(b"change@") and f"/ihsm/{device}\0".encode() in message:
            return True
    return False


def becomes(path, value):
    """The firmware starts anew when keys were erased: a sensor cannot be read for that moment."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            if read(path) == value:
                return True
        except OSError:
            pass
        time.sleep(0.05)
    return False


def set_temperature(value):
    # 5 is the way out, see tests/vm/guest/host.
    return subprocess.run(["sh", "tests/vm/guest/host", value], check=False, pass_fds=(5,)).returncode == 0


def main():
    names = [n for n in ("ihsm0", "ihsm1") if read(f"/sys/class/ihsm/{n}/function") == "1"]
    name = names[0]
    files = [os.open(f"/dev/{name}", os.O_RDWR) for _ in range(2)]
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, 15)  # NETLINK_KOBJECT_UEVENT
    netlink.bind((0, 1))
    found = glob.glob(f"/sys/class/ihsm/{name}/device/hwmon/hwmon*")
    point("hwmon has the device's sensors", len(found) == 1 and read(found[0] + "/name") == "ihsm")
    hwmon = found[0] if found else ""
    point("its temperature", read(hwmon + "/temp1_input") == "35000")
    point("and the limits", read(hwmon + "/temp1_min") == "0" and read(hwmon + "/temp1_max") == "60000")
    point("no alarm", read(hwmon + "/temp1_alarm") == "0")
    point("nothing has happened yet", not any(events(fd) for fd in files))

    point("the temperature leaves its limits", set_temperature("70000"))
    point("a program that waits in poll() is told of tampering", told(files[0]))
    point("hwmon shows the alarm", becomes(hwmon + "/temp1_alarm", "1"))
    point("and the temperature", becomes(hwmon + "/temp1_input", "70000"))
    point("another open file is told as well", told(files[1]))
    point("udev hears of a change", uevent(netlink, name))
    point("the device's state is tampered", becomes(f"/sys/class/ihsm/{name}/device_state", "tampered"))
    point("the driver's is live", becomes(f"/sys/class/ihsm/{name}/state", "live"))

    point("the temperature is back", set_temperature("35000"))
    point("so says hwmon", becomes(hwmon + "/temp1_input", "35000"))
    point("the alarm stays: keys were erased", becomes(hwmon + "/temp1_alarm", "1"))
    print(f"1..{points}", flush=True)
    return bad != 0


sys.exit(main())
