import type { Fault } from '../../src/sandbox/misbehaviour.ts';
import { type SandboxOptions, startSandbox } from '../../src/sandbox/sandbox.ts';
import { openZerodbSource } from '../../src/sources/zerodb.ts';
import { testPlatform } from '../support/test-platform.ts';
import { describeSource } from './source.contract.ts';
import type { Mishap, SourceUnderTest } from './source-under-test.ts';
import { describeTarget } from './target.contract.ts';

const FAULTS: Record<Mishap['kind'], Fault> = {
  'error 503': { kind: 'error' },
  'error 503 after effect': { kind: 'error', afterEffect: true },
  lost: { kind: 'lost' },
  'lost after effect': { kind: 'lost', afterEffect: true },
  'cut with a length': { kind: 'cut', framing: 'length' },
  'cut in chunks': { kind: 'cut', framing: 'chunked' },
  'cut at the close': { kind: 'cut', framing: 'close' },
  'cut in gzip': { kind: 'cut', framing: 'gzip' },
  'HTML page': { kind: 'error', status: 200, body: 'html' },
  'empty answer': { kind: 'error', status: 200, body: 'empty' },
  'too many requests': { kind: 'too-many' },
  'refused with 413': { kind: 'error', status: 413 },
};

const READS = /^(GET |POST .*\/query$)/;
const WRITES = /^(PUT |DELETE |POST .*\/(documents|rows|insert)$)/;

async function open(options: SandboxOptions & { dialect: 'A' | 'B' | 'D' }): Promise<SourceUnderTest> {
  const platform = testPlatform();
  const sandbox = await startSandbox({ ...options, clock: platform.clock, random: platform.random });
  const target = await openZerodbSource(platform, {
    baseUrl: sandbox.url,
    apiKey: { value: sandbox.apiKey, name: 'ZERODB_API_KEY' },
    pageBytesMax: 1_000_000,
    ...(options.dialect !== 'A' && { project: sandbox.project }),
  });
  let put = 0;
  const isA = options.dialect === 'A';
  return {
    target,
    shape: options.dialect === 'B' ? 'row' : (options.shape ?? 'id_data'),
    unroutable: options.dialect === 'D' ? ['a/b', '../x'] : [],
    address: (key, id) =>
      Buffer.from(options.dialect === 'D' ? JSON.stringify({ row_id: key, id }) : JSON.stringify(key)),
    unknownCollection: isA && options.unknownCollection !== 'missing' ? 'nothing' : 'SOURCE_NOT_FOUND',
    create: (collection) => void sandbox.delete(collection, sandbox.insert(collection, '{}')),
    put: (collection, payload, key) =>
      sandbox.insert(collection, payload, {
        ...(!isA && { key: platform.random.bytes(8).join('-') }),
        ...(isA && key !== undefined && { key }),
        // no two at one time, which dialect D would give in any order
        createdAt: new Date(Date.UTC(2026, 0, 1) + 1000 * ++put).toISOString(),
      }),
    documents: (collection) =>
      [...sandbox.documents(collection)].map(({ key, data }) => ({ key, payload: data.toString() })),
    befall: ({ kind, times, on }) =>
      sandbox.misbehave({ faults: [{ ...FAULTS[kind], times, on: on === 'reads' ? READS : WRITES }] }),
    forbid: (collection) => sandbox.misbehave({ forbidden: [collection] }),
    spoil: (collection, key) => sandbox.misbehave({ unreadable: { [collection]: [key] } }),
    get requests() {
      return sandbox.requests;
    },
    [Symbol.asyncDispose]: async () => {
      await target.close();
      await sandbox.close();
    },
  };
}

function describeBoth(name: string, openOne: () => Promise<SourceUnderTest>): void {
  describeSource(name, openOne);
  describeTarget(name, openOne);
}

describeBoth('dialect A, documents {id, data}', () => open({ dialect: 'A', dialects: ['A'] }));
describeBoth('dialect A, flat documents', () =>
  open({ dialect: 'A', dialects: ['A'], shape: 'flat', unknownCollection: 'missing' }),
);
describeBoth('dialect B, a bare list', () => open({ dialect: 'B', dialects: ['B'] }));
describeBoth('dialect B, enveloped lists', () =>
  open({ dialect: 'B', dialects: ['B'], rowList: 'data', tableList: 'bare', keyHeader: 'bearer' }),
);
describeBoth('dialect D', () => open({ dialect: 'D', dialects: ['D'] }));
