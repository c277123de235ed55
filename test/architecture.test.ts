import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ERROR_CODES } from '../src/kernel/errors.ts';
import { cyclesAmong, parseSourceFile, readSourceTree, type SourceFile } from './support/source-tree.ts';

/**
 * The house (CONTRIBUTING.md), lowest room first. A room imports from itself and from the rooms that it names, and
 * it can only name rooms above it in this table, that is below it in the house. A file belongs to the longest
 * place that fits its path.
 */
const ROOMS: readonly { name: string; places: readonly string[]; imports: string }[] = [
  { name: 'kernel', places: ['src/kernel/'], imports: '' },
  { name: 'model', places: ['src/model/'], imports: 'kernel' },
  // the real adapters of the kernel's ports
  { name: 'platform', places: ['src/platform/'], imports: 'kernel' },
  {
    name: 'contracts',
    places: ['src/sources/source.ts', 'src/sources/target.ts', 'src/stores/store.ts'],
    imports: 'kernel model',
  },
  { name: 'zerodb', places: ['src/zerodb/'], imports: 'kernel model contracts' },
  { name: 'sources', places: ['src/sources/'], imports: 'kernel model contracts zerodb' },
  { name: 'stores', places: ['src/stores/'], imports: 'kernel model contracts zerodb' },
  { name: 'scan', places: ['src/sources/scan/'], imports: 'kernel model contracts' },
  { name: 'archive', places: ['src/archive/'], imports: 'kernel model' },
  { name: 'catalog', places: ['src/catalog/'], imports: 'kernel model contracts archive' },
  { name: 'repository', places: ['src/repository.ts'], imports: 'kernel model contracts archive catalog' },
  {
    name: 'operations',
    places: ['src/operations/'],
    imports: 'kernel model contracts scan archive catalog repository',
  },
  { name: 'config', places: ['src/config/'], imports: 'kernel model' },
  {
    name: 'drivers',
    places: ['src/drivers.ts'],
    imports: 'kernel model contracts zerodb sources stores config',
  },
  {
    name: 'session',
    places: ['src/session.ts'],
    imports: 'kernel model contracts repository operations config drivers',
  },
  {
    name: 'service',
    places: ['src/service.ts'],
    imports: 'kernel model platform contracts catalog repository operations config session',
  },
  // a server of its own: it shares with the tool what is below the tool, and the real clock
  { name: 'sandbox', places: ['src/sandbox/'], imports: 'kernel model platform' },
  {
    name: 'cli',
    places: ['src/cli/'],
    imports: 'kernel model platform contracts catalog repository operations config drivers session sandbox',
  },
  {
    name: 'index',
    places: ['src/index.ts'],
    imports: 'kernel model contracts operations config service sandbox',
  },
];

/** Packages, and the rooms that may import them. */
const PACKAGES: Readonly<Record<string, string>> = {
  undici: 'platform',
  zod: 'model config',
  yaml: 'config',
  commander: 'cli',
  '@clack/prompts': 'cli',
};

/** Where time, chance, network, disk and process come in; everything else receives them (src/kernel/platform.ts). */
const OUTSIDE_WORLD = ['src/platform/', 'src/sandbox/', 'src/cli/bin.ts', 'src/cli/main.ts'];

/** Builtins that only compute. */
const PURE_BUILTINS = ['node:buffer', 'node:path', 'node:url', 'node:util'];

/** Names in them that ask for the working directory. */
const IMPURE_NAMES = ['*', 'resolve', 'relative', 'pathToFileURL'];

