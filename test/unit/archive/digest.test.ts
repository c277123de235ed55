import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyOfUnkeyed, LeafMaker, SetDigest } from '../../../src/archive/digest.ts';
import { zlibCodec } from '../../../src/platform/zlib-codec.ts';
import { referenceDigest, referenceLeaf, unkeyed } from '../../support/reference-digest.ts';

const digestOf = (leaves: readonly Uint8Array[]): string => {
  const digest = new SetDigest();
  for (const leaf of leaves) digest.add(Buffer.from(leaf).toString('latin1'));
  return digest.hex();
};
const leaf = fc.uint8Array({ minLength: 16, maxLength: 16 });

describe('the digest of a set', () => {
  it('is the sum of its leaves modulo 2^128', () => {
    expect(digestOf([])).toBe('0'.repeat(32));
    const ones = Buffer.alloc(16, 0xff);
    const one = Buffer.alloc(16);
    one[15] = 1;
    expect(digestOf([ones])).toBe('f'.repeat(32));
    expect(digestOf([ones, one])).toBe('0'.repeat(32));
    expect(digestOf([ones, ones])).toBe(`${'f'.repeat(31)}e`);
    fc.assert(
      fc.property(fc.array(leaf, { maxLength: 40 }), (leaves) => {
        expect(digestOf(leaves)).toBe(referenceDigest(leaves));
      }),
    );
  });

  it('does not depend on the order, and changes by the difference', () => {
    fc.assert(
      fc.property(fc.array(leaf, { minLength: 1, maxLength: 20 }), leaf, (leaves, added) => {
        const digest = digestOf(leaves);
        expect(digestOf(leaves.toReversed())).toBe(digest);
        const difference = BigInt(`0x${digestOf([...leaves, added])}`) - BigInt(`0x${digest}`);
        expect(BigInt.asUintN(128, difference)).toBe(BigInt(`0x${Buffer.from(added).toString('hex')}`));
      }),
    );
  });

  it('stays exact over millions of leaves', () => {
    const digest = new SetDigest();
    const ones = '\xff'.repeat(16);
    const count = (1 << 21) + 3;
    for (let at = 0; at < count; at++) digest.add(ones);
    const sum = (BigInt(count) * ((1n << 128n) - 1n)) % (1n << 128n);
    expect(digest.hex()).toBe(sum.toString(16).padStart(32, '0'));
    expect(digest.hex(), 'asked twice').toBe(sum.toString(16).padStart(32, '0'));
  });

  it('takes the first sixteen characters of a leaf', () => {
    const digest = new SetDigest();
    digest.add(`${'\x01'.repeat(16)}${'\xff'.repeat(16)}`);
    expect(digest.hex()).toBe('01'.repeat(16));
  });
});

describe('a leaf', () => {
  it('is that of docs/format.md, for keys and documents of any length', () => {
    const maker = new LeafMaker(zlibCodec); // one for all: its buffer grows
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.uint8Array({ minLength: 200, maxLength: 3000 }),
    );
    fc.assert(
      fc.property(bytes, bytes, (key, document) => {
        const made = maker.leaf(key, zlibCodec.sha256(document));
        expect(Buffer.from(made, 'latin1').subarray(0, 16)).toEqual(referenceLeaf(key, document));
      }),
    );
  });

  it('tells key and document apart', () => {
    const maker = new LeafMaker(zlibCodec);
    const leaves = [
      maker.leaf(Buffer.from('ab'), zlibCodec.sha256(Buffer.from('c'))),
      maker.leaf(Buffer.from('a'), zlibCodec.sha256(Buffer.from('bc'))),
      maker.leaf(Buffer.from(''), zlibCodec.sha256(Buffer.from('abc'))),
      maker.leaf(Buffer.from('ab\0'), zlibCodec.sha256(Buffer.from('c'))),
    ];
    expect(new Set(leaves).size).toBe(4);
  });

  it('of a document without a usable id has its hash for a key', () => {
    const document = Buffer.from('[]');
    expect(Buffer.from(keyOfUnkeyed(zlibCodec.sha256(document)))).toEqual(unkeyed(document));
    expect(unkeyed(document).toString()).toBe(
      'sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945',
    );
  });
});
