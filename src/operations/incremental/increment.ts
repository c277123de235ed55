import { SetDigest } from '../../archive/digest.ts';
import { DocumentHasher } from '../../archive/document-hashes.ts';
import { BackupError } from '../../kernel/errors.ts';
import { decodedKey } from '../../kernel/json/strings.ts';
import { releaseMemory } from '../../kernel/memory.ts';
import type { Scratch } from '../../kernel/sorted-runs.ts';
import { runWorkers } from '../../kernel/workers.ts';
import type { DocumentBatch, DocumentShape } from '../../model/document.ts';
import { scanKeyText } from '../../model/shape.ts';
import type { Scan } from '../../sources/scan/scan.ts';
import type { Source } from '../../sources/source.ts';
import { type AbsentDocument, type Compared, Difference } from './difference.ts';
import { NotIncremental } from './not-incremental.ts';
import type { Base } from './proved-base.ts';

/** When a full backup is made instead. */
export interface IncrementLimits {
  /** Largest part of its base that an increment may be. */
  readonly sizeMax: number;
}

const LOOKUPS_MIN = 500;
const LOOKUPS_AT_ONCE = 8;
/** Longest text of all keys of deleted documents. */
const DELETED_BYTES_MAX = 16 << 20;

/**
 * What an incremental backup holds: the documents of a scan that its base does not hold in the same bytes, and the keys
 * of those of the base that are gone. Throws NotIncremental where that is not to be had.
 */
export class Increment {
  #stateCount = 0;
  readonly #state = new SetDigest();
  /** JSON texts of scan keys; when `changed` has ended. */
  deletedKeys: readonly Uint8Array[] = [];
  /** What `changed` has handed out, and the archive must hold. */
  #changed: Compared['changed'] = { count: 0, digest: new SetDigest() };

  readonly #source: Source;
  readonly #base: Base;
  readonly #limits: IncrementLimits;
  readonly #difference: Difference;
  readonly #hasher: DocumentHasher;
  readonly #signal: AbortSignal | undefined;

  constructor(
    source: Source,
    base: Base,
    scratch: Scratch,
    limits: IncrementLimits,
    signal: AbortSignal | undefined,
  ) {
    this.#source = source;
    this.#base = base;
    this.#limits = limits;
    this.#difference = new Difference(scratch, base);
    this.#hasher = new DocumentHasher(base.repository.platform.codec, base.manifest.document_shape);
    this.#signal = signal;
  }

  /** Of the whole state that base and increment give. */
  get state(): { readonly documentCount: number; readonly documentsDigest: string } {
    return { documentCount: this.#stateCount, documentsDigest: this.#state.hex() };
  }

  /** The documents of a scan that are to be stored. */
  async *changed(scan: Scan, batches: AsyncIterable<DocumentBatch>): AsyncGenerator<DocumentBatch> {
    const { document_shape, raw_size } = this.#base.manifest;
    if (scan.shape !== document_shape) {
      throw new NotIncremental(`documents had the shape ${document_shape} and have ${scan.shape} now`);
    }
    let bytes = 0;
    for await (const batch of batches) {
      const stays: boolean[] = [];
      for (let index = 0; index < batch.spans.count; index++) {
        const hashes = this.#hasher.readScanned(batch, index);
        await this.#difference.add(hashes);
        this.#addToState(hashes.leaf);
        const isChanged = !this.#base.leaves.has(hashes.leaf);
        stays.push(isChanged);
        if (isChanged) bytes += batch.spans.end(index) - batch.spans.start(index);
      }
      if (bytes > raw_size * this.#limits.sizeMax) throw this.#tooLarge();
      batch.spans.retain((index) => stays[index]!);
      if (batch.spans.count > 0) yield batch;
      else releaseMemory(batch.bytes);
    }
    if (!scan.finding.proved || scan.finding.missing.length > 0) {
      throw new NotIncremental('the scan is not proved complete: what it has not met may be there');
    }
    await this.#conclude(scan);
  }

  /** Throws NotIncremental unless the archive holds just what was handed out and is worth it. */
  assertStored(stored: {
    readonly documentCount: number;
    readonly documentsDigest: string;
    readonly fileSize: number;
  }): void {
    const { count, digest } = this.#changed;
    if (stored.documentCount !== count || stored.documentsDigest !== digest.hex()) {
      // one changed document in 10⁹ is taken for one of the base while the scan passes: the comparison has found it
      throw new NotIncremental('a changed document was taken for an unchanged one');
    }
    if (stored.fileSize > this.#base.manifest.file_size * this.#limits.sizeMax) throw this.#tooLarge();
  }

  async close(): Promise<void> {
    await this.#difference.close();
  }

  /** Finds what is gone, and looks for it once more. */
  async #conclude(scan: Scan): Promise<void> {
    const lookupsMax = Math.max(LOOKUPS_MIN, 2 * scan.requests);
    const { absent, changed } = await this.#compare(lookupsMax);
    this.#changed = changed;
    const gone = await this.#namesOf(absent);
    await this.#assertGone([...gone.values()]);
    const deleted = [...gone.values()].map(({ key }) => key);
    const length = deleted.reduce((sum, key) => sum + key.length + 1, 0);
    if (length > DELETED_BYTES_MAX) throw new NotIncremental('the keys of deleted documents are too many');
    this.deletedKeys = deleted;
  }

  #addToState(leaf: string): void {
    this.#stateCount++;
    this.#state.add(leaf);
  }

  async #compare(absentMax: number): Promise<Compared> {
    try {
      return await this.#difference.compare(absentMax, this.#signal);
    } catch (thrown) {
      if (!(thrown instanceof BackupError && thrown.code === 'INDEX_DAMAGED')) throw thrown;
      throw new NotIncremental(thrown.message); // the base has gone, or has been damaged, since the scan began
    }
  }