const IMPURE_CODE = [
  /\bDate\.now\b/,
  /\bnew Date(\(\)|(?!\w|\())/,
  /(?<!new )(?<!\.)\bDate\(/,
  /\bset(Timeout|Interval|Immediate)\b/,
  /\bAbortSignal\.timeout\b/,
  /\bMath\.random\b/,
  /(?<!\.)\bprocess\.(?!\.)/,
  /(?<!\.)\bfetch\(/,
  /(?<!\.)\bperformance\./,
  /(?<!\.)\bcrypto\./,
  /(?<!\.)\bconsole\./,
  /\bglobalThis\b/,
];

const LINES_MAX = 400;

const FORBIDDEN_NAMES = /^(utils?|helpers?|common|lib|manager|base|impl|misc|shared)$/;

const source = readSourceTree('src/**/*.ts');

describe('the house', () => {
  test('rooms import downwards only', () => {
    const faults = ROOMS.flatMap(({ name, imports }, level) =>
      split(imports)
        .filter((other) => !ROOMS.slice(0, level).some((room) => room.name === other))
        .map((other) => `${name} names ${other}, which is not below it`),
    );
    expect(faults).toEqual([]);
  });

  test('every file lives in a room and imports only from the rooms that this one names', () => {
    expect(source.flatMap(misplacedImports)).toEqual([]);
  });

  test('each package is imported in its rooms only', () => {
    const faults = source.flatMap(({ path, imports }) =>
      imports
        .filter((one) => one.path === null && !one.specifier.startsWith('node:'))
        .filter(({ specifier }) => !split(PACKAGES[packageOf(specifier)] ?? '').includes(roomOf(path) ?? ''))
        .map(({ specifier }) => `${path} imports ${specifier}`),
    );
    expect(faults).toEqual([]);
  });

  test('no file imports itself through others, types included', () => {
    expect(cyclesAmong(source)).toEqual([]);
  });

  test('drivers do not import each other', () => {
    const faults = source.flatMap(({ path, imports }) =>
      imports.flatMap((one) => {
        const [own, other] = [driverOf(path), driverOf(one.path)];
        if (own === null || other === null) return [];
        const areParts = own === other || own.startsWith(`${other}-`) || other.startsWith(`${own}-`);
        return areParts ? [] : [`${path} imports ${one.path}`];
      }),
    );
    expect(faults).toEqual([]);
  });

  test('time, chance, network, disk and process come in through the door', () => {
    const inside = source.filter(({ path }) => !OUTSIDE_WORLD.some((place) => path.startsWith(place)));
    expect(inside.length).toBeGreaterThan(50);
    expect(inside.flatMap(impurities)).toEqual([]);
  });
});

describe('files', () => {
  const all = [...source, ...readSourceTree('test/**/*.ts', 'benchmarks/**/*.ts', 'scripts/**/*.{ts,mjs}')];

  test(`have at most ${LINES_MAX} lines`, () => {
    const long = all.filter(({ lineCount }) => lineCount > LINES_MAX);
    expect(long.map(({ path, lineCount }) => `${path}: ${lineCount}`)).toEqual([]);
  });

  test('and folders have names that say what is inside', () => {
    const vague = all.filter(({ path }) =>
      path.split('/').some((part) => FORBIDDEN_NAMES.test(basename(part).replace(/\..*$/, ''))),
    );
    expect(vague.map(({ path }) => path)).toEqual([]);
  });

  test('have names in kebab case', () => {
    const odd = all.filter(({ path }) => !/^([a-z0-9]+(-[a-z0-9]+)*[./])+(ts|mjs)$/.test(path));
    expect(odd.map(({ path }) => path)).toEqual([]);
  });
});

describe('the documents', () => {
  const root = `${import.meta.dirname}/..`;

  test('docs/errors.md has every error code, and no other, with its exit code', () => {
    const page = readFileSync(`${root}/docs/errors.md`, 'utf8');
    const rows = page.matchAll(/^\| `([A-Z_]+)` \| (\d+) \|/gm);
    const documented = Object.fromEntries([...rows].map(([, code, exit]) => [code, Number(exit)]));
    const codes = Object.entries(ERROR_CODES).map(([code, { exit }]) => [code, exit]);
    expect(documented).toEqual(Object.fromEntries(codes));
  });

  test.each(['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', 'docs/README.md'])(
    '%s links only to files that exist',
    (page) => {
      const folder = page.includes('/') ? `${root}/docs` : root;
      const links = readFileSync(`${root}/${page}`, 'utf8').matchAll(/\]\((?!\w+:|#)([^)#\s]+)[^)]*\)/g);
      expect([...links].map(([, link]) => link!).filter((link) => !existsSync(`${folder}/${link}`))).toEqual(
        [],
      );
    },
  );
});

describe('what this test sees', () => {
  test('every kind of import', () => {
    const { imports } = parseSourceFile(
      'src/a/b.ts',
      [
        "import { type One, two as three } from './one.ts';",
        "import type { Four } from '../four.ts';",
        'import {',
        '  five,',
        "} from '../c/five.ts';",
        "import './six.ts';",
        "export * from './seven.ts';",
        "export type { Eight } from './eight.ts';",
        "import data from './nine.json' with { type: 'json' };",
        "const ten = await import('./ten.ts');",
        "type Eleven = import('./eleven.ts').Eleven;",
        "// import './comment.ts'",
        'const text = "import \'./text.ts\'";',
        "import fs from 'node:fs';",
      ].join('\n'),
    );
    expect(imports.map((one) => one.path ?? one.specifier)).toEqual([
      'src/a/one.ts',
      'src/four.ts',
      'src/c/five.ts',
      'src/a/six.ts',
      'src/a/seven.ts',
      'src/a/eight.ts',
      'src/a/nine.json',
      'node:fs',
      'src/a/ten.ts',
      'src/a/eleven.ts',
    ]);
    expect(imports[0]!.names).toEqual(['One', 'two']);
  });

  test.each([
    'const now = Date.now();',
    'const now = new Date();',
    'const now = new Date;',
    'const now = Date();',
    'setTimeout(run, 5);',
    'const wait = AbortSignal.timeout(5);',
    'const chance = Math.random();',
    'const home = process.env.HOME;',
    'const answer = await fetch(url);',
    'const start = performance.now();',
    'const id = crypto.randomUUID();',
    'const text = `at $'.concat('{Date.now()}`;'),
    "import { readFile } from 'node:fs/promises';",
    "import { resolve } from 'node:path';",
    "import path from 'node:path';",
  ])('what reaches outside: %s', (line) => {
    expect(impurities(parseSourceFile('src/a.ts', line))).toHaveLength(1);
  });

  test.each([
    '// Date.now() is not called here',
    "const text = 'Date.now()';",
    'const then = new Date(milliseconds);',
    'const then = Date.parse(text);',
    'const now = clock.now();',
    'const answer = await this.fetch(url);',
    "import { join } from 'node:path';",
    "import { styleText } from 'node:util';",
  ])('what does not: %s', (line) => {
    expect(impurities(parseSourceFile('src/a.ts', line))).toEqual([]);
  });

  test('loops, not diamonds', () => {
    const file = (path: string, ...imports: readonly string[]): SourceFile =>
      parseSourceFile(path, imports.map((one) => `import type { T } from './${one}';`).join('\n'));
    expect(cyclesAmong([file('a.ts', 'b.ts', 'c.ts'), file('b.ts', 'd.ts'), file('c.ts', 'd.ts')])).toEqual(
      [],
    );
    expect(cyclesAmong([file('a.ts', 'b.ts'), file('b.ts', 'c.ts'), file('c.ts', 'b.ts')])).toEqual([
      ['b.ts', 'c.ts', 'b.ts'],
    ]);
  });
});

function misplacedImports({ path, imports }: SourceFile): string[] {
  const own = ROOMS.find(({ name }) => name === roomOf(path));
  if (own === undefined) return [`${path} lives in no room`];
  return imports.flatMap((one) => {
    if (one.path === null) return [];
    const other = roomOf(one.path);
    const allowed = other !== null && (other === own.name || split(own.imports).includes(other));
    return allowed ? [] : [`${path} (${own.name}) imports ${one.path} (${other ?? 'no room'})`];
  });
}

function impurities({ path, code, imports }: SourceFile): string[] {
  const impureImports = imports
    .filter(({ specifier }) => specifier.startsWith('node:'))
    .filter(
      ({ specifier, names }) =>
        !PURE_BUILTINS.includes(specifier) || names.some((name) => IMPURE_NAMES.includes(name)),
    )
    .map(({ specifier, names }) => `${path} imports ${names.join(', ')} from ${specifier}`);
  const impureLines = code
    .split('\n')
    .filter((line) => IMPURE_CODE.some((pattern) => pattern.test(line)))
    .map((line) => `${path}: ${line.trim()}`);
  return [...impureImports, ...impureLines];
}

function roomOf(path: string): string | null {
  const length = (places: readonly string[]): number =>
    Math.max(-1, ...places.filter((place) => path.startsWith(place)).map((place) => place.length));
  const [nearest] = ROOMS.filter(({ places }) => length(places) > 0).sort(
    (one, other) => length(other.places) - length(one.places),
  );
  return nearest?.name ?? null;
}

/** `src/stores/s3.ts` is a driver, `src/stores/s3-errors.ts` a part of it; contracts are no drivers. */
function driverOf(path: string | null): string | null {
  if (path === null) return null;
  const room = roomOf(path);
  if (room !== 'sources' && room !== 'stores') return null;
  return path.replace(/\.ts$/, '');
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function split(names: string): string[] {
  return names === '' ? [] : names.split(' ');
}
