import { pathToFileURL } from 'node:url';
import { DocumentScanner } from '../src/kernel/json/document-scanner.ts';
import { MemberNames } from '../src/kernel/json/member-names.ts';
import { MEMBERS } from '../src/model/document.ts';

/** How much faster the scan of a page is than decoding and parsing it and writing each document out again. */
export interface ScannerRatio {
  readonly name: string;
  readonly ratio: number;
  /** Below this the benchmark counts as failed. */
  readonly floor: number;
  readonly scanMegabytesPerSecond: number;
  readonly parseMegabytesPerSecond: number;
}

/**
 * Both ways work on the same pages in turn, round by round, so that a busy machine slows down both; the ratio is the
 * median of the rounds' ratios.
 */
export async function scannerBenchmark(): Promise<ScannerRatio[]> {
  return [
    measure('users (950 B)', pagesOf(1000, 12, userDocument), 3),
    measure('embeddings (1536 floats)', pagesOf(100, 4, embeddingDocument), 6),
  ];
}

const ENVELOPE = { names: new MemberNames(['documents', 'total']), listNames: 1 };
const ROUNDS = 15;

function measure(name: string, pages: Uint8Array[], floor: number): ScannerRatio {
  const bytes = pages.reduce((sum, page) => sum + page.length, 0);
  const scan = () => pages.reduce((count, page) => count + scanPage(page), 0);
  const parse = () => pages.reduce((count, page) => count + parsePage(page), 0);
  if (scan() !== parse())
    throw new Error(`${name}: the scan and JSON.parse find different numbers of documents`);
  const rounds = Array.from({ length: ROUNDS }, () => ({ scan: secondsOf(scan), parse: secondsOf(parse) }));
  return {
    name,
    ratio: median(rounds.map((round) => round.parse / round.scan)),
    floor,
    scanMegabytesPerSecond: bytes / 1e6 / median(rounds.map((round) => round.scan)),
    parseMegabytesPerSecond: bytes / 1e6 / median(rounds.map((round) => round.parse)),
  };
}

function scanPage(page: Uint8Array): number {
  const scanner = new DocumentScanner(MEMBERS, ENVELOPE);
  scanner.advance(page, page.length);
  scanner.finish();
  return scanner.spans.count;
}

/** What a tool without a scanner does, but for the encoding of what it wrote. */
function parsePage(page: Uint8Array): number {
  const { documents } = JSON.parse(
    Buffer.from(page.buffer, page.byteOffset, page.length).toString('utf8'),
  ) as { documents: unknown[] };
  let count = 0;
  for (const document of documents) if (JSON.stringify(document).length > 0) count++;
  return count;
}

function secondsOf(run: () => unknown): number {
  const begin = performance.now();
  run();
  return (performance.now() - begin) / 1000;
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

function pagesOf(documents: number, pages: number, make: (chance: () => number) => object): Uint8Array[] {
  const chance = seeded(20250109);
  return Array.from({ length: pages }, () => {
    const list = Array.from({ length: documents }, () => make(chance));
    return new TextEncoder().encode(JSON.stringify({ documents: list, total: documents * pages }));
  });
}

function userDocument(chance: () => number): object {
  const name = words(chance, 2);
  return {
    id: identifier(chance),
    email: `${name.replaceAll(' ', '.')}@example.org`,
    name,
    username: words(chance, 1) + Math.floor(chance() * 1e5),
    created_at: moment(chance),
    updated_at: moment(chance),
    last_login_at: chance() < 0.8 ? moment(chance) : null,
    last_login_ip: '203.0.113.77',
    email_verified: chance() < 0.9,
    role: chance() < 0.9 ? 'member' : 'admin',
    plan: 'enterprise',
    password_hash: `$2b$12$${identifier(chance)}${identifier(chance).slice(0, 17)}`,
    bio: words(chance, 25),
    address: {
      street: `${Math.floor(chance() * 9999)} Łukasz Ave`,
      city: words(chance, 1),
      postcode: String(Math.floor(chance() * 89999)),
      country: 'DE',
      geo: { lat: Math.round(chance() * 1.8e8) / 1e6, lng: Math.round(chance() * 3.6e8) / 1e6 },
    },
    preferences: {
      theme: 'dark',
      locale: 'en-GB',
      notifications: { email: true, push: chance() < 0.5, sms: false },
      timezone: 'Europe/Berlin',
    },
    tags: [words(chance, 1), words(chance, 1)],
    balance: Math.round(chance() * 1e5) / 100,
    login_count: Math.floor(chance() * 2000),
  };
}

function embeddingDocument(chance: () => number): object {
  return {
    id: identifier(chance),
    document_id: identifier(chance),
    title: words(chance, 6),
    content: words(chance, 100),
    created_at: moment(chance),
    embedding: Array.from({ length: 1536 }, () => Number(((chance() - 0.5) * 0.1).toPrecision(8))),
  };
}

const VOCABULARY =
  'the of backup and document collection restores a quickly while server answers page with key after müller another';

function words(chance: () => number, count: number): string {
  const vocabulary = VOCABULARY.split(' ');
  return Array.from({ length: count }, () => vocabulary[Math.floor(chance() * vocabulary.length)]!).join(' ');
}

function identifier(chance: () => number): string {
  const digits = Array.from({ length: 32 }, () => Math.floor(chance() * 16).toString(16)).join('');
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

function moment(chance: () => number): string {
  return new Date(1.7e12 + Math.floor(chance() * 5e10)).toISOString();
}

/** The same numbers in [0, 1) on every machine. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const results = await scannerBenchmark();
  for (const {
    name,
    ratio,
    floor,
    scanMegabytesPerSecond: scan,
    parseMegabytesPerSecond: parse,
  } of results) {
    const rates = `scan ${scan.toFixed(0)} MB/s, parse and stringify ${parse.toFixed(0)} MB/s`;
    console.log(`${name.padEnd(26)} ${ratio.toFixed(1)} × (floor ${floor}); ${rates}`);
  }
  if (results.some(({ ratio, floor }) => ratio < floor)) process.exitCode = 1;
}
