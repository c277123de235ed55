import { isUtf8 } from 'node:buffer';
import type { Codec } from '../kernel/codec.ts';
import { decodedKey } from '../kernel/json/strings.ts';
import type { DocumentBatch, DocumentShape } from '../model/document.ts';
import { isNumericKey, payload, payloadIdText, scanKeyText } from '../model/shape.ts';
import { keyOfUnkeyed, LeafMaker, SetDigest } from './digest.ts';

/** What identifies one document and its content; latin1 hash strings. Valid until the next call of `read`. */
export interface DocumentHashes {
  /** SHA-256 of the scan key. */
  scanKeyHash: string;
  /** SHA-256 of the logical id: the payload's own id, else the scan key. */
  logicalIdHash: string;
  /** True if the key (the id) is a number: the text "7" and the number 7 have one hash (design.md §5.3). */
  numericKey: boolean;
  numericId: boolean;
  /** True if the payload has an id of its own. */
  ownId: boolean;
  /** SHA-256 of the payload. */
  payloadHash: string;
  /** Over scan key and stored bytes: "what I stored is what I scanned". */
  leaf: string;
  /** Over logical id and payload: "what a target holds is what the backup held". */
  contentLeaf: string;
  /** True if the document has no id that identifies it. */
  unkeyed: boolean;
}

export type ScanHashes = Pick<DocumentHashes, 'scanKeyHash' | 'numericKey' | 'leaf' | 'unkeyed'>;

/** Hashes documents of one shape. The object that `read` returns is the same every time. */
export class DocumentHasher {
  readonly shape: DocumentShape;
  readonly #codec: Codec;
  readonly #leaves: LeafMaker;
  /** Of the document that was read last. */
  #key: Uint8Array = new Uint8Array(0);
  #documentHash = '';
  readonly #hashes: DocumentHashes = {
    scanKeyHash: '',
    logicalIdHash: '',
    numericKey: false,
    numericId: false,
    ownId: false,
    payloadHash: '',
    leaf: '',
    contentLeaf: '',
    unkeyed: false,
  };

  constructor(codec: Codec, shape: DocumentShape) {
    this.shape = shape;
    this.#codec = codec;
    this.#leaves = new LeafMaker(codec);
  }

  /** What stands for the document in a scan; the other hashes, of which there are as many again, are left as they are. */
  readScanned(batch: DocumentBatch, index: number): ScanHashes {
    const hashes = this.#hashes;
    const bytes = batch.bytes.subarray(batch.spans.start(index), batch.spans.end(index));
    this.#documentHash = this.#codec.sha256(bytes);
    const keyText = scanKeyText(batch, index, this.shape);
    this.#key = keyText === null ? keyOfUnkeyed(this.#documentHash) : decodedKey(keyText, 0, keyText.length);
    hashes.unkeyed = keyText === null;
    hashes.numericKey = isNumericKey(keyText);
    hashes.scanKeyHash = this.#codec.sha256(this.#key);
    hashes.leaf = this.#leaves.leaf(this.#key, this.#documentHash);
    return hashes;
  }

  read(batch: DocumentBatch, index: number): DocumentHashes {
    this.readScanned(batch, index);
    const hashes = this.#hashes;
    const key = this.#key;
    const documentHash = this.#documentHash;
    hashes.numericId = hashes.numericKey;
    if (this.shape === 'flat') {
      hashes.logicalIdHash = hashes.scanKeyHash;
      hashes.ownId = !hashes.unkeyed;
      hashes.payloadHash = documentHash;
      hashes.contentLeaf = hashes.leaf;
      return hashes;
    }
    const idText = payloadIdText(batch, index, this.shape);
    const ownId = idText === null ? null : decodedKey(idText, 0, idText.length);
    const logical = ownId ?? key;
    hashes.ownId = ownId !== null;
    if (idText !== null) hashes.numericId = isNumericKey(idText);
    hashes.logicalIdHash =
      ownId === null || sameKey(ownId, key) ? hashes.scanKeyHash : this.#codec.sha256(ownId);
    hashes.payloadHash =
      this.shape === 'flat_id' ? documentHash : this.#codec.sha256(payload(batch, index, this.shape));
    hashes.contentLeaf = this.#leaves.leaf(logical, hashes.payloadHash);
    return hashes;
  }
}

/** Where the server keeps the payload's id as its own, one hash serves both. */
function sameKey(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}

/** Running totals over the documents of a backup. */
export class DocumentTotals {
  documentCount = 0;
  unkeyedCount = 0;
  invalidUtf8Count = 0;
  readonly #documents = new SetDigest();
  readonly #content = new SetDigest();

  add(hashes: DocumentHashes): void {
    this.documentCount++;
    if (hashes.unkeyed) this.unkeyedCount++;
    this.#documents.add(hashes.leaf);
    this.#content.add(hashes.contentLeaf);
  }

  /** Counts the documents of a batch that are not valid UTF-8; they are kept as they are. */
  addEncoding(batch: DocumentBatch): void {
    if (isUtf8(batch.bytes)) return;
    for (let index = 0; index < batch.spans.count; index++) {
      if (!isUtf8(batch.bytes.subarray(batch.spans.start(index), batch.spans.end(index))))
        this.invalidUtf8Count++;
    }
  }

  get documentsDigest(): string {
    return this.#documents.hex();
  }
  get contentDigest(): string {
    return this.#content.hex();
  }
}
