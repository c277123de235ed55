import { SetDigest } from '../../archive/digest.ts';
import type { ScanHashes } from '../../archive/document-hashes.ts';
import { ENTRY_BYTES } from '../../archive/index-file.ts';
import { type Scratch, SortedRuns } from '../../kernel/sorted-runs.ts';
import { NotIncremental } from './not-incremental.ts';
import type { Base } from './proved-base.ts';

/** SHA-256(scan key)[0..8) ‖ leaf. */
const SCANNED_BYTES = 24;
const KEY_BYTES = 8;

/** A document of the base whose key the scan has not met. */
export interface AbsentDocument {
  readonly leaf: string;
  /** Of the base's archive. */
  readonly block: number;
}

/** What a scan and a base have not in common. */
export interface Compared {
  readonly absent: readonly AbsentDocument[];
  /** Documents of the scan that the base does not hold in these bytes. */
  readonly changed: { readonly count: number; readonly digest: SetDigest };
}

/**
 * Compares a scan with a base: takes what the scan finds, in any order, and joins both in the order of their keys
 * (performance.md §7). Memory does not grow with the number of documents but for some 5 bytes each of the base.
 */
export class Difference {
  readonly #base: Base;
  readonly #scanned: SortedRuns;

  constructor(scratch: Scratch, base: Base) {
    this.#base = base;
    this.#scanned = new SortedRuns(scratch, SCANNED_BYTES);
  }

  get count(): number {
    return this.#scanned.count;
  }

  /** Notes a document that the scan has found. */
  async add({ scanKeyHash, leaf }: ScanHashes): Promise<void> {
    if (this.#scanned.full) await this.#scanned.flush();
    const slot = this.#scanned.slot();
    slot.write(scanKeyHash.slice(0, KEY_BYTES), 0, 'latin1');
    slot.write(leaf.slice(0, SCANNED_BYTES - KEY_BYTES), KEY_BYTES, 'latin1');
    this.#scanned.added();
  }

  /** Throws NotIncremental where documents cannot be told apart by what the index holds of their keys. */
  async compare(absentMax: number, signal?: AbortSignal): Promise<Compared> {
    const base = new Groups(this.#base.entries(signal), ENTRY_BYTES);
    const scanned = new Groups(this.#scanned.sorted(), SCANNED_BYTES);
    const absent: AbsentDocument[] = [];
    const digest = new SetDigest();
    let count = 0;
    try {
      await base.next();
      await scanned.next();
      while (base.key !== null || scanned.key !== null) {
        signal?.throwIfAborted();
        const order = compareKeys(base.key, scanned.key);
        if (order < 0) {
          absent.push(...base.records.map((record) => ({ leaf: leafOf(record), block: blockOf(record) })));
          if (absent.length > absentMax) {
            throw new NotIncremental(`more than ${absentMax} documents of the base are gone`);
          }
        } else if (order > 0 || !sameLeaves(base.records, scanned.records)) {
          // one key has one document before and after; anything else are keys that begin with the same hash
          if (order === 0 && (base.records.length > 1 || scanned.records.length > 1)) {
            throw new NotIncremental('two documents cannot be told apart by their keys');
          }
          for (const record of scanned.records) {
            digest.add(leafOf(record));
            count++;
          }
        }
        if (order <= 0) await base.next();
        if (order >= 0) await scanned.next();
      }
    } finally {
      await base.close();
      await scanned.close();
    }
    return { absent, changed: { count, digest } };
  }

  async close(): Promise<void> {
    await this.#scanned.close();
  }
}

/** Sorted records, those of one key at a time; latin1. */
class Groups {
  /** Null behind the last. */
  key: string | null = null;
  records: string[] = [];
  readonly #pieces: AsyncGenerator<Buffer>;
  readonly #width: number;
  #piece: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor(pieces: AsyncGenerator<Buffer>, width: number) {
    this.#pieces = pieces;
    this.#width = width;
  }

  async next(): Promise<void> {
    this.key = null;
    this.records = [];
    for (;;) {
      if (this.#at === this.#piece.length) {
        const next = await this.#pieces.next();
        if (next.done === true) return;
        [this.#piece, this.#at] = [next.value, 0];
        continue;
      }
      const record = this.#piece.toString('latin1', this.#at, this.#at + this.#width);
      const key = record.slice(0, KEY_BYTES);
      if (this.key !== null && key !== this.key) return;
      this.key = key;
      this.records.push(record);
      this.#at += this.#width;
    }
  }

  async close(): Promise<void> {
    await this.#pieces.return(undefined);
  }
}

function compareKeys(base: string | null, scanned: string | null): number {
  if (base === scanned) return 0;
  if (base === null) return 1;
  if (scanned === null) return -1;
  return base < scanned ? -1 : 1;
}

/** The last bytes of either record. */
function leafOf(record: string): string {
  return record.slice(KEY_BYTES - SCANNED_BYTES);
}

function blockOf(record: string): number {
  return Buffer.from(record, 'latin1').readUInt32BE(KEY_BYTES);
}

function sameLeaves(base: readonly string[], scanned: readonly string[]): boolean {
  if (base.length === 1 && scanned.length === 1) return leafOf(base[0]!) === leafOf(scanned[0]!);
  const leaves = base.map(leafOf).sort();
  return leaves.join() === scanned.map(leafOf).sort().join();
}
