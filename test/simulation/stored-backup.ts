import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import type { Manifest } from '../../src/model/manifest.ts';
import { referenceDigest, referenceLeaf, sha256, unkeyed } from '../support/reference-digest.ts';
import { Violation } from './attempt.ts';
import { membersOf } from './members.ts';

/** A document as an archive holds it; texts are latin1. */
export interface StoredDocument {
  /** The bytes of its scan key, as UTF-8 text. */
  readonly key: string;
  readonly payload: string;
}

export interface StoredBackup {
  readonly manifest: Manifest;
  /** Of the state that the backup stands for. */
  readonly documents: readonly StoredDocument[];
  /** Leaves of these documents, in the same order. */
  readonly leaves: readonly Buffer[];
}

/** Where scan key and payload are, by shape (docs/format.md §4); null: the whole document. */
const SHAPES = {
  flat: { key: 'id', payload: null },
  id_data: { key: 'id', payload: 'data' },
  row: { key: 'row_id', payload: 'row_data' },
  flat_id: { key: '_id', payload: null },
} as const;

/**
 * Reads a backup with nothing but docs/format.md: every hash, length, count and digest is computed anew, and the index
 * is made again from the archive. Throws a Violation at the first difference.
 * @param baseOf gives the full backup that an incremental one is built on
 */
export function readStoredBackup(
  id: string,
  { manifest: record, archive, index }: Readonly<Record<'manifest' | 'archive' | 'index', Buffer>>,
  baseOf: (id: string) => StoredBackup,
): StoredBackup {
  const manifest = parseRecord(id, record);
  const same = (what: string, found: unknown, claimed: unknown): void => {
    if (found !== claimed) throw new Violation(`${what} of ${id}: ${found}, and it claims ${claimed}`);
  };
  same('backup id', manifest.backup_id, id);
  same('archive size', archive.length, manifest.file_size);
  same('archive hash', sha256(archive).toString('hex'), manifest.sha256);
  const blocks = blocksOf(archive, manifest.compression);
  same(
    'text size',
    blocks.reduce((sum, { text }) => sum + text.length, 0),
    manifest.raw_size,
  );
  const header = JSON.parse(`${blocks[0]!.text.toString()}]}`) as Record<string, unknown>;
  const trailerAt = blocks.findIndex(({ text }) => text[0] === ']'.charCodeAt(0));
  const trailerText = Buffer.concat(blocks.slice(trailerAt).map(({ text }) => text)).toString();
  const trailer = JSON.parse(`{"documents":[${trailerText}`) as Record<string, unknown>;
  const told = { ...header, ...trailer };
  const base = manifest.base_backup_id === null ? null : baseOf(manifest.base_backup_id);
  same('type', manifest.backup_type, base === null ? 'full' : 'incremental');
  for (const [name, value] of Object.entries({
    format: manifest.format,
    backup_id: id,
    collection: manifest.collection,
    backup_type: manifest.backup_type,
    timestamp: manifest.created_at,
    since_timestamp: base?.manifest.created_at ?? null,
    base_backup_id: manifest.base_backup_id,
    version: manifest.version,
    document_shape: manifest.document_shape,
    document_count: manifest.document_count,
    documents_digest: manifest.documents_digest,
  })) {
    same(`${name} in the archive`, told[name], value);
  }

  const shape = SHAPES[manifest.document_shape];
  const documents: StoredDocument[] = [];
  const entries: Entry[] = [];
  let unkeyedCount = 0;
  for (const [number, block] of blocks.slice(1, trailerAt).entries()) {
    for (const line of linesOf(block.text)) {
      const bytes = Buffer.from(line, 'latin1');
      const members = membersOf(line);
      const scanKey = keyOf(members.get(shape.key));
      if (scanKey === null) unkeyedCount++;
      const key = scanKey ?? unkeyed(bytes);
      const payload = shape.payload === null ? line : (members.get(shape.payload) ?? '');
      const logicalId = keyOf(membersOf(payload).get('id')) ?? key;
      const content = referenceLeaf(logicalId, Buffer.from(payload, 'latin1'));
      entries.push({ key, logicalId, block: number + 1, leaf: referenceLeaf(key, bytes), content });
      documents.push({ key: key.toString(), payload });
    }
  }
  same('document count', documents.length, manifest.document_count);
  same('documents digest', referenceDigest(entries.map(({ leaf }) => leaf)), manifest.documents_digest);
  same('content digest', referenceDigest(entries.map(({ content }) => content)), manifest.content_digest);
  same('count of unkeyed documents', unkeyedCount, manifest.unkeyed_count);
  const [indexHeader, body] = indexOf(blocks, entries, manifest.document_shape !== 'flat');
  same('index', index.equals(Buffer.concat([indexHeader, body])), true);
  same('index size', index.length, manifest.index.size);
  same('index hash', sha256(index).toString('hex'), manifest.index.sha256);
  same('size of the index header', indexHeader.length, manifest.index.header_size);
  same('hash of the index header', sha256(indexHeader).toString('hex'), manifest.index.header_sha256);
  same('completeness', manifest.missing.length === 0, manifest.status === 'completed');
  same('proof of completeness', manifest.consistency !== 'unproven', manifest.status === 'completed');
  const own = { manifest, documents, leaves: entries.map(({ leaf }) => leaf) };
  const deleted = trailer.deleted_ids as readonly string[];
  same('count of deleted documents', deleted.length, manifest.deleted_count);
  if (base !== null) return stateOf(own, deleted, base);
  same('count of the state', manifest.state_count, undefined);
  return own;
}

