import { BackupError, toBackupError } from '../kernel/errors.ts';
import type { HttpResponse } from '../kernel/http.ts';
import { printable, truncated } from '../kernel/printable.ts';
import { FOURTEEN_COLLECTIONS } from '../model/collections.ts';
import { MEMBERS } from '../model/document.ts';
import { errorFields, failureOf, isSuccess, messageOf } from './answers.ts';
import type { ClientRequest, ZerodbClient } from './client.ts';
import type { DialectName } from './dialect.ts';
import { jsonParts } from './json-text.ts';
import { scanList } from './pages.ts';

/** Where answers of the probe are kept between runs. May forget at any time. */
export interface ProbeMemory {
  read(key: string): Promise<string | null>;
  write(key: string, value: string): Promise<void>;
}

/** How a server is to be spoken to; `prefix` holds the names of the path down to `database`. */
export type Found = FoundA | FoundB | FoundD;

interface FoundA {
  readonly dialect: 'A';
}

interface FoundB {
  readonly dialect: 'B';
  readonly prefix: readonly string[];
}

interface FoundD {
  readonly dialect: 'D';
  readonly prefix: readonly string[];
}

export interface ProbeOptions {
  readonly project?: string;
  /** Skips the search for the dialect. */
  readonly dialect?: DialectName;
  /** Path of dialects B and D down to `database`, with `{project}` where the project id goes; skips the search. */
  readonly prefix?: string;
  /** Collections that may be there, likely ones first: dialect A cannot be recognised without a name. */
  readonly collections?: readonly string[];
  readonly memory?: ProbeMemory;
}

/** Prefixes of dialect B, the likeliest first (zerodb-protocol.md §2). The first two are those of dialect D. */
export const PREFIXES: readonly string[] = [
  '/v1/projects/{project}/database',
  '/api/v1/projects/{project}/database',
  '/v1/public/{project}/database',
  '/v1/public/projects/{project}/database',
  '/api/v1/public/{project}/database',
  '/api/v1/public/projects/{project}/database',
  '/v1/public/zerodb/{project}/database',
  '/v1/zerodb/{project}/database',
  '/api/v1/zerodb/{project}/database',
];

const PREFIXES_OF_D = PREFIXES.slice(0, 2);

const TASK = { task: 'open the server' };

/**
 * Finds out which dialect the server speaks, and under which path, with one cheap request for each possibility; what
 * worked last time is tried first. A server that does not accept the credentials ends the search.
 */
export async function findDialect(
  client: ZerodbClient,
  options: ProbeOptions,
  signal?: AbortSignal,
): Promise<Found> {
  const { dialect, project, prefix } = options;
  if (dialect === 'A') return { dialect };
  if (prefix !== undefined) return { dialect: dialect ?? 'B', prefix: prefixNames(prefix, project) };
  if (dialect !== undefined && project === undefined) throw projectMissing();

  const memory = new RememberedProbe(client, options);
  const possible = possibilities(options);
  const remembered = await memory.read(possible);
  const names = [...new Set([...(options.collections ?? []), ...FOURTEEN_COLLECTIONS])];
  const found = await search(client, inOrder(possible, remembered, names), options, signal);
  if (found !== remembered) await memory.write(found);
  return found;
}

function possibilities({ project, dialect }: ProbeOptions): readonly Found[] {
  if (project === undefined) return [{ dialect: 'A' }];
  const ofB: Found[] = PREFIXES.map((prefix) => ({ dialect: 'B', prefix: prefixNames(prefix, project) }));
  const ofD: Found[] = PREFIXES_OF_D.map((prefix) => ({
    dialect: 'D',
    prefix: prefixNames(prefix, project),
  }));
  if (dialect !== undefined) return dialect === 'B' ? ofB : ofD;
  return [...ofB, ...ofD, { dialect: 'A' }];
}

