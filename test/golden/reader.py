#!/usr/bin/env python3
"""Reads a zerodb-backup store of format 1 and proves every backup in it.

Written from docs/format.md alone, without a look at the tool's sources, so that page and tool can be held against
each other. Standard library only; zstd archives are decoded by the `zstd` command. The § are those of the page.

    reader.py <store>               one line for each backup; exit status 1 if any of them differs
    reader.py <store> <backup_id>   the documents of one backup, byte for byte, one a line
"""

import hashlib
import json
import re
import struct
import subprocess
import sys
import zlib
from datetime import datetime
from pathlib import Path

FORMAT = "zerodb-backup/1"
PAGE_SIZE = 65_536
SCAN_KEY = {"flat": b"id", "id_data": b"id", "row": b"row_id", "flat_id": b"_id"}
PAYLOAD = {"flat": None, "id_data": b"data", "row": b"row_data", "flat_id": None}


def expect(what, found, wanted):
    if found != wanted:
        raise ValueError(f"{what}: {found!r:.99}, expected: {wanted!r:.99}")


def sha256(data):
    return hashlib.sha256(data).digest()


def encoded_name(collection):
    """The name of a collection as it stands in ids and keys (§2)."""
    plain = b"abcdefghijklmnopqrstuvwxyz0123456789_-" + (b"" if collection in (".", "..") else b".")

    def encode(text):
        return "".join(chr(byte) if byte in plain else f"%{byte:02x}" for byte in text.encode())

    if len(encode(collection)) <= 120:
        return encode(collection)
    kept = ""
    for character in collection:
        if len(kept + encode(character)) > 80:
            break
        kept += encode(character)
    return kept + "~" + sha256(collection.encode()).hex()[:16]


def gzip_blocks(archive):
    """Yields the stored and the raw bytes of each gzip member (§3.2); the ZB subfield is checked, not used."""
    while archive:
        decoder = zlib.decompressobj(wbits=31)
        raw = decoder.decompress(archive)
        expect("whole gzip member", decoder.eof, True)
        stored = archive[: len(archive) - len(decoder.unused_data)]
        expect("start of a gzip member", stored[:4], b"\x1f\x8b\x08\x04")
        subfield = struct.pack("<H2sH", 12, b"ZB", 8) + struct.pack(">II", len(stored), len(raw))
        expect("extra field", stored[10:24], subfield)
        yield stored, raw
        archive = decoder.unused_data


def zstd_frame(archive, start):
    """Where the frame that begins at `start` ends, and its content size (RFC 8878 §3.1.1)."""
    expect("magic of a zstd frame", archive[start : start + 4], b"\x28\xb5\x2f\xfd")
    descriptor, single_segment = archive[start + 4], archive[start + 4] >> 5 & 1
    size_length = [single_segment, 2, 4, 8][descriptor >> 6]
    expect("content size, checksum, dictionary", (size_length > 0, descriptor >> 2 & 1, descriptor & 3), (True, 1, 0))
    position = start + 6 - single_segment
    size = int.from_bytes(archive[position : position + size_length], "little") + (256 if size_length == 2 else 0)
    position, last = position + size_length, 0
    while not last:
        head = int.from_bytes(archive[position : position + 3], "little")
        last, kind, length = head & 1, head >> 1 & 3, head >> 3
        position += 3 + (1 if kind == 1 else length)
    return position + 4, size


def zstd_blocks(archive):
    """Yields the stored and the raw bytes of each zstd frame (§3.2)."""
    run = subprocess.run(["zstd", "-dcq"], input=archive, capture_output=True, check=False)
    expect("exit status and complaint of zstd", (run.returncode, run.stderr), (0, b""))
    position = done = 0
    while position < len(archive):
        end, size = zstd_frame(archive, position)
        yield archive[position:end], run.stdout[done : done + size]
        position, done = end, done + size
    expect("end of the last frame, and length of the text", (position, done), (len(archive), len(run.stdout)))


def take_apart(blocks):
    """The header line's members in order, the documents of each block, the trailer's members in order (§3.1)."""
    header, *middle, trailer = blocks
    expect("end of the header line", header[-14:], b'"documents":[\n')
    expect("begin and end of the trailer", trailer[:2] + trailer[-2:], b"],}\n")
    expect("lines in their blocks", header.count(b"\n") + trailer.count(b"\n"), 2)
    documents = [[]]
    for block in middle:
        lines = block.split(b"\n")
        expect("end of a block", lines.pop(), b"")
        last = [False] if block is middle[-1] else [True]
        expect("commas behind documents", [line.endswith(b",") for line in lines], [True] * (len(lines) - 1) + last)
        documents.append([line.removesuffix(b",") for line in lines])
    head, tail = (json.loads(text, object_pairs_hook=list) for text in (header + b"]}", b"{" + trailer[2:]))
    return head, [*documents, []], tail


