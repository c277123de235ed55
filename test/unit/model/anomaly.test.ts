import { describe, expect, it } from 'vitest';
import { findAnomaly } from '../../../src/model/anomaly.ts';
import type { Manifest, UnsignedManifest } from '../../../src/model/manifest.ts';
import { MANIFEST_FIELDS } from '../../support/manifests.ts';

const LIMITS = { shrinkMax: 0.5 };
const MB = 1 << 20;

function manifest(facts: Partial<UnsignedManifest>): Manifest {
  return { ...MANIFEST_FIELDS, manifest_sha256: '', ...facts } as Manifest;
}

function codeOf(before: Partial<UnsignedManifest>, made: Partial<UnsignedManifest>, shrinkMax = 0.5) {
  return findAnomaly(manifest(made), manifest(before), null, { shrinkMax })?.code ?? null;
}

describe('what is strange about a backup', () => {
  it.each([
    [1, 0, 'COLLECTION_EMPTIED'],
    [5000, 0, 'COLLECTION_EMPTIED'],
    [0, 0, null],
    [101, 50, 'COLLECTION_SHRANK'],
    [100, 1, null],
    [200, 100, null],
    [200, 99, 'COLLECTION_SHRANK'],
    [200, 20_000, null],
  ])('%i documents, then %i: %s', (before, made, code) => {
    expect(codeOf({ document_count: before }, { document_count: made })).toBe(code);
  });

  it('is measured by the limit that was set, and over the whole state', () => {
    expect(codeOf({ document_count: 200 }, { document_count: 99 }, 0.9)).toBe(null);
    expect(codeOf({ document_count: 200 }, { document_count: 19 }, 0.9)).toBe('COLLECTION_SHRANK');
    expect(codeOf({ document_count: 200 }, { document_count: 1, state_count: 199 })).toBe(null);
    expect(codeOf({ document_count: 1, state_count: 200 }, { document_count: 90 })).toBe('COLLECTION_SHRANK');
  });

  it('is that most of what there was is replaced or gone, not that it grows', () => {
    const base = manifest({ document_count: 200 });
    const code = (document_count: number, deleted_count: number, state_count: number) =>
      findAnomaly(manifest({ document_count, deleted_count, state_count }), base, base, LIMITS)?.code ?? null;
    expect(code(101, 0, 200)).toBe('COLLECTION_CHANGED');
    expect(code(100, 0, 200)).toBe(null);
    expect(code(60, 41, 159)).toBe('COLLECTION_CHANGED');
    expect(code(500, 0, 700)).toBe(null);
    expect(code(601, 0, 700)).toBe('COLLECTION_CHANGED');
  });

  it.each([
    [0.2, 0.76, 2 * MB, 'COLLECTION_INCOMPRESSIBLE'],
    [0.2, 0.76, MB, null],
    [0.2, 0.69, 2 * MB, null],
    [0.6, 0.76, 2 * MB, null],
  ])('stored %f, then %f of %i bytes: %s', (before, made, bytes, code) => {
    const sized = (ratio: number) => ({ raw_size: bytes, file_size: Math.round(bytes * ratio) });
    expect(codeOf(sized(before), sized(made))).toBe(code);
  });
});