interface Probe {
  readonly found: Found;
  readonly request: Pick<ClientRequest, 'method' | 'path' | 'query' | 'body'>;
  /** Whether an answer other than 401 and 403 shows that this is how to speak with the server. */
  readonly accepts: (response: HttpResponse) => boolean;
  /** True if another dialect answers this request alike. */
  readonly isCommon?: boolean;
}

/** All probes, those of what worked last time first. */
function inOrder(
  possible: readonly Found[],
  remembered: Found | null,
  names: readonly string[],
): readonly Probe[] {
  const ofB = possible.filter((found) => found.dialect === 'B');
  const ofD = possible.filter((found) => found.dialect === 'D');
  const ofA = possible.filter((found) => found.dialect === 'A');
  const isOpen = ofB.length > 0 && ofD.length > 0;
  const probes: Probe[] = [
    ...ofB.map(statusProbe),
    ...ofB.map((found) => ({ ...tablesProbe(found), isCommon: isOpen })),
    ...ofD.filter((found) => !isOpen || found === remembered).map(tablesProbe),
    ...ofA.flatMap((found) => names.map((name) => queryProbe(found, name))),
  ];
  const isKnown = ({ found }: Probe) => found === remembered;
  return [...probes.filter(isKnown), ...probes.filter((probe) => !isKnown(probe))];
}

function statusProbe(found: FoundB): Probe {
  return { found, request: { method: 'GET', path: found.prefix }, accepts: isJson };
}

function tablesProbe(found: FoundB | FoundD): Probe {
  const query = { skip: 0, offset: 0, limit: 1 };
  return { found, request: { method: 'GET', path: [...found.prefix, 'tables'], query }, accepts: isList };
}

/** Far behind the end: whether the first document can be served does not matter here. */
function queryProbe(found: FoundA, collection: string): Probe {
  const body = jsonParts('{"filters":{},"limit":1,"offset":1000000000}');
  const request = { method: 'POST', path: ['collections', collection, 'query'], body } as const;
  return { found, request, accepts: speaksA };
}

async function search(
  client: ZerodbClient,
  probes: readonly Probe[],
  options: ProbeOptions,
  signal: AbortSignal | undefined,
): Promise<Found> {
  let failure: BackupError | null = null;
  const refusals: Refusal[] = [];
  for (const [index, { found, request, accepts, isCommon }] of probes.entries()) {
    let response: HttpResponse;
    try {
      // the first request finds out whether the server is well, and may take its time
      response = await client.send({ ...request, repeatable: true, brief: index > 0, signal }, TASK);
    } catch (error) {
      const isOfThisPath = error instanceof BackupError && error.code === 'SOURCE_FAILED';
      if (!isOfThisPath || !client.hasAnswered) throw error;
      failure ??= error;
      continue;
    }
    if (accepts(response)) return isCommon === true ? await oneOf(client, found, options, signal) : found;
    if (response.status === 401 || response.status === 403) throw failureOf(response, client.about(TASK));
    if (response.status >= 300 && response.status < 400) throw failureOf(response, client.about(TASK));
    if (errorFields(response).code === 'PROJECT_NOT_FOUND') throw projectUnknown(options.project);
    const message = messageOf(response, client.redaction);
    const words = `${request.method} /${request.path.map(printable).join('/')} answered ${response.status}: ${message}`;
    refusals.push({ status: response.status, words });
  }
  throw failure ?? dialectUnknown(client, refusals, options);
}

/**
 * Both B and D list tables under one path. What tells them apart, without writing, is that D knows the path of a table's
 * rows but does not serve them to GET, whichever table it is.
 */
async function oneOf(
  client: ZerodbClient,
  found: Found,
  { project }: ProbeOptions,
  signal: AbortSignal | undefined,
): Promise<Found> {
  if (found.dialect !== 'B' || project === undefined) return found;
  const { prefix } = found;
  const isOfD = PREFIXES_OF_D.some((one) => prefixNames(one, project).join('/') === prefix.join('/'));
  if (!isOfD) return found;
  const path = [...prefix, 'tables', FOURTEEN_COLLECTIONS[0]!, 'rows'];
  const query = { skip: 0, offset: 0, limit: 1 };
  const response = await client.send(
    { method: 'GET', path, query, repeatable: true, brief: true, signal },
    TASK,
  );
  return response.status === 405 ? { dialect: 'D', prefix } : found;
}

