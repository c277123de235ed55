import { createHash } from 'node:crypto';
import type { Clock } from '../kernel/clock.ts';
import { type Random, randomHex } from '../kernel/random.ts';
import { Authentication, type LoginOptions } from './authentication.ts';
import { type Change, type RowOrder, SandboxDatabase } from './database.ts';
import { DialectA } from './dialect-a.ts';
import { DialectB, PROJECT_PREFIXES } from './dialect-b.ts';
import { DialectD } from './dialect-d.ts';
import { Dice } from './dice.ts';
import { Documents } from './documents.ts';
import { Faults } from './faults.ts';
import {
  type BodyReceiver,
  errorAnswer,
  jsonAnswer,
  Refusal,
  type SandboxRequest,
  type SandboxResponse,
} from './message.ts';
import { GOOD_BEHAVIOUR, type Misbehaviour } from './misbehaviour.ts';
import { Objects, type StoredObject } from './objects.ts';
import { payloadId } from './raw-json.ts';
import { pathSegments, type Route } from './route.ts';
import { Storage } from './storage.ts';
import { StorageA } from './storage-a.ts';
import { StorageB } from './storage-b.ts';
import { Writer } from './writers.ts';

export type SandboxDialect = 'A' | 'B' | 'D';

export interface SandboxCoreOptions {
  /** Keeps everything in `sandbox.sqlite` there; in memory if left out. */
  readonly directory?: string;
  /** A and B if left out. B and D share paths: where both are asked for, B has them. */
  readonly dialects?: readonly SandboxDialect[];
  /** How dialect A wraps documents; `id_data` if left out. */
  readonly shape?: 'id_data' | 'flat';
  /** Random if left out. */
  readonly apiKey?: string;
  /** Headers in which the API key is accepted; both if left out, where D is spoken alone only as bearer. */
  readonly keyHeader?: 'both' | 'x-api-key' | 'bearer';
  /** Lets clients log in with a password as well. */
  readonly login?: LoginOptions;
  /** If left out, the one that the directory had last time, else a random UUID. */
  readonly project?: string;
  /** Where dialect B is served; the first of PROJECT_PREFIXES if left out. */
  readonly prefixes?: readonly string[];
  /** False: dialect B does not list its tables. */
  readonly listsTables?: boolean;
  /** Envelope of dialect B's list of tables; `tables` if left out. */
  readonly tableList?: 'tables' | 'bare';
  /** Envelope of dialect B's list of rows; `bare` if left out. */
  readonly rowList?: 'bare' | 'rows' | 'data';
  /** Order of documents that nobody asked to be sorted; `newest` first if left out. */
  readonly rowOrder?: RowOrder;
  /** What dialect A answers to a query of a collection that it does not know; `empty` if left out. */
  readonly unknownCollection?: 'empty' | 'missing';
  /** A larger limit is refused; 1000 if left out. */
  readonly limitMax?: number;
  readonly misbehaviour?: Partial<Misbehaviour>;
}

export interface DirectInsert {
  /** The payload's own id if left out, else a new one. */
  readonly key?: string;
  /** ISO 8601; now if left out. */
  readonly createdAt?: string;
}

/**
 * The sandbox without a socket: requests in, answers out, and a back door to the same documents. Everything it does
 * follows from its options, its clock and its source of chance.
 */
