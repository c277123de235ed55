import { isUtf8 } from 'node:buffer';
import { referenceDigest, referenceLeaf, sha256, unkeyed } from '../support/reference-digest.ts';
import type { GoldenDocument } from './documents.ts';

/** What a reader of an archive must come to. Computed from the documents' own facts, never by the code under test. */
export interface Expectation {
  readonly document_count: number;
  readonly unkeyed_count: number;
  readonly invalid_utf8_count: number;
  readonly documents_digest: string;
  readonly content_digest: string;
  /** SHA-256 over the SHA-256 of each document, in the order of the archive. */
  readonly documents_sha256: string;
  /** In the order of the archive; left out where there are very many. */
  readonly documents?: readonly ExpectedDocument[];
}

export interface ExpectedDocument {
  /** Base64; left out where it is long. */
  readonly bytes?: string;
  readonly length: number;
  readonly sha256: string;
  /** Keys and leaves in hex. */
  readonly scan_key: string;
  readonly logical_id: string;
  readonly payload_sha256: string;
  readonly leaf: string;
  readonly content_leaf: string;
}

const SPELLED_OUT_BYTES_MAX = 8192;
const LISTED_DOCUMENTS_MAX = 200;

export function expectationOf(documents: readonly GoldenDocument[]): Expectation {
  const leaves: Buffer[] = [];
  const contentLeaves: Buffer[] = [];
  const expected = documents.map(({ bytes, scanKey, payloadId, payload }): ExpectedDocument => {
    const key = scanKey ?? unkeyed(bytes);
    const logicalId = payloadId ?? key;
    const leaf = referenceLeaf(key, bytes);
    const contentLeaf = referenceLeaf(logicalId, payload);
    leaves.push(leaf);
    contentLeaves.push(contentLeaf);
    return {
      ...(bytes.length > SPELLED_OUT_BYTES_MAX ? {} : { bytes: bytes.toString('base64') }),
      length: bytes.length,
      sha256: sha256(bytes).toString('hex'),
      scan_key: key.toString('hex'),
      logical_id: logicalId.toString('hex'),
      payload_sha256: sha256(payload).toString('hex'),
      leaf: leaf.toString('hex'),
      content_leaf: contentLeaf.toString('hex'),
    };
  });
  return {
    document_count: documents.length,
    unkeyed_count: documents.filter(({ scanKey }) => scanKey === null).length,
    invalid_utf8_count: documents.filter(({ bytes }) => !isUtf8(bytes)).length,
    documents_digest: referenceDigest(leaves),
    content_digest: referenceDigest(contentLeaves),
    documents_sha256: sha256(Buffer.concat(documents.map(({ bytes }) => sha256(bytes)))).toString('hex'),
    ...(documents.length > LISTED_DOCUMENTS_MAX ? {} : { documents: expected }),
  };
}
