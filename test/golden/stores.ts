import type { Compression } from '../../src/kernel/codec.ts';
import type { DocumentShape } from '../../src/model/document.ts';
import type { UnsignedManifest } from '../../src/model/manifest.ts';
import {
  documentsOfSeveralBlocks,
  type GoldenDocument,
  hostileDocuments,
  manyDocuments,
} from './documents.ts';

/** One backup of the golden stores: what was handed to the writer. Frozen, like the documents. */
export interface GoldenBackup {
  readonly collection: string;
  readonly shape: DocumentShape;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly documents: () => readonly GoldenDocument[];
  readonly manifest?: Partial<UnsignedManifest>;
}

export const GOLDEN_STORES: readonly Compression[] = ['gzip', 'zstd'];

const startedAt = Date.UTC(2025, 0, 9, 14, 30, 0);

export const GOLDEN_BACKUPS: readonly GoldenBackup[] = [
  { collection: 'users', shape: 'flat', startedAt, documents: () => hostileDocuments('flat') },
  { collection: 'agent_memory', shape: 'id_data', startedAt, documents: () => hostileDocuments('id_data') },
  {
    collection: 'Größe/../x y',
    shape: 'row',
    startedAt: startedAt + 1000.125,
    documents: () => hostileDocuments('row'),
    manifest: {
      table_definition: '{"table_name":"Größe/../x y","schema":{"n":1.0,"b":"\\ud800"}}',
      not_included: ['vectors'],
      source: {
        host: 'api.example.com:8443/base',
        project: 'b2c1f0aa-0000-4000-8000-000000000001',
        dialect: 'B',
      },
    },
  },
  {
    collection: '..',
    shape: 'flat_id',
    startedAt: startedAt + 59_999.999,
    documents: () => hostileDocuments('flat_id'),
    manifest: {
      status: 'incomplete',
      consistency: 'unproven',
      missing: ['not proved complete: the collection kept changing', 'document "x\u2028y" could not be read'],
      line_breaks_replaced: 7,
    },
  },
  { collection: 'empty', shape: 'flat', startedAt, documents: () => [] },
  {
    collection: 'empty_rows',
    shape: 'row',
    startedAt,
    documents: () => [],
    manifest: { consistency: 'point' },
  },
  {
    collection: 'ж'.repeat(21),
    shape: 'flat',
    startedAt: startedAt - 86_400_000,
    documents: documentsOfSeveralBlocks,
  },
  { collection: 'events', shape: 'id_data', startedAt, documents: manyDocuments },
];