export class SandboxCore {
  readonly apiKey: string;
  readonly project: string;
  readonly dialects: readonly SandboxDialect[];
  /** Write requests that changed something. Direct access does not count. */
  writes = 0;
  /** All requests, whatever came of them. */
  requests = 0;
  /** Requests by method and path pattern, such as `POST /collections/{c}/query`. */
  readonly requestCounts = new Map<string, number>();
  readonly #database: SandboxDatabase;
  readonly #documents: Documents;
  readonly #storage: Storage;
  readonly #authentication: Authentication;
  readonly #routers: readonly {
    route(request: SandboxRequest, segments: readonly string[]): Route | null;
  }[];
  readonly #faults: Faults;
  readonly #now: () => number;
  #writers: readonly Writer[] = [];
  readonly #hooks: ((request: SandboxRequest) => void)[] = [];

  constructor(options: SandboxCoreOptions, { clock, random }: { clock: Clock; random: Random }) {
    const dice = new Dice(Buffer.from(random.bytes(4)).readUInt32LE());
    const now = () => clock.now();
    this.#now = now;
    this.#faults = new Faults(dice, now);
    this.apiKey = options.apiKey ?? `zdb_${randomHex(random, 16)}`;
    this.#database = new SandboxDatabase(options.directory ?? null, options.rowOrder ?? 'newest');
    this.project = this.#database.project(options.project, () => dice.uuid());
    this.#documents = new Documents(this.#database, GOOD_BEHAVIOUR, dice, now);
    this.#storage = new Storage(new Objects(this.#database), this.#documents);
    this.misbehave(options.misbehaviour ?? {});
    this.dialects = options.dialects ?? ['A', 'B'];
    this.#authentication = new Authentication(
      {
        apiKey: this.apiKey,
        keyHeader: options.keyHeader ?? (this.dialects.join() === 'D' ? 'bearer' : 'both'),
        login: options.login ?? null,
        tokenSecret: random.bytes(32),
      },
      now,
    );
    const limitMax = options.limitMax ?? 1000;
    const dialectA = new DialectA(this.#database, this.#documents, {
      shape: options.shape ?? 'id_data',
      unknownCollection: options.unknownCollection ?? 'empty',
      limitMax,
    });
    const dialectB = new DialectB(this.#database, this.#documents, {
      project: this.project,
      prefixes: options.prefixes ?? PROJECT_PREFIXES.slice(0, 1),
      listsTables: options.listsTables ?? true,
      tableList: options.tableList ?? 'tables',
      rowList: options.rowList ?? 'bare',
      limitMax,
      storage: new StorageB(this.#storage),
    });
    this.#routers = [
      ...(this.dialects.includes('A') ? [dialectA, new StorageA(this.#storage)] : []),
      ...(this.dialects.includes('B') ? [dialectB] : []),
      ...(this.dialects.includes('D') ? [new DialectD(this.#database, this.#documents, this.project)] : []),
    ];
  }

  /** Who takes the body of this request piece by piece; null where it is small enough for `handle`. */
  receiver(request: Pick<SandboxRequest, 'method' | 'path' | 'headers'>): BodyReceiver | null {
    return this.#storage.receiver(request);
  }

  handle(request: SandboxRequest): SandboxResponse {
    try {
      return this.#handle(request);
    } finally {
      request.received?.discard();
    }
  }

  #handle(request: SandboxRequest): SandboxResponse {
    this.requests++;
    for (const hook of this.#hooks) hook(request);
    const now = this.#now();
    for (const writer of this.#writers) writer.act(now);
    const route = this.#route(request);
    const counted = `${request.method} ${route?.pattern ?? 'unknown path'}`;
    this.requestCounts.set(counted, (this.requestCounts.get(counted) ?? 0) + 1);
    const { faults, rateLimit, latencyMs } = this.#documents.misbehaviour;
    const answer = () => this.#answer(request, route);
    const response =
      (rateLimit && this.#faults.overLimit(rateLimit)) ?? this.#faults.apply(request, faults, answer);
    return latencyMs === 0
      ? response
      : { ...response, delivery: { ...response.delivery, delayMs: latencyMs } };
  }

  #route(request: SandboxRequest): Route | null {
    const segments = pathSegments(request.path);
    if (segments === null) return null;
    if (request.path === '/health') return HEALTH;
    const open = this.#authentication.route(request) ?? this.#storage.signedRoute(request, segments);
    if (open !== null) return open;
    for (const dialect of this.#routers) {
      const route = dialect.route(request, segments);
      if (route !== null) return route;
    }
    return null;
  }

  #answer(request: SandboxRequest, route: Route | null): SandboxResponse {
    if (route === null) return errorAnswer(404, 'Not Found', 'PATH_NOT_FOUND');
    if (route.open !== true) {
      const refusal = this.#authentication.refusal(request.headers);
      if (refusal !== null) return refusal;
    }
    const answer = route.methods[request.method];
    if (answer === undefined) return errorAnswer(405, 'Method Not Allowed');
    const before = this.#database.changes;
    try {
      if (route.name !== null) this.#refuseCollection(route.name);
      return answer();
    } catch (error) {
      if (error instanceof Refusal) return error.answer;
      return errorAnswer(500, `Internal Server Error: ${String(error)}`);
    } finally {
      if (this.#database.changes !== before) this.writes++;
    }
  }

  #refuseCollection(name: string): void {
    const { forbidden, vanishing } = this.#documents.misbehaviour;
    if (forbidden.includes(name)) throw new Refusal(errorAnswer(403, `Access to ${name} denied`));
    const left = vanishing[name];
    if (left === undefined) return;
    if (left <= 0) throw new Refusal(errorAnswer(404, `Table not found: ${name}`, 'TABLE_NOT_FOUND'));
    this.misbehave({ vanishing: { ...vanishing, [name]: left - 1 } });
  }

  /** Called with each request before anything is done about it. What it changes is what the request will see. */
  beforeRequest(hook: (request: SandboxRequest) => void): void {
    this.#hooks.push(hook);
  }

  /** Changes how it misbehaves from now on; what is left out stays as it is. */
  misbehave(change: Partial<Misbehaviour>): void {
    this.#documents.misbehaviour = { ...this.#documents.misbehaviour, ...change };
    if (change.writers !== undefined) {
      this.#writers = change.writers.map(
        (plan) => new Writer(plan, this.#database, this.#documents, this.#now()),
      );
    }
  }

  /** Tells of every change of a document, whoever makes it. */
  observe(observer: (change: Change) => void): void {
    this.#database.observe(observer);
  }

  /** Names of the collections that exist, in order of creation. */
  get collections(): readonly string[] {
    return [...this.#database.collections].map(({ name }) => name);
  }

  /** Documents in order of insertion, read past every protocol and every misbehaviour. */
  *documents(collection: string): Iterable<{ key: string; data: Buffer; createdAt: string }> {
    const found = this.#database.collection(collection);
    if (found === undefined) return;
    for (const { key, data, createdAt } of this.#database.documents(found)) {
      yield { key, data: Buffer.from(data.buffer, data.byteOffset, data.length), createdAt };
    }
  }

  /** What is in the object storage, in order of arrival. */
  get objects(): readonly StoredObject[] {
    return this.#storage.objects.list('');
  }

  /** The bytes of the newest object of this name; undefined if there is none. */
  object(name: string): Buffer | undefined {
    const found = this.#storage.objects.named(name);
    return found && Buffer.concat([...this.#storage.objects.read(found, 0, found.size)]);
  }

  /** Puts an object beside those of its name. */
  putObject(name: string, bytes: Uint8Array): void {
    const arriving = this.#storage.objects.receive(this.#documents.newKey(), this.#documents.time);
    arriving.write(bytes);
    arriving.end();
    this.#storage.objects.show(arriving, { name, contentType: 'application/octet-stream', metadata: null });
  }

  /** Removes an object; false if there is none of this name. */
  removeObject(name: string): boolean {
    const found = this.#storage.objects.named(name);
    if (found !== undefined) this.#storage.objects.remove(found);
    return found !== undefined;
  }

  /** One document's payload; undefined if there is none with this key. */
  payload(collection: string, key: string): Buffer | undefined {
    const found = this.#database.collection(collection);
    const data = found && this.#database.find(found, key)?.data;
    return data && Buffer.from(data.buffer, data.byteOffset, data.length);
  }

  documentCount(collection: string): number {
    return this.#database.collection(collection)?.documentCount ?? 0;
  }

  /** Puts a document in, making its collection where needed; returns its key. Throws if the key is taken. */
  insert(collection: string, data: Uint8Array | string, facts: DirectInsert = {}): string {
    const payload = typeof data === 'string' ? Buffer.from(data) : data;
    const key = facts.key ?? payloadId(payload) ?? this.#documents.newKey();
    const sequence = this.#documents.insert(this.#documents.open(collection), key, payload, facts.createdAt);
    if (sequence === null) {
      throw new Error(`${collection} already has a document ${key}`);
    }
    return key;
  }

  /** A key as the server gives them. */
  newKey(): string {
    return this.#documents.newKey();
  }

  /** Replaces a payload. False if there is no such document. */
  update(collection: string, key: string, data: Uint8Array | string): boolean {
    const found = this.#database.collection(collection);
    const document = found && this.#database.find(found, key);
    if (document === undefined) return false;
    const payload = typeof data === 'string' ? Buffer.from(data) : data;
    this.#database.replace(found!, { ...document, data: payload, updatedAt: this.#documents.time });
    return true;
  }

  /** False if there is no such document. */
  delete(collection: string, key: string): boolean {
    const found = this.#database.collection(collection);
    const document = found && this.#database.find(found, key);
    if (document === undefined) return false;
    this.#database.delete(found!, document);
    return true;
  }

  /** Deletes all documents of one collection, or every collection with all that is in it. */
  wipe(collection?: string): void {
    for (const found of [...this.#database.collections]) {
      if (collection === undefined) this.#database.dropCollection(found);
      else if (found.name === collection) this.#database.deleteAll(found);
    }
  }

  /** Makes many direct changes at once: all or none of them, and far quicker than one by one. */
  transaction<Result>(work: () => Result): Result {
    return this.#database.transaction(work);
  }

  /** SHA-256 over names, keys and payloads of everything there is, or of one collection; not over server-set times. */
  digest(collection?: string): string {
    const hash = createHash('sha256');
    const names = this.collections.filter((name) => collection === undefined || name === collection);
    for (const name of names.toSorted()) {
      hash.update(`${JSON.stringify(name)}\n`);
      const lines = [...this.documents(name)].map(
        ({ key, data }) => `${JSON.stringify(key)} ${createHash('sha256').update(data).digest('hex')}\n`,
      );
      for (const line of lines.toSorted()) hash.update(line);
    }
    return hash.digest('hex');
  }

  async close(): Promise<void> {
    this.#database.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

const HEALTH: Route = {
  pattern: '/health',
  name: null,
  methods: { GET: () => jsonAnswer(200, '{"status":"healthy"}') },
  open: true,
};
