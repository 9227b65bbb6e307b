#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Test images, and the same values by other means.

predict.py image OUT NAME=FILE...   a PE image with these sections
predict.py kernel OUT VERSION       a kernel that is an image too
predict.py authenticode FILE        its SHA-256 digest, section by section
predict.py extend HEX...            SHA-256 PCR after these digests
predict.py db OUT CERT...           a signature database of these (DER)
predict.py variable NAME FILE       digest of the event for a variable
"""
import hashlib
import struct
import sys

HEADERS = 0x400
OPTIONAL = 0x58
TABLE = OPTIONAL + 0xF0


def image(sections):
    b = bytearray(HEADERS)
    b[0:2] = b"MZ"
    struct.pack_into("<I", b, 0x3C, 0x40)
    struct.pack_into("<4sHH", b, 0x40, b"PE", 0x8664, len(sections))
    struct.pack_into("<H", b, 0x54, 0xF0)
    struct.pack_into("<HBBIIIIIQIIHHHHHHIIIIHH", b, OPTIONAL, 0x20B, 0, 0,
                     0, 0, 0, 0x1000, 0x1000, 0, 0x1000, 0x200, 0, 0, 0, 0, 0,
                     0, 0, 0, HEADERS, 0, 10, 0)
    struct.pack_into("<I", b, OPTIONAL + 108, 16)
    address = 0x1000
    for i, (name, data) in enumerate(sections):
        at = len(b)
        b += data + bytes(-len(data) % 0x200)
        struct.pack_into("<8sIIII12xI", b, TABLE + 40 * i, name.encode(),
                         len(data), address, len(b) - at, at, 0x40000040)
        address += (len(data) + 0xFFF) // 0x1000 * 0x1000
    struct.pack_into("<I", b, OPTIONAL + 56, address)
    return b


def kernel(version):
    b = image([(".text", b"\xeb\xfe")])
    b[0x1F1] = 1
    b[0x1FE:0x200] = b"\x55\xaa"
    b[0x202:0x208] = b"HdrS\x0f\x02"
    struct.pack_into("<H", b, 0x20E, 0x90)
    b[0x290:0x290 + len(version)] = version.encode()
    return b


def authenticode(b):
    pe = struct.unpack_from("<I", b, 0x3C)[0]
    opt = pe + 24
    plus = struct.unpack_from("<H", b, opt)[0] == 0x20B
    entry = opt + (112 if plus else 96) + 32
    certs, certs_size = struct.unpack_from("<II", b, entry)
    headers = struct.unpack_from("<I", b, opt + 60)[0]
    table = opt + struct.unpack_from("<H", b, pe + 20)[0]
    n = struct.unpack_from("<H", b, pe + 6)[0]
    h = hashlib.sha256(b[:opt + 64] + b[opt + 68:entry] +
                       b[entry + 8:headers])
    done = headers
    rows = [struct.unpack_from("<II", b, table + 40 * i + 16)
            for i in range(n)]
    for size, at in sorted(rows, key=lambda r: r[1]):
        h.update(b[at:at + size])
        done += size
    h.update(b[done:len(b) - certs_size])
    return h.hexdigest()


X509 = bytes.fromhex("a159c0a5e494a74a87b5ab155c2bf072")
GLOBAL = bytes.fromhex("61dfe48bca93d211aa0d00e098032b8c")
SECURITY = bytes.fromhex("cbb219d73a3d9645a3bcdad00e67656f")


def database(certs):
    out = b""
    for c in certs:
        size = 16 + len(c)
        out += X509 + struct.pack("<III", 28 + size, 0, size) + bytes(16) + c
    return out


def variable(name, value):
    guid = SECURITY if name in ("db", "dbx") else GLOBAL
    return hashlib.sha256(
        guid + struct.pack("<QQ", len(name), len(value)) +
        name.encode("utf-16-le") + value).hexdigest()


def main(verb, *args):
    if verb == "image":
        parts = [a.split("=", 1) for a in args[1:]]
        data = image([(n, open(f, "rb").read()) for n, f in parts])
        open(args[0], "wb").write(data)
    elif verb == "kernel":
        open(args[0], "wb").write(kernel(args[1]))
    elif verb == "authenticode":
        print(authenticode(open(args[0], "rb").read()))
    elif verb == "db":
        certs = [open(f, "rb").read() for f in args[1:]]
        open(args[0], "wb").write(database(certs))
    elif verb == "variable":
        print(variable(args[0], open(args[1], "rb").read()))
    elif verb == "extend":
        pcr = bytes(32)
        for digest in args:
            pcr = hashlib.sha256(pcr + bytes.fromhex(digest)).digest()
        print(pcr.hex())
    else:
        sys.exit(__doc__)


main(*sys.argv[1:])
