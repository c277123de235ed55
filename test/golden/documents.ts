import type { DocumentShape } from '../../src/model/document.ts';
import { GOLDEN_PAYLOADS, type GoldenPayload } from './payloads.ts';

/** A document of a golden archive, with what a reader must find in it. Frozen, like the payloads. */
export interface GoldenDocument {
  readonly bytes: Buffer;
  /** Null if it has no usable one. */
  readonly scanKey: Buffer | null;
  /** The payload's own; null if it has no usable one. */
  readonly payloadId: Buffer | null;
  readonly payload: Buffer;
}

type Wrap = (payload: GoldenPayload, key: { json: string; bytes: Buffer | null }) => GoldenDocument;

/** Scan keys of every kind, in turn: a string, a number, none that is usable. */
function serverKey(at: number): { json: string; bytes: Buffer | null } {
  switch (at % 7) {
    case 3:
      return { json: `${at}`, bytes: Buffer.from(`${at}`) };
    case 4:
      return { json: `"k\\u00e9y-\\ud83d\\ude00-${at}"`, bytes: Buffer.from(`kéy-😀-${at}`) };
    case 5:
      return { json: ['null', '""', 'false'][at % 3]!, bytes: null };
    default:
      return { json: `"key/${at}"`, bytes: Buffer.from(`key/${at}`) };
  }
}

const join = (...parts: (string | Buffer)[]): Buffer => Buffer.concat(parts.map((part) => Buffer.from(part)));

/** A server's members around the payload: plain, spaced, with decoys that a later or escaped name overrules. */
const enveloped =
  (keyName: string, dataName: string): Wrap =>
  ({ bytes, id }, { json, bytes: scanKey }) => {
    const forms = [
      join(`{"${keyName}":${json},"${dataName}":`, bytes, '}'),
      join(`{"${dataName}":`, bytes, `,"created_at":"2025-01-09T14:30:00Z","${keyName}":${json}}`),
      join(`{ "${keyName}" : ${json} ,\t"${dataName}" : `, bytes, ' , "version" : 1 }'),
      join(
        `{"${keyName}":"decoy","${dataName}":{"id":"decoy"},"${keyName}":${json},"${dataName}":`,
        bytes,
        '}',
      ),
      join(`{"${escaped(keyName)}":${json},"${escaped(dataName)}":`, bytes, ',"x":{"id":1,"row_id":2}}'),
    ];
    return { bytes: forms[bytes.length % forms.length]!, scanKey, payloadId: id, payload: bytes };
  };

function escaped(name: string): string {
  return `${name.slice(0, -1)}\\u00${name.charCodeAt(name.length - 1).toString(16)}`;
}

const flatId: Wrap = ({ bytes, id }, { json, bytes: scanKey }) => {
  const rest = bytes.subarray(1);
  const document = join(`{"_id":${json}`, rest.length > 1 ? ',' : '', rest);
  return { bytes: document, scanKey, payloadId: id, payload: document };
};

const WRAPS: Record<DocumentShape, Wrap> = {
  flat: ({ bytes, id }) => ({ bytes, scanKey: id, payloadId: id, payload: bytes }),
  id_data: enveloped('id', 'data'),
  row: enveloped('row_id', 'row_data'),
  flat_id: flatId,
};

/** Every golden payload as a document of this shape; those that are no object cannot be of shape `flat_id`. */
export function hostileDocuments(shape: DocumentShape): GoldenDocument[] {
  const payloads =
    shape === 'flat_id' ? GOLDEN_PAYLOADS.filter(({ bytes }) => bytes[0] === 0x7b) : GOLDEN_PAYLOADS;
  return payloads.map((payload, at) => WRAPS[shape](payload, serverKey(at)));
}

const BLOCK_BYTES = 1 << 20;

/** Flat documents for several blocks: many small ones, some exactly at the limit of a block, two larger than one. */
export function documentsOfSeveralBlocks(): GoldenDocument[] {
  const documents: GoldenDocument[] = [];
  const add = (length: number, id = `d${documents.length}`): void => {
    const start = `{"id":"${id}","text":"`;
    const filler = `${id} zerodb backup `.repeat(1 + Math.ceil(length / 10));
    const bytes = Buffer.from(`${start}${filler.slice(0, Math.max(0, length - start.length - 2))}"}`);
    documents.push({ bytes, scanKey: Buffer.from(id), payloadId: Buffer.from(id), payload: bytes });
  };
  for (let count = 0; count < 50; count++) add(30_000);
  // a block of its own up to the last byte, one less, one more
  for (const length of [BLOCK_BYTES - 2, BLOCK_BYTES - 3, BLOCK_BYTES - 1]) {
    add(500);
    add(length);
  }
  add(1_500_000);
  add(0);
  add(100, 'd0'); // the key of the first document again, in another block
  return documents;
}

/** Tiny documents, so many that the index has several pages; some have the same key, some are equal. */
export function manyDocuments(): GoldenDocument[] {
  return Array.from({ length: 3000 }, (_, at) => {
    const id = at % 10 === 0 ? null : Buffer.from(String(at % 997));
    const payload = Buffer.from(id === null ? `{"n":${at % 100}}` : `{"id":${id.toString()}}`);
    const key = `k${at % 1500}`;
    const bytes = Buffer.from(`{"id":"${key}","data":${payload.toString()}}`);
    return { bytes, scanKey: Buffer.from(key), payloadId: id, payload };
  });
}
