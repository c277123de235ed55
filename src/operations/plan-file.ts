import { AppendedFile } from '../kernel/appended-file.ts';
import { BackupError } from '../kernel/errors.ts';
import { printable, truncated } from '../kernel/printable.ts';
import { type Scratch, SortedRuns } from '../kernel/sorted-runs.ts';
import { FORMAT } from '../model/canonical-record.ts';
import { type PlanEnd, type PlanHead, planEndSchema, planHeadSchema } from '../model/restore-plan.ts';
import { formatInstant } from '../model/time.ts';
import { changesOf, parseChange } from './restore/keep/changes.ts';
import { HASH_BYTES, RecordCursor, sameBytes } from './restore/match/records.ts';
import { Plan, type RestorePlan } from './restore/plan.ts';
import type { RestoreRequest } from './restore.ts';

/** The bytes of a plan's file. */
export async function* encodePlan(plan: RestorePlan): AsyncGenerator<Uint8Array> {
  const { repository, origin } = partsOf(plan);
  const { clock, codec, host } = repository.platform;
  const hash = codec.createSha256();
  const line = (bytes: Uint8Array): Uint8Array => {
    const whole = Buffer.concat([bytes, LINE_FEED]);
    hash.update(whole);
    return whole;
  };
  const head = {
    format: FORMAT,
    kind: 'restore-plan',
    backup_id: origin.backupId,
    mode: origin.mode,
    ids: origin.ids,
    allow_partial: origin.allowPartial,
    target: origin.target,
    target_collection: origin.targetCollection,
    created_at: formatInstant(clock.now()),
    tool_version: host.toolVersion,
    counts: plan.report.counts,
  };
  yield line(Buffer.from(JSON.stringify(head)));
  let changes = 0;
  for await (const change of changesOf(partsOf(plan))) {
    changes++;
    yield line(change);
  }
  yield Buffer.from(`${JSON.stringify({ changes, sha256: hash.hex() })}\n`);
}

/** What a plan's file is for, read from its first line. Throws RECORD_DAMAGED. */
export async function readPlanHead(bytes: AsyncIterable<Uint8Array>, name: string): Promise<PlanHead> {
  for await (const line of linesOf(bytes)) return parsed(planHeadSchema, line, name);
  throw damaged(name, 'it is empty');
}

/** The restore that a plan's file describes. */
export function requestOf(head: PlanHead): RestoreRequest {
  return {
    backupId: head.backup_id,
    toCollection: head.target_collection,
    mode: head.mode,
    ...(head.ids !== null && { ids: head.ids }),
    ...(head.allow_partial && { allowPartial: true }),
  };
}

/**
 * Makes sure that a plan just made does what the one in a file said, document by document, hash by hash. Throws
 * PLAN_OUTDATED, which names what is different, and RECORD_DAMAGED.
 */
export async function assertAsPlanned(
  plan: RestorePlan,
  bytes: AsyncIterable<Uint8Array>,
  name: string,
): Promise<void> {
  const parts = partsOf(plan);
  const { scratch } = parts.reading;
  const { codec } = parts.repository.platform;
  const sha256 = (line: Uint8Array): string => codec.sha256(line);
  await using saved = new ChangeSet(scratch, sha256);
  await using now = new ChangeSet(scratch, sha256);

  const hash = codec.createSha256();
  let head: PlanHead | null = null;
  let end: PlanEnd | null = null;
  let waiting: Uint8Array | null = null;
  for await (const line of linesOf(bytes)) {
    if (end !== null) throw damaged(name, 'something follows its last line');
    if (head === null) head = parsed(planHeadSchema, line, name);
    else if (line.subarray(0, 11).toString() === '{"changes":') {
      end = parsed(planEndSchema, line, name);
      continue;
    } else await saved.add(line);
    if (waiting !== null) hash.update(waiting);
    waiting = Buffer.concat([line, LINE_FEED]);
  }
  if (waiting !== null) hash.update(waiting);
  if (head === null || end === null || end.sha256 !== hash.hex() || end.changes !== saved.count)
    throw damaged(name, 'it is cut, or other bytes than were written');
  const { host, project } = parts.origin.target;
  if (head.target.host !== host || head.target.project !== project) {
    throw outdated(`the plan ${name} is for ${head.target.host}, not for ${host}`, parts.origin.backupId);
  }
  for await (const change of changesOf(parts)) await now.add(change);
  const different = await differences(saved, now);
  if (different.count === 0) return;
  const listed = different.names.map((id) => printable(truncated(id, 100))).join(', ');
  const more = different.count > different.names.length ? ' and others' : '';
  throw outdated(
    `${parts.origin.targetCollection} has changed since the plan ${name} was made: ${different.count} documents would fare otherwise (${listed}${more})`,
    parts.origin.backupId,
  );
}

/** What a plan would do to one document, for people: `create`, `replace`, `delete`, or why it is left alone. */
export interface PlannedChange {
  readonly id: string;
  readonly does: string;
  /** Members of a replaced document that would change; null where there are none to tell apart. */
  readonly fields: readonly string[] | null;
}