OPENING, COLON, COMMA_OR_END = (re.compile(rb"[ \t]*" + mark + rb"[ \t]*") for mark in (rb"\{", b":", b"[,}]"))
STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
SCALAR = re.compile(rb"[0-9A-Za-z+.-]+")
BRACKET_OR_STRING = re.compile(rb"[\[\]{}]|" + STRING.pattern, re.DOTALL)
DEPTH = {b"{": 1, b"[": 1, b"}": -1, b"]": -1}
ESCAPE = re.compile(
    rb"\\u([Dd][89ABab][0-9A-Fa-f]{2})\\u([Dd][C-Fc-f][0-9A-Fa-f]{2})|" rb'\\(?:(["\\/bfnrt])|u([0-9A-Fa-f]{4}))'
)
SHORT = dict(zip(b'"\\/bfnrt', b'"\\/\b\f\n\r\t'))


def value_end(text, start):
    """Where the value that begins at `start` ends (§4)."""
    if text[start : start + 1] not in (b"{", b"["):
        found = STRING.match(text, start) or SCALAR.match(text, start)
        expect(f"value at byte {start} of a document", found is None, False)
        return found.end()
    depth = 0
    for found in BRACKET_OR_STRING.finditer(text, start):
        depth += DEPTH.get(found[0], 0)
        if depth == 0:
            return found.end()
    raise ValueError("a bracket in a document is not closed")


def unescaped(content):
    """The bytes that a string means, from those between its quotes (§4)."""

    def replace(found):
        high, low, short, code = found.groups()
        if short:
            return bytes([SHORT[short[0]]])
        point = int(code, 16) if code else 0x10000 + (int(high, 16) - 0xD800) * 0x400 + int(low, 16) - 0xDC00
        return chr(point).encode("utf-8", "surrogatepass")

    return ESCAPE.sub(replace, content)


def members(text):
    """The members of the outermost object: decoded names, and the bytes of the values (§4)."""
    found = {}
    opening = OPENING.match(text)
    position = opening.end() if opening else len(text)
    while text[position : position + 1] == b'"':
        name_end = value_end(text, position)
        start = COLON.match(text, name_end).end()
        end = value_end(text, start)
        found[unescaped(text[position + 1 : name_end - 1])] = text[start:end]
        position = COMMA_OR_END.match(text, end).end()
    return found


def key_of(value):
    """The bytes of the key that a member's value is, or None if it is not usable as one (§4)."""
    if value.startswith(b'"'):
        return unescaped(value[1:-1]) if len(value) > 2 else None
    return value if re.match(rb"-?[0-9]", value) else None


def identify(document, shape):
    """The scan key and the payload's own id, None if not usable, and the payload (§4)."""
    expect("end of a document", value_end(document, 0), len(document))
    own = members(document)
    scan_key = key_of(own.get(SCAN_KEY[shape], b""))
    payload = document if PAYLOAD[shape] is None else own.get(PAYLOAD[shape], b"")
    return scan_key, key_of(members(payload).get(b"id", b"")), payload


def leaf(key, data):  # §5
    return sha256(struct.pack(">I", len(key)) + key + sha256(data))[:16]


def digest(leaves):  # §5
    return f"{sum(int.from_bytes(one, 'big') for one in leaves) % 2**128:032x}"


def build_index(shape, stored_blocks, raw_blocks, documents, entries, logical_entries):
    """The whole index file, and the length of its header (§6)."""
    logical = sorted(logical_entries) if shape != "flat" else []
    body = b"".join(sorted(entries)) + b"".join(logical)
    pages = [sha256(body[at : at + PAGE_SIZE]) for at in range(0, len(body), PAGE_SIZE)]
    counts = (len(stored_blocks), len(entries), len(logical), len(pages), 0)
    header = b"ZDBINDEX" + struct.pack(">IIIQQII", 1, shape != "flat", *counts)
    offset = 0
    for stored, raw, held in zip(stored_blocks, raw_blocks, documents, strict=True):
        header += struct.pack(">QIII", offset, len(stored), len(raw), len(held)) + sha256(stored)
        offset += len(stored)
    return header + b"".join(pages) + body, len(header) + 32 * len(pages)


