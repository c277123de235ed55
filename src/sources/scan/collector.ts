import type { Codec } from '../../kernel/codec.ts';
import { BackupError } from '../../kernel/errors.ts';
import { decodedKey } from '../../kernel/json/strings.ts';
import type { DocumentBatch, DocumentShape } from '../../model/document.ts';
import { scanKeyText } from '../../model/shape.ts';
import type { PageQuery } from '../source.ts';
import { BEYOND_EVERYTHING, type PageReader, type Reading } from './page-reader.ts';
import type { SeenKeys } from './seen-keys.ts';

/** A page and what the ways need to know of its documents. */
export interface Collected extends Reading {
  /** A hash of each document's key, or of its bytes where it has none. */
  readonly identities: readonly string[];
  /** Which documents had not been received before. */
  readonly fresh: readonly boolean[];
}

/** Reads pages by offset, again and again, and keeps apart what an answer adds from what was received before. */
export class Collector {
  readonly reader: PageReader;
  readonly shape: DocumentShape;
  /** True once an answer held two documents that cannot be told apart: two with one key, or two equal ones without. */
  hasTwins = false;
  readonly #codec: Codec;
  readonly #seen: SeenKeys;
  #formerPage = '';
  #formerOffset = 0;
  #offsetHonoured = false;

  constructor(codec: Codec, reader: PageReader, seen: SeenKeys, shape: DocumentShape) {
    this.#codec = codec;
    this.reader = reader;
    this.#seen = seen;
    this.shape = shape;
  }

  /** Different documents received so far. */
  get count(): number {
    return this.#seen.count;
  }

  /** Whether the document with this identity was received. */
  has(identity: string): Promise<boolean> {
    return this.#seen.has(identity);
  }

  /** Asks for a page. Its documents count as received. */
  async read(query: PageQuery): Promise<Collected> {
    return await this.collect(await this.reader.read(query), query.offset);
  }

  async collect(reading: Reading, offset: number): Promise<Collected> {
    const { page } = reading;
    const identities: string[] = [];
    for (let index = 0; index < page.spans.count; index++) {
      identities.push(this.#codec.sha256(identityOf(page, index, this.shape)));
    }
    if (new Set(identities).size < identities.length) this.hasTwins = true;
    await this.#assertOffsetHonoured(identities, offset);
    const fresh: boolean[] = [];
    for (const identity of identities) fresh.push(await this.#seen.add(identity));
    return { ...reading, identities, fresh };
  }

  /** Throws SOURCE_OFFSET_IGNORED if pages that look like page one come from a server that ignores the offset. */
  async #assertOffsetHonoured(identities: readonly string[], offset: number): Promise<void> {
    if (this.#offsetHonoured || identities.length === 0) return;
    const page = `${identities.length} ${identities[0]} ${identities.at(-1)}`;
    const repeated = page === this.#formerPage && offset !== this.#formerOffset;
    this.#formerPage = page;
    this.#formerOffset = offset;
    if (!repeated && offset <= this.count) return;
    if (await this.reader.holdsOneAt({ offset: BEYOND_EVERYTHING })) {
      const { collection } = this.reader.pages;
      throw new BackupError(
        'SOURCE_OFFSET_IGNORED',
        `the server ignores the offset when reading ${collection}: every page is page one`,
        { object: collection, cure: 'Try another --dialect; this one cannot read more than one page.' },
      );
    }
    this.#offsetHonoured = true;
  }
}

/** The documents of a page that were not received before, as a batch of their own; null if there are none. */
export function freshOnes({ page, fresh }: Collected): DocumentBatch | null {
  if (!fresh.includes(true)) return null;
  if (fresh.includes(false)) page.spans.retain((index) => fresh[index]!);
  return page;
}

const QUOTE = Buffer.from('"');

/** Bytes that tell a document from all others: text `"7"` and number `7` are different keys. */
function identityOf(page: DocumentBatch, index: number, shape: DocumentShape): Uint8Array {
  const { bytes, spans } = page;
  const text = scanKeyText(page, index, shape);
  return text === null ? bytes.subarray(spans.start(index), spans.end(index)) : identityOfKey(text);
}

/** As above, of a document with this scan key (JSON text). */
export function identityOfKey(text: Uint8Array): Uint8Array {
  if (text[0] !== QUOTE[0]) return text;
  return text.includes(0x5c) ? Buffer.concat([QUOTE, decodedKey(text, 0, text.length), QUOTE]) : text;
}
