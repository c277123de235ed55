import { fileURLToPath } from 'node:url';
import { absolutePath } from './config/places.ts';
import { BackupError } from './kernel/errors.ts';
import type { Platform } from './kernel/platform.ts';
import { printable, truncated } from './kernel/printable.ts';
import type { Redaction } from './kernel/redaction.ts';
import type { Target } from './sources/target.ts';
import type { Store } from './stores/store.ts';
import type { ClientOptions } from './zerodb/client.ts';
import type { ZerodbConnection } from './zerodb/connection.ts';
import type { ProbeOptions } from './zerodb/probe.ts';

/** From an address to what it stands for. The only file that names concrete drivers; they are loaded when needed. */

export type Dialect = 'A' | 'B' | 'D';

/** A server as it is configured. */
export interface ServerSettings {
  /** http or https, with `?project=…&dialect=…` where needed. */
  readonly url: string;
  /** What configured it, for messages: `ZERODB_API_BASE_URL`, `--target`. */
  readonly urlName: string;
  readonly project: string | undefined;
  readonly dialect: Dialect | undefined;
  readonly apiKey: { readonly value: string; readonly name: string } | undefined;
  readonly login: { readonly email: string; readonly password: string; readonly name: string } | undefined;
  readonly timeoutMs: number;
  readonly concurrency: number;
  /** Requests in a minute. */
  readonly rateLimit: number | undefined;
  readonly redaction: Redaction;
  /** Collections that are likely to be there: a server that cannot list them is recognised by one. */
  readonly collections: readonly string[];
  /** Where it is remembered how the server is spoken to. */
  readonly stateDirectory: string;
}

/** The parts of a server's address. */
export interface ServerAddress {
  readonly baseUrl: string;
  /** Host and port, with the base path where there is one. */
  readonly host: string;
  readonly project: string | undefined;
  readonly dialect: Dialect | undefined;
}

export function parseServerAddress(
  server: Pick<ServerSettings, 'url' | 'urlName' | 'project' | 'dialect'>,
): ServerAddress {
  const { urlName } = server;
  const url = URL.canParse(server.url) ? new URL(server.url) : null;
  const shown = printable(truncated(server.url, 100));
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    // what is no URL may still hold a secret: show it only where it cannot
    const text = server.url.includes('@') ? '' : `: ${shown}`;
    throw invalid(
      `${urlName} is not the address of a server${text}`,
      urlName,
      'Give the base URL of the API, such as https://api.example.com.',
    );
  }
  refuseUserInformation(url, urlName);
  for (const name of url.searchParams.keys()) {
    if (name === 'project' || name === 'dialect') continue;
    throw invalid(
      `${urlName} has a parameter ${printable(truncated(name, 50))} that no server's address takes`,
      urlName,
      'Leave only ?project=… and &dialect=… in the address; secrets belong into variables such as ZERODB_API_KEY.',
    );
  }
  const dialect = url.searchParams.get('dialect') ?? undefined;
  if (dialect !== undefined && dialect !== 'A' && dialect !== 'B' && dialect !== 'D') {
    const text = `${urlName} names the dialect ${printable(truncated(dialect, 20))}, which this version does not speak`;
    throw invalid(text, urlName, 'Use dialect=A, dialect=B or dialect=D, or leave it out: it is found out.');
  }
  const base = `${url.origin}${url.pathname}`.replace(/\/+$/, '');
  return {
    baseUrl: base,
    host: base.slice(url.protocol.length + 2),
    project: agreed('project', url.searchParams.get('project') || undefined, server.project, urlName),
    dialect: agreed('dialect', dialect, server.dialect, urlName),
  };
}

/** Contacts the server to find out which dialect it speaks. What can be restored into can be read as well. */
export async function openTarget(
  platform: Platform,
  server: ServerSettings,
  signal?: AbortSignal,
): Promise<Target> {
  const { openZerodbSource } = await import('./sources/zerodb.ts');
  const { options, connection } = await connect(platform, server);
  return await openZerodbSource(platform, options, signal, connection);
}

/** Whoever has the same settings in hand shares one connection: its pace, and what was found out. */
const CONNECTIONS = new WeakMap<ServerSettings, Promise<Connected>>();

interface Connected {
  readonly options: ClientOptions & ProbeOptions;
  readonly connection: ZerodbConnection;
}