/** Documents that are left alone come last, where the plan was asked to list them. */
export async function* plannedChanges(plan: RestorePlan): AsyncGenerator<PlannedChange> {
  const parts = partsOf(plan);
  for await (const line of changesOf(parts)) {
    const { do: does, fields = null } = JSON.parse(Buffer.from(line).toString('utf8')) as {
      do: string;
      fields?: string[];
    };
    yield { id: nameOf(line), does, fields };
  }
  const { untouched, state, repository } = parts;
  if (untouched === null) return;
  const names = untouched.documents.names(repository.platform.codec, untouched.material, state.live);
  for await (const { name, reason } of names) yield { id: plainId(name), does: reason, fields: null };
}

/** A key without the quotes of its JSON text; a number as it is written, for it may have more digits than a double. */
function plainId(text: string): string {
  try {
    return text.startsWith('"') ? String(JSON.parse(text)) : text;
  } catch {
    return text;
  }
}

/** @param line a change, as text */
function nameOf(line: Uint8Array): string {
  const { id, at } = parseChange(line);
  const key = id ?? at;
  return key === null ? 'a document without id' : plainId(Buffer.from(key).toString('utf8'));
}

const LINE_FEED = Buffer.from('\n');
const NAMES_MAX = 20;
const ENTRY = { place: HASH_BYTES, length: HASH_BYTES + 6, width: HASH_BYTES + 10 } as const;

/** Changes as hashes of their lines, and the lines themselves in a temporary file. */
class ChangeSet implements AsyncDisposable {
  readonly hashes: SortedRuns;
  readonly #lines: AppendedFile;
  readonly #sha256: (line: Uint8Array) => string;

  constructor(scratch: Scratch, sha256: (line: Uint8Array) => string) {
    this.hashes = new SortedRuns(scratch, ENTRY.width);
    this.#lines = new AppendedFile(scratch);
    this.#sha256 = sha256;
  }

  get count(): number {
    return this.hashes.count;
  }

  async add(line: Uint8Array): Promise<void> {
    if (this.hashes.full) await this.hashes.flush();
    const entry = this.hashes.slot();
    entry.write(this.#sha256(line), 0, HASH_BYTES, 'latin1');
    entry.writeUIntBE(this.#lines.size, ENTRY.place, 6);
    entry.writeUInt32BE(line.length, ENTRY.length);
    this.hashes.added();
    await this.#lines.append(line);
  }

  async seal(): Promise<void> {
    await this.#lines.seal();
  }

  async nameOf(entry: Buffer): Promise<string> {
    const line = await this.#lines.read(entry.readUIntBE(ENTRY.place, 6), entry.readUInt32BE(ENTRY.length));
    return nameOf(line);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.hashes.close();
    await this.#lines.close();
  }
}

/** How many documents two sets do not say the same of, and the names of the first few. */
async function differences(saved: ChangeSet, now: ChangeSet): Promise<{ count: number; names: string[] }> {
  await saved.seal();
  await now.seal();
  const names = new Set<string>();
  let count = 0;
  const note = async (set: ChangeSet, entry: Buffer): Promise<void> => {
    if (names.size >= NAMES_MAX) {
      count++;
      return;
    }
    const name = await set.nameOf(entry);
    if (!names.has(name)) count++; // a document that is planned otherwise differs on both sides
    names.add(name);
  };
  const left = await RecordCursor.open(saved.hashes);
  const right = await RecordCursor.open(now.hashes);
  while (left.current !== null || right.current !== null) {
    const [ours, theirs] = [left.current, right.current];
    if (ours !== null && theirs !== null && sameBytes(ours, 0, theirs, 0, HASH_BYTES)) {
      await left.advance();
      await right.advance();
    } else if (theirs === null || (ours !== null && ours.compare(theirs, 0, HASH_BYTES, 0, HASH_BYTES) < 0)) {
      await note(saved, ours!);
      await left.advance();
    } else {
      await note(now, theirs);
      await right.advance();
    }
  }
  return { count, names: [...names] };
}

async function* linesOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let rest = Buffer.alloc(0);
  for await (const piece of bytes) {
    rest = Buffer.concat([rest, piece]);
    let from = 0;
    for (let at = rest.indexOf(0x0a); at >= 0; at = rest.indexOf(0x0a, from)) {
      yield rest.subarray(from, at);
      from = at + 1;
    }
    rest = Buffer.from(rest.subarray(from));
  }
  if (rest.length > 0) yield rest;
}

function parsed<Parsed>(schema: { parse(value: unknown): Parsed }, line: Uint8Array, name: string): Parsed {
  try {
    return schema.parse(JSON.parse(Buffer.from(line).toString('utf8')));
  } catch (cause) {
    throw damaged(name, 'a line is not what a plan says there', cause);
  }
}

function partsOf(plan: RestorePlan): Plan['parts'] {
  if (!(plan instanceof Plan)) throw new TypeError('not a plan of planRestore');
  return plan.parts;
}

function damaged(name: string, what: string, cause?: unknown): BackupError {
  return new BackupError('RECORD_DAMAGED', `${name} is not the plan that was saved: ${what}`, {
    operation: 'restore',
    object: name,
    kept: 'Nothing was written.',
    cure: 'Make the plan again with --plan.',
    cause,
  });
}

function outdated(message: string, object: string): BackupError {
  return new BackupError('PLAN_OUTDATED', message, {
    operation: 'restore',
    object,
    kept: 'Nothing was written.',
    cure: 'Make the plan again with --plan, look at it, and apply that one.',
  });
}
