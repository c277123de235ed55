import { globSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';

/** What the architecture test reads of a module: text, not meaning. Formatting is enforced, so patterns are enough. */
export interface SourceFile {
  /** From the project's root, with slashes. */
  readonly path: string;
  readonly lineCount: number;
  /** The text without comments and without quoted strings; templates stay, for what is computed in them. */
  readonly code: string;
  readonly imports: readonly Import[];
}

interface Import {
  /** As it is written: `./bin.ts`, `node:fs`, `undici`. */
  readonly specifier: string;
  /** The file that it names, from the project's root; null for a package or a builtin. */
  readonly path: string | null;
  /** What is taken from it, by the names that it has there; `*` for all of it. */
  readonly names: readonly string[];
}

const ROOT = posix.join(import.meta.dirname.replaceAll('\\', '/'), '../..');

/** All modules that match, in order of their paths. */
export function readSourceTree(...patterns: readonly string[]): SourceFile[] {
  return globSync([...patterns], { cwd: ROOT })
    .map((path) => path.replaceAll('\\', '/'))
    .sort()
    .map((path) => parseSourceFile(path, readFileSync(posix.join(ROOT, path), 'utf8')));
}

export function parseSourceFile(path: string, text: string): SourceFile {
  const commentless = text.replace(COMMENT_OR_STRING, (match) => (match.startsWith('/') ? ' ' : match));
  return {
    path,
    lineCount: text.split('\n').length - (text.endsWith('\n') ? 1 : 0),
    code: commentless.replace(COMMENT_OR_STRING, (match) => (match.startsWith('`') ? match : "''")),
    imports: [...importsOf(commentless, posix.dirname(path))],
  };
}

const COMMENT_OR_STRING =
  /\/\/.*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`/g;

/** `import … from`, `export … from`, `import '…'`, `import('…')`, also as a type and with `with { … }`. */
function* importsOf(code: string, folder: string): Iterable<Import> {
  const statement = /^(?:import|export)\s(?:(?<clause>[^'"`;=()]*?)\sfrom\s)?['"](?<specifier>[^'"]+)['"]/gm;
  for (const { groups } of code.matchAll(statement)) {
    yield resolved(groups!.specifier!, folder, namesOf(groups!.clause ?? ''));
  }
  for (const [whole, argument] of code.matchAll(/\bimport\(\s*([^)]*?),?\s*\)/g)) {
    const specifier = /^['"]([^'"]+)['"]/.exec(argument!)?.[1] ?? whole; // a computed one is no package that is known
    yield resolved(specifier, folder, ['*']);
  }
}

function resolved(specifier: string, folder: string, names: readonly string[]): Import {
  return { specifier, path: specifier.startsWith('.') ? posix.join(folder, specifier) : null, names };
}

function namesOf(clause: string): string[] {
  const braces = /\{([\s\S]*)\}/.exec(clause)?.[1];
  if (braces === undefined) return ['*'];
  return braces
    .split(',')
    .map((name) => name.trim().replace(/^type /, ''))
    .filter((name) => name !== '')
    .map((name) => name.split(' as ')[0]!);
}

/** Groups of files that import each other in a loop; empty if there are none. */
export function cyclesAmong(files: readonly SourceFile[]): string[][] {
  const importsOfPath = new Map(
    files.map(({ path, imports }) => [path, imports.flatMap((one) => one.path ?? [])] as const),
  );
  const cycles: string[][] = [];
  const finished = new Set<string>();
  const walk = (path: string, road: readonly string[]): void => {
    const start = road.indexOf(path);
    if (start !== -1) cycles.push([...road.slice(start), path]);
    if (start !== -1 || finished.has(path)) return;
    for (const next of importsOfPath.get(path) ?? []) walk(next, [...road, path]);
    finished.add(path);
  };
  for (const { path } of files) walk(path, []);
  return cycles;
}