/** What an increment and its base are together (§9). */
function stateOf(increment: StoredBackup, deleted: readonly string[], base: StoredBackup): StoredBackup {
  const { manifest } = increment;
  const id = manifest.backup_id;
  const { backup_type, status, collection, document_shape } = base.manifest;
  const fits = backup_type === 'full' && status === 'completed' && collection === manifest.collection;
  if (!fits || document_shape !== manifest.document_shape)
    throw new Violation(`${id} is built on ${base.manifest.backup_id}, which is no base for it`);
  if (manifest.status !== 'completed') throw new Violation(`${id} is incremental, and not complete`);
  const leavesOfBase = new Set(base.leaves.map((leaf) => leaf.toString('hex')));
  if (increment.leaves.some((leaf) => leavesOfBase.has(leaf.toString('hex'))))
    throw new Violation(`${id} holds again what its base holds`);
  const keysOfBase = new Set(base.documents.map(({ key }) => key));
  const superseded = new Set(increment.documents.map(({ key }) => key));
  for (const key of deleted) {
    if (!keysOfBase.has(key)) throw new Violation(`${id} calls ${key} deleted, which its base does not hold`);
    if (superseded.has(key)) throw new Violation(`${id} calls ${key} deleted twice, or holds it`);
    superseded.add(key);
  }
  const stays = base.documents.map(({ key }) => !superseded.has(key));
  const state = {
    manifest,
    documents: [...increment.documents, ...base.documents.filter((_, at) => stays[at])],
    leaves: [...increment.leaves, ...base.leaves.filter((_, at) => stays[at])],
  };
  if (
    state.documents.length !== manifest.state_count ||
    referenceDigest(state.leaves) !== manifest.state_digest
  )
    throw new Violation(`${id} claims a state of ${manifest.state_count} documents, and is another one`);
  return state;
}

/** A record in canonical form with its hash (§7). The members of this world need no escapes of their own. */
function parseRecord(id: string, bytes: Buffer): Manifest {
  const record = JSON.parse(bytes.toString()) as Manifest;
  if (canonical(record) !== bytes.toString()) throw new Violation(`the manifest of ${id} is not canonical`);
  const { manifest_sha256: claimed, signature: _, ...rest } = record;
  const hash = sha256(Buffer.from(canonical(rest))).toString('hex');
  if (hash !== claimed) throw new Violation(`the manifest of ${id} has another hash`);
  return record;
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(',')}}`;
}

interface StoredBlock {
  readonly stored: Buffer;
  readonly text: Buffer;
}

function blocksOf(archive: Buffer, compression: 'gzip' | 'zstd'): StoredBlock[] {
  const blocks: StoredBlock[] = [];
  for (let at = 0; at < archive.length; ) {
    const rest = archive.subarray(at);
    if (compression === 'gzip') {
      const stored = rest.subarray(0, rest.readUInt32BE(16));
      blocks.push({ stored, text: gunzipSync(stored) });
    } else {
      // Node decompresses one frame and stops
      const { buffer, engine } = zstdDecompressSync(rest, { info: true }) as unknown as {
        buffer: Buffer;
        engine: { bytesWritten: number };
      };
      blocks.push({ stored: rest.subarray(0, engine.bytesWritten), text: buffer });
    }
    at += blocks.at(-1)!.stored.length;
  }
  return blocks;
}

function linesOf(text: Buffer): string[] {
  const lines = text.toString('latin1').split('\n').slice(0, -1);
  return lines.map((line) => line.replace(/,$/, ''));
}

/** The bytes of a key; null if the value is none. In these worlds keys are strings. */
function keyOf(value: string | undefined): Buffer | null {
  if (value === undefined || !/^".+"$/s.test(value)) return null;
  return Buffer.from(JSON.parse(Buffer.from(value, 'latin1').toString()) as string);
}

interface Entry {
  readonly key: Buffer;
  readonly logicalId: Buffer;
  readonly block: number;
  readonly leaf: Buffer;
  readonly content: Buffer;
}

const PAGE_BYTES = 65_536;

/** Header and body of an index (§6). */
function indexOf(blocks: readonly StoredBlock[], entries: readonly Entry[], hasLogical: boolean) {
  const sorted = (some: Buffer[]): Buffer => Buffer.concat(some.toSorted((one, other) => one.compare(other)));
  const start = (key: Buffer, block: number): Buffer[] => [sha256(key).subarray(0, 8), number(4, block)];
  const body = Buffer.concat([
    sorted(entries.map(({ key, block, leaf }) => Buffer.concat([...start(key, block), leaf]))),
    sorted(hasLogical ? entries.map(({ logicalId, block }) => Buffer.concat(start(logicalId, block))) : []),
  ]);
  const pages = Array.from({ length: Math.ceil(body.length / PAGE_BYTES) }, (_, page) =>
    sha256(body.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES)),
  );
  let offset = 0;
  const table = blocks.map(({ stored, text }, at) => {
    const documents = entries.filter(({ block }) => block === at).length;
    const row = [
      number(8, offset),
      number(4, stored.length),
      number(4, text.length),
      number(4, documents),
      sha256(stored),
    ];
    offset += stored.length;
    return Buffer.concat(row);
  });
  const header = Buffer.concat([
    Buffer.from('ZDBINDEX'),
    number(4, 1),
    number(4, hasLogical ? 1 : 0),
    number(4, blocks.length),
    number(8, entries.length),
    number(8, hasLogical ? entries.length : 0),
    number(4, pages.length),
    number(4, 0),
    ...table,
    ...pages,
  ]);
  return [header, body] as const;
}

function number(bytes: 4 | 8, value: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntBE(value, bytes === 8 ? 2 : 0, bytes === 8 ? 6 : 4);
  return buffer;
}