function connect(platform: Platform, server: ServerSettings): Promise<Connected> {
  const known = CONNECTIONS.get(server) ?? makeConnection(platform, server);
  CONNECTIONS.set(server, known);
  return known;
}

async function makeConnection(platform: Platform, server: ServerSettings): Promise<Connected> {
  const { baseUrl, project, dialect } = parseServerAddress(server);
  const { apiKey, login, timeoutMs, concurrency, rateLimit, redaction, collections } = server;
  const { ZerodbConnection: Connection } = await import('./zerodb/connection.ts');
  const { openProbeMemory } = await import('./zerodb/probe-memory.ts');
  const options = {
    baseUrl,
    baseUrlName: server.urlName,
    timeoutMs,
    concurrency,
    redaction,
    collections,
    memory: openProbeMemory(platform, server.stateDirectory),
    ...(project !== undefined && { project }),
    ...(dialect !== undefined && { dialect }),
    ...(apiKey !== undefined && { apiKey }),
    ...(login !== undefined && { login }),
    ...(rateLimit !== undefined && { rateLimit }),
  };
  return { options, connection: new Connection(platform, options) };
}

/**
 * Opens a store without contacting or creating anything.
 * @param source the server whose Object Storage is `zerodb:`; throws where none is configured. Left out: there is no such store
 */
export async function openStore(
  platform: Platform,
  address: string,
  source?: () => ServerSettings,
): Promise<Store> {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(address)?.[1]?.toLowerCase();
  if (scheme === 's3') {
    throw invalid(
      'stores of the kind s3: come in a later version',
      'store',
      'Keep backups in a directory for now: --store /var/backups/zerodb or ZERODB_BACKUP_STORE.',
    );
  }
  if (scheme === 'zerodb' && source !== undefined) return await openObjectStore(platform, address, source);
  if (scheme !== undefined && scheme !== 'file') {
    throw invalid(
      `no store is known by the scheme ${scheme}:`,
      'store',
      'Give a directory, /var/backups/zerodb or file:///var/backups/zerodb, or zerodb: for the Object Storage of the project.',
    );
  }
  const { openDirectoryStore } = await import('./stores/directory.ts');
  return openDirectoryStore(
    platform,
    scheme === 'file' ? pathOfFileUrl(address) : absolutePath(platform.host, address),
  );
}

async function openObjectStore(
  platform: Platform,
  address: string,
  source: () => ServerSettings,
): Promise<Store> {
  if (!/^zerodb:(\/\/)?$/i.test(address)) {
    throw invalid(
      'the address of the Object Storage is zerodb: and no more',
      'store',
      'Write zerodb: for the project that is backed up; another server or project is named with --source.',
    );
  }
  const server = source();
  const { openZerodbStore } = await import('./stores/zerodb.ts');
  return openZerodbStore((await connect(platform, server)).connection, server.stateDirectory);
}

function pathOfFileUrl(address: string): string {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (url !== null) refuseUserInformation(url, 'store');
  if (
    url === null ||
    url.host !== '' ||
    url.search !== '' ||
    url.hash !== '' ||
    !/^file:\/\/\//i.test(address)
  ) {
    throw invalid(
      `not the address of a directory: ${printable(truncated(address, 100))}`,
      'store',
      'Write three slashes and an absolute path, such as file:///var/backups/zerodb, or a plain path.',
    );
  }
  try {
    return fileURLToPath(url);
  } catch {
    throw invalid(
      'the address of the store does not decode to a path',
      'store',
      'Give a plain path instead.',
    );
  }
}

function refuseUserInformation(url: URL, name: string): void {
  if (url.username === '' && url.password === '') return;
  throw invalid(
    `${name} holds a user name or password for ${url.host}`,
    name,
    'Secrets do not belong in an address: set ZERODB_API_KEY, or ZERODB_EMAIL and ZERODB_PASSWORD.',
  );
}

/** One value that may be given in the address and beside it. */
function agreed<Value extends string>(
  what: string,
  inAddress: Value | undefined,
  beside: Value | undefined,
  urlName: string,
): Value | undefined {
  if (inAddress !== undefined && beside !== undefined && inAddress !== beside) {
    throw invalid(
      `two ${what}s are configured: ${printable(inAddress)} in ${urlName}, and ${printable(beside)}`,
      what,
      'Leave one of them out.',
    );
  }
  return inAddress ?? beside;
}

function invalid(message: string, object: string, cure: string): BackupError {
  return new BackupError('CONFIG_INVALID', message, { object, cure });
}
