import { readFileSync } from 'node:fs';
import { type Attempt, type Suffered, Violation } from './attempt.ts';
import type { FaultKind } from './faults.ts';

/** Exit codes by error code, as the documentation has them. */
const EXITS: ReadonlyMap<string, number> = new Map(
  [
    ...readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8').matchAll(
      /^\| `([A-Z_]+)` \| (\d+) \|/gm,
    ),
  ].map(([, code, exit]) => [code!, Number(exit)]),
);

export function exitOf(code: string): number {
  const exit = EXITS.get(code);
  if (exit === undefined) throw new Violation(`the error code ${code} is not documented`);
  return exit;
}

interface Failure {
  readonly code: string;
  readonly message: string;
}

interface Judged {
  readonly exit_code: number;
  readonly errors: readonly Failure[];
}

/** How the exit code of a report follows from those of its errors. */
type Exit = (exits: readonly number[]) => number;

/** Several alike, or 3; but damage before everything. */
export const damageFirst: Exit = (exits) => {
  if (exits.includes(4)) return 4;
  return new Set(exits).size > 1 ? 3 : (exits[0] ?? 0);
};

/**
 * Each failure that a run ended with must have a reason: one that the caller knows, or a fault that the run suffered.
 * Throws a Violation where there is none, or where the exit code is another than the documentation says.
 */
export function assertExplained(attempt: Attempt<Judged>, reasons: Iterable<string>, exit?: Exit): void {
  const { report, error, suffered, process } = attempt;
  const known = new Set([...reasons, ...suffered.flatMap(codesOf)]);
  const failures: readonly Failure[] = error === null ? (report?.errors ?? []) : [error];
  for (const { code, message } of failures) {
    if (known.has(code)) continue;
    const faults = suffered.map(({ kind, method }) => `${method} ${kind}`).join(', ');
    throw new Violation(
      `${code} is unexplained: ${message} (${process.name} suffered ${faults || 'nothing'})`,
    );
  }
  if (error !== null && error.exit !== exitOf(error.code))
    throw new Violation(`${error.code} ends with ${error.exit}`);
  if (report !== null && failures.some(({ code }) => code === 'TERMINATED')) {
    throw new Violation('a stop is reported as one failure among others');
  }
  if (report === null || exit === undefined) return;
  const expected = exit(report.errors.map(({ code }) => exitOf(code)));
  if (report.exit_code !== expected) {
    const codes = report.errors.map(({ code }) => code).join(', ');
    throw new Violation(`the exit code is ${report.exit_code} and not ${expected}: ${codes}`);
  }
}

/** Whether the run suffered something that explains one of these codes. */
export function isExcused({ suffered }: Attempt<unknown>, codes: readonly string[]): boolean {
  return suffered.flatMap(codesOf).some((code) => codes.includes(code));
}

const OF_ERRNO = { EIO: 'STORE_FAILED', ENOSPC: 'STORE_FULL', EACCES: 'STORE_FORBIDDEN' } as const;
/** What is read is other than what is there. */
const READ_LIES = [
  'STORE_DAMAGED',
  'MANIFEST_DAMAGED',
  'ARCHIVE_DAMAGED',
  'INDEX_DAMAGED',
  'MARKER_DAMAGED',
  'RECORD_DAMAGED',
  'CHAIN_BROKEN',
] as const;
/** A scan that met a fault may not know what it missed; a write that did may not have been made. */
const IN_DOUBT = ['SOURCE_UNPROVEN', 'RESTORE_PARTIAL', 'RESTORE_REFUSED'] as const;
const NO_ANSWER = ['SOURCE_UNREACHABLE', 'SOURCE_FAILED', ...IN_DOUBT] as const;
const WRONG_ANSWER = [
  'SOURCE_MALFORMED',
  'SOURCE_DIALECT_UNKNOWN',
  'SOURCE_NOT_FOUND', // a 2xx of somebody else: what was asked for seems to be there
  'RESTORE_DIFFERENT', // the same: a replacement seems to be made
  ...IN_DOUBT,
] as const;

/** How a run may end that an HTTP fault befell. */
const OF_HTTP: Partial<Record<FaultKind, readonly string[]>> = {
  unreachable: NO_ANSWER,
  'lost before': NO_ANSWER,
  'lost after': NO_ANSWER,
  'silent before': NO_ANSWER,
  'silent after': NO_ANSWER,
  'fails before': NO_ANSWER,
  'fails after': NO_ANSWER,
  '429': ['SOURCE_RATE_LIMITED', ...IN_DOUBT],
  html: WRONG_ANSWER,
  empty: WRONG_ANSWER,
  shortened: WRONG_ANSWER,
};

/** The codes with which a run may fail because of a fault. */
function codesOf({ kind, method, place, errno }: Suffered): readonly string[] {
  if (kind === 'stopped') return ['TERMINATED'];
  // the time passes that a reading may take, and what it saw proves nothing then
  if (kind === 'freezes') return ['SOURCE_UNPROVEN', 'RESTORE_REFUSED'];
  // an empty 200 acknowledges a write that was not made: that the document is not there is the truth then
  if (kind === 'empty' && method !== 'http.GET') return [...WRONG_ANSWER, 'RESTORE_DIFFERENT'];
  if (place === 'server') return OF_HTTP[kind] ?? [];
  if (kind === 'lies') return place === 'store' ? READ_LIES : [];
  if (errno === undefined) return [];
  return place === 'state' ? ['STATE_FAILED'] : [OF_ERRNO[errno as keyof typeof OF_ERRNO]];
}