  /** What these documents are called, by leaf, from the blocks of the base that hold them. */
  async #namesOf(absent: readonly AbsentDocument[]): Promise<Map<string, Names>> {
    const { header, reading, manifest } = this.#base;
    const wanted = new Map(absent.map(({ leaf, block }) => [leaf, block]));
    if (wanted.size < absent.length) throw new NotIncremental('several documents without an id are gone');
    const names = new Map<string, Names>();
    const numbers = [...new Set(wanted.values())].sort((a, b) => a - b);
    const blocks = numbers.map((number) => ({ ...header.blocks[number]!, number }));
    try {
      for await (const batch of reading.batches(blocks, this.#signal)) {
        for (let index = 0; index < batch.spans.count; index++) {
          const leaf = this.#hasher.readScanned(batch, index).leaf.slice(0, absent[0]!.leaf.length);
          if (!wanted.has(leaf)) continue;
          const address = this.#source.address(batch, index, manifest.document_shape);
          const key = storableKey(batch, index, manifest.document_shape);
          names.set(leaf, { key, address: address && Buffer.from(address) });
        }
        releaseMemory(batch.bytes);
      }
    } catch (thrown) {
      if (!(thrown instanceof BackupError && thrown.code === 'ARCHIVE_DAMAGED')) throw thrown;
      throw new NotIncremental(thrown.message);
    }
    if (names.size < wanted.size)
      throw new NotIncremental(`${manifest.backup_id} does not hold what its index says`);
    return names;
  }

  /**
   * Looks for each document by what the server finds it by: one that is there after all is no deleted one, and nothing
   * that the scan has met. Where the server serves none so, or names another document by it, the scan's proof stands alone.
   */
  async #assertGone(gone: readonly Names[]): Promise<void> {
    const { collection } = this.#base.manifest;
    const left = [...gone];
    let served = true;
    await runWorkers(LOOKUPS_AT_ONCE, async () => {
      for (let next = left.pop(); next !== undefined && served; next = left.pop()) {
        if (next.address === null) continue;
        let document: DocumentBatch | null = null;
        try {
          document = await this.#source.document(collection, next.address, this.#signal);
        } catch (thrown) {
          if (!(thrown instanceof BackupError && NOT_FOUND_SO.includes(thrown.code))) throw thrown;
          served &&= thrown.code === 'SOURCE_REFUSED';
        }
        if (document !== null) throw new NotIncremental('a document is there that the scan has not met');
      }
    });
  }

  #tooLarge(): NotIncremental {
    const share = Math.round(this.#limits.sizeMax * 100);
    return new NotIncremental(`the increment would be more than ${share} % of its base`);
  }
}

interface Names {
  /** JSON text of the scan key. */
  readonly key: Uint8Array;
  /** What the server finds it by; null if it cannot. */
  readonly address: Uint8Array | null;
}

/** What a server answers that does not serve documents one by one, or (SOURCE_REFUSED) that has others of this address. */
const NOT_FOUND_SO: readonly string[] = ['SOURCE_NOT_FOUND', 'SOURCE_MALFORMED', 'SOURCE_REFUSED'];

/** JSON text of the key; of a document that has none that of what stands for it (design.md §5.3). */
function storableKey(batch: DocumentBatch, index: number, shape: DocumentShape): Uint8Array {
  const text = scanKeyText(batch, index, shape);
  if (text === null) throw new NotIncremental('a document without an id is gone');
  if (!readsBack(text)) {
    throw new NotIncremental('a document is gone whose key is not valid JSON in UTF-8');
  }
  return Buffer.from(text);
}

/** Whether a reader of the archive will take the text for the same key; servers are more tolerant than readers. */
function readsBack(text: Uint8Array): boolean {
  const json = Buffer.from(text).toString('utf8');
  try {
    const value: unknown = JSON.parse(json);
    const again = Buffer.from(typeof value === 'string' ? JSON.stringify(value) : json);
    const [key, found] = [decodedKey(text, 0, text.length), decodedKey(again, 0, again.length)];
    return Buffer.from(key).equals(found);
  } catch {
    return false;
  }
}