interface Refusal {
  readonly status: number;
  readonly words: string;
}

function isJson(response: HttpResponse): boolean {
  if (!isSuccess(response)) return false;
  try {
    const value: unknown = JSON.parse(Buffer.from(response.body).toString('utf8'));
    return typeof value === 'object' && value !== null;
  } catch {
    return false;
  }
}

function isList(response: HttpResponse): boolean {
  if (!isSuccess(response)) return false;
  try {
    scanList(response.body, MEMBERS);
    return true;
  } catch {
    return false;
  }
}

/**
 * A list; or an error about this very collection: a server that does not know the path says just `Not Found`. A 403
 * does not end the search here, because it may be about the collection alone.
 */
function speaksA(response: HttpResponse): boolean {
  if (isList(response) || response.status === 403) return true;
  const text = Buffer.from(response.body).toString('utf8');
  return response.status === 404 && /collection/i.test(text) && !text.includes('/collections');
}

/** The names of a prefix's path. */
function prefixNames(prefix: string, project: string | undefined): readonly string[] {
  const names = prefix.split('/').filter((name) => name !== '');
  return names.map((name) => {
    if (name !== '{project}') return decodeURIComponent(name);
    if (project === undefined) throw projectMissing();
    return project;
  });
}

class RememberedProbe {
  readonly #client: ZerodbClient;
  readonly #memory: ProbeMemory | null;
  readonly #key: string;

  constructor(client: ZerodbClient, options: ProbeOptions) {
    this.#client = client;
    this.#memory = options.memory ?? null;
    this.#key = JSON.stringify(['dialect', client.baseUrl, options.project ?? null]);
  }

  /** The one of the possibilities that worked last time. */
  async read(possible: readonly Found[]): Promise<Found | null> {
    try {
      const text = (await this.#memory?.read(this.#key)) ?? null;
      return possible.find((found) => JSON.stringify(found) === text) ?? null;
    } catch (error) {
      this.#note(error);
      return null;
    }
  }

  async write(found: Found): Promise<void> {
    try {
      await this.#memory?.write(this.#key, JSON.stringify(found));
    } catch (error) {
      this.#note(error);
    }
  }

  /** Forgetting costs a few requests, no more. */
  #note(error: unknown): void {
    const { message } = toBackupError(error);
    this.#client.platform.log.write('debug', `what the probe found out cannot be remembered: ${message}`);
  }
}

function projectMissing(): BackupError {
  return new BackupError('CONFIG_INVALID', 'the project id is missing', {
    cure: 'Set ZERODB_PROJECT_ID, or use dialect A, which has no projects.',
  });
}

function projectUnknown(project: string | undefined): BackupError {
  const name = printable(truncated(project ?? '', 100));
  return new BackupError('SOURCE_NOT_FOUND', `the server knows no project "${name}"`, {
    object: name,
    cure: 'Check ZERODB_PROJECT_ID, and that the credentials belong to this project.',
  });
}

function dialectUnknown(
  client: ZerodbClient,
  refusals: readonly Refusal[],
  { project }: ProbeOptions,
): BackupError {
  // a path that the server does not know says least
  const telling = refusals.find(({ status }) => status !== 404) ?? refusals[0];
  const message = `no dialect of ZeroDB was recognised at ${client.baseUrl}: ${telling?.words ?? 'nothing was tried'}`;
  const more =
    refusals.length > 1 ? `, and ${refusals.length - 1} further requests were refused as well` : '';
  return new BackupError('SOURCE_DIALECT_UNKNOWN', message + more, {
    cure:
      project === undefined
        ? 'Check the base URL, and set ZERODB_PROJECT_ID if the server has projects.'
        : 'Check the base URL and the project id, or name the dialect with --dialect.',
  });
}
