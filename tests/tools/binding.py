# SPDX-License-Identifier: Apache-2.0
"""The binding for Python, as a program uses it: TAP points on the device of HSM_DEVICE."""

from __future__ import annotations

import ctypes
import os
import sys
import uuid

import integrated_hsm as hsm

points = bad = 0


def point(name: str, good: bool) -> None:
    global points, bad
    points += 1
    bad += not good
    print(f"{'ok' if good else 'not ok'} {points} - Python: {name}", flush=True)


def refused(name: str) -> hsm.HsmError | None:
    try:
        hsm.Device(name)
    except hsm.HsmError as error:
        return error
    return None


def layouts(path: str) -> bool:
    """Lines `structure size`, `structure.member offset`, as the compiler has them"""
    kinds = {"hsm_error": hsm._Error, "hsm_device_info": hsm._DeviceInfo, "hsm_partition_info": hsm._Partition,
             "hsm_field": hsm._Field, "hsm_fields": hsm._Fields, "hsm_attest_request": hsm._Attest,
             "hsm_operation_info": hsm._Operation}
    good = True
    with open(path, encoding="utf-8") as file:
        for line in file:
            what, number = line.split()
            name, _, member = what.partition(".")
            kind: type[ctypes.Structure] = kinds[name]
            mine = int(getattr(kind, member).offset) if member else ctypes.sizeof(kind)
            if mine != int(number):
                print(f"{what}: {mine} instead of {number}", file=sys.stderr)
                good = False
    return good


point("structures are the compiler's", layouts(sys.argv[1]))
point("operations", hsm.operations()["NOP"] == 1 and len(hsm.operations()) > 60)
point("the device's name", hsm.devices() == [os.environ["HSM_DEVICE"]])
point("no configuration", hsm.check_config() == "")
with hsm.Device() as device:
    info = device.info()
    point("the device", info.name == os.environ["HSM_DEVICE"] and info.function == 1 and info.board_id.int != 0)
    partition = device.partitions()[0]
    point("its partition", partition.name == "default")
    with device.connect(partition) as channel:
        session = channel.call("SESSION_OPEN", flags=4).session
        random = channel.call("RANDOM", session=session, length=24)
        point("a field of bytes", len(random.data("DATA")) == 24 and list(random) == ["DATA"])
        point("a field that is a number", isinstance(channel.call("TOKEN_INFO")["max"], int))
        point("text there and back", channel.call("NOP", data="héllo").data("DATA").decode() == "héllo")
        wrong = channel.call("RANDOM", session=session + 1, length=1, check=False)
        point("what the device refuses", wrong.rv == 0xB3)
        try:
            channel.call("RANDOM", session=session + 1, length=1)
            point("is an exception", False)
        except hsm.HsmError as error:
            point("is an exception", error.layer == "command" and error.rv == 0xB3)
        evidence = channel.attest("partition", b"12345678")
        point("evidence", len(evidence) > 1000 and len(channel.identity()) == 32)
    try:
        channel.call("NOP")
        point("a closed channel", False)
    except ValueError:
        point("a closed channel", True)
    try:
        device.connect(uuid.UUID(int=5))
        point("a partition that is not there", False)
    except hsm.HsmError:
        point("a partition that is not there", True)
lost = refused("vfio-user:/nonexistent/socket")
point("no device", lost is not None and bool(str(lost)) and lost.layer != "none")
sys.exit(bad > 0)