def canonical(value):
    """The RFC 8785 form, for what a manifest or marker may hold (§7)."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(canonical(name) + ":" + canonical(value[name]) for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, float) or isinstance(value, int) and not 0 <= value < 2**53:
        raise ValueError(f"{value} is not an integer from 0 to 2^53 - 1")
    return json.dumps(value, ensure_ascii=False)


def read_sealed(path, seal):
    """A manifest (§7) or marker (§8), its form and its own hash checked."""
    stored = path.read_bytes()
    value = json.loads(stored)
    expect(f"form of {path.name}", stored, canonical(value).encode())
    unsealed = {name: member for name, member in value.items() if name not in (seal, "signature")}
    expect(seal, sha256(canonical(unsealed).encode()).hex(), value[seal])
    expect("format", value["format"], FORMAT)
    return value


def prove(store, backup_id):
    """The manifest and the documents of a backup, everything compared with what the store says."""
    name, kind, day, second = re.fullmatch(r"(.*)_(full|incremental)_([0-9]{8})_([0-9]{6})", backup_id).groups()
    datetime.strptime(day + second, "%Y%m%d%H%M%S")
    manifest = read_sealed(store / "manifests" / f"{backup_id}.json", "manifest_sha256")
    ending, blocks_of = {"gzip": ("gz", gzip_blocks), "zstd": ("zst", zstd_blocks)}[manifest["compression"]]
    expect("consistency", manifest["consistency"] in ("point", "window", "unproven"), True)
    archive = (store / "backups" / f"{backup_id}.json.{ending}").read_bytes()
    stored_blocks, raw_blocks = zip(*blocks_of(archive))
    head, documents, tail = take_apart(raw_blocks)

    shape = manifest["document_shape"]
    leaves, content_leaves, entries, logical_entries, unkeyed, invalid = [], [], [], [], 0, 0
    for number, held in enumerate(documents):
        for document in held:
            scan_key, logical_id, payload = identify(document, shape)
            unkeyed += scan_key is None
            invalid += document.decode("utf-8", "replace").encode() != document
            scan_key = scan_key or b"sha256:" + sha256(document).hex().encode()
            logical_id = logical_id or scan_key
            leaves.append(leaf(scan_key, document))
            content_leaves.append(leaf(logical_id, payload))
            entries.append(sha256(scan_key)[:8] + struct.pack(">I", number) + leaves[-1])
            logical_entries.append(sha256(logical_id)[:8] + struct.pack(">I", number))
    index, header_size = build_index(shape, stored_blocks, raw_blocks, documents, entries, logical_entries)

    found = {
        "format": FORMAT, "backup_id": backup_id, "backup_type": "full", "base_backup_id": None, "encryption": None,
        "version": "1.0.0", "status": "incomplete" if manifest["missing"] else "completed",
        "file_name": f"{backup_id}.json.{ending}", "object_path": f"backups/{backup_id}.json.{ending}",
        "file_size": len(archive), "sha256": sha256(archive).hex(), "raw_size": sum(map(len, raw_blocks)),
        "document_count": len(leaves), "deleted_count": 0, "unkeyed_count": unkeyed, "invalid_utf8_count": invalid,
        "documents_digest": digest(leaves), "content_digest": digest(content_leaves),
        "index": {"size": len(index), "sha256": sha256(index).hex(), "header_size": header_size,
                  "header_sha256": sha256(index[:header_size]).hex()},
    }  # fmt: skip
    for member, value in found.items():
        expect(member, manifest[member], value)
    expect("name and type in the id", (name, kind), (encoded_name(manifest["collection"]), "full"))
    expect("index in the store", (store / "indexes" / backup_id).read_bytes(), index)
    expect("header line", head, [
        ("format", FORMAT), ("backup_id", backup_id), ("collection", manifest["collection"]), ("backup_type", "full"),
        ("timestamp", manifest["created_at"]), ("since_timestamp", None), ("base_backup_id", None),
        ("version", "1.0.0"), ("document_shape", shape), ("documents", []),
    ])  # fmt: skip
    counted = {"deleted_ids": [], "document_count": len(leaves), "documents_digest": digest(leaves)}
    expect("trailer", tail, list(counted.items()))
    return manifest, [document for held in documents for document in held]


def report(name, prove_it):
    try:
        print("ok  ", name, prove_it())
        return True
    except Exception as error:  # whatever a damaged byte leads to is a finding
        print("BAD ", name, f"{type(error).__name__}: {error}")
        return False


def main(store, *wanted):
    if wanted:
        sys.stdout.buffer.writelines(document + b"\n" for document in prove(store, wanted[0])[1])
        return 0

    def proved(backup_id):
        manifest, documents = prove(store, backup_id)
        return f"{len(documents)} documents, {manifest['documents_digest']} {manifest['content_digest']}"

    ids = sorted(path.name.removesuffix(".json") for path in (store / "manifests").iterdir())
    results = [report(backup_id, lambda: proved(backup_id)) for backup_id in ids]
    results.append(report("marker", lambda: read_sealed(store / "repository.json", "marker_sha256")["marker_sha256"]))
    return 0 if ids and all(results) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
