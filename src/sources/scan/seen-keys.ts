import type { TemporaryFile } from '../../kernel/files.ts';
import { type Scratch, sortRecords } from '../../kernel/sorted-runs.ts';

const KEY_BYTES = 16;
/** Keys between two fences; a look-up reads this many. */
const FENCE_KEYS = 256;
const BLOOM_BITS_PER_KEY = 16;
const BLOOM_PROBES = 8;

/**
 * The set of keys that a scan has received, in bounded memory: 128 bits of each key's hash, the newest (250,000) in
 * memory, older ones in sorted runs in a nameless temporary file behind Bloom filters (about 2.1 bytes a key).
 */
export class SeenKeys {
  count = 0;
  readonly #scratch: Scratch;
  readonly #recent = new Set<string>();
  readonly #runs: Run[] = [];
  #file: TemporaryFile | null = null;
  #fileLength = 0;

  constructor(scratch: Scratch) {
    this.#scratch = scratch;
  }

  /** Adds a key by its hash (latin1, at least 16 characters); true if it was new. */
  async add(hash: string): Promise<boolean> {
    if (await this.has(hash)) return false;
    const key = hash.slice(0, KEY_BYTES);
    this.#recent.add(key);
    this.count++;
    if (this.#recent.size >= this.#scratch.sizes.rememberedKeys) await this.#spill();
    return true;
  }

  /** Whether the key of this hash was added. */
  async has(hash: string): Promise<boolean> {
    const key = hash.slice(0, KEY_BYTES);
    return this.#recent.has(key) || (this.#runs.length > 0 && (await this.#inRuns(key)));
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = null;
  }

  async #inRuns(key: string): Promise<boolean> {
    const bytes = Buffer.from(key, 'latin1');
    for (const run of this.#runs) {
      if (run.mayHold(bytes) && (await run.holds(this.#file!, bytes))) return true;
    }
    return false;
  }

  async #spill(): Promise<void> {
    this.#file ??= await this.#scratch.openTemporary();
    const unsorted = Buffer.allocUnsafeSlow(this.#recent.size * KEY_BYTES);
    let at = 0;
    for (const key of this.#recent) at += unsorted.write(key, at, KEY_BYTES, 'latin1');
    const sorted = sortRecords(unsorted, KEY_BYTES);
    await this.#file.write(sorted, this.#fileLength);
    this.#runs.push(new Run(sorted, this.#fileLength));
    this.#fileLength += sorted.length;
    this.#recent.clear();
  }
}

/** One sorted run: its Bloom filter and fences are in memory, its keys in the file. */
class Run {
  readonly #offset: number;
  readonly #length: number;
  readonly #bloom: Uint8Array;
  readonly #fences: Buffer;

  constructor(sorted: Buffer, offset: number) {
    this.#offset = offset;
    this.#length = sorted.length;
    const count = sorted.length / KEY_BYTES;
    this.#bloom = new Uint8Array((count * BLOOM_BITS_PER_KEY) / 8);
    this.#fences = Buffer.alloc(Math.ceil(count / FENCE_KEYS) * KEY_BYTES);
    for (let index = 0; index < count; index++) {
      const at = index * KEY_BYTES;
      if (index % FENCE_KEYS === 0)
        sorted.copy(this.#fences, (index / FENCE_KEYS) * KEY_BYTES, at, at + KEY_BYTES);
      for (let probe = 0; probe < BLOOM_PROBES; probe++) {
        const bit = this.#bit(sorted, at, probe);
        this.#bloom[bit >> 3]! |= 1 << (bit & 7);
      }
    }
  }

  mayHold(key: Buffer): boolean {
    for (let probe = 0; probe < BLOOM_PROBES; probe++) {
      const bit = this.#bit(key, 0, probe);
      if ((this.#bloom[bit >> 3]! & (1 << (bit & 7))) === 0) return false;
    }
    return true;
  }

  async holds(file: TemporaryFile, key: Buffer): Promise<boolean> {
    let low = 0;
    let high = this.#fences.length / KEY_BYTES;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (key.compare(this.#fences, middle * KEY_BYTES, (middle + 1) * KEY_BYTES) < 0) high = middle;
      else low = middle;
    }
    const start = low * FENCE_KEYS * KEY_BYTES;
    const page = Buffer.allocUnsafe(Math.min(FENCE_KEYS * KEY_BYTES, this.#length - start));
    await file.read(page, this.#offset + start);
    for (let at = 0; at < page.length; at += KEY_BYTES) {
      if (key.compare(page, at, at + KEY_BYTES) === 0) return true;
    }
    return false;
  }

  /** The keys are hashes already: two halves of them serve as two hash functions (Kirsch and Mitzenmacher, 2006). */
  #bit(bytes: Buffer, at: number, probe: number): number {
    const first = bytes.readUInt32LE(at + 8);
    const second = (bytes.readUInt32LE(at + 12) | 1) >>> 0; // without this half of them are negative, and so the bit
    return (first + probe * second) % (this.#bloom.length * 8);
  }
}
