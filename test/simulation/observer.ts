import { createHash } from 'node:crypto';
import type { Manifest } from '../../src/model/manifest.ts';
import { type Attempt, Violation } from './attempt.ts';
import type { DamageLedger } from './damage.ts';
import { readStoredBackup, type StoredBackup, type StoredDocument } from './stored-backup.ts';
import type { World } from './world.ts';

export const MARKER = 'repository.json';

/** The store that is looked at. */
export interface Observed {
  readonly path: string;
  readonly damage: DamageLedger;
  /** The run that made an object, by key. */
  readonly makers: ReadonlyMap<string, Attempt<unknown>>;
}

/** A backup as the observer knows it: of an incremental one the state that it is together with its base. */
export interface SeenBackup extends StoredBackup {
  /** Payloads as they are stored (latin1), in the order of the archives, the increment before its base. */
  readonly payloads: readonly string[];
  /** The store's objects that it consists of, and their SHA-256. */
  readonly objects: ReadonlyMap<string, string>;
}

/**
 * Looks at a store past every port and every fault, after each round, and knows only what docs/format.md says.
 *
 * - What is visible as a backup is complete and true, from the moment on at which it is visible.
 * - What was reported as a success is visible for ever, and never changes.
 */
export class Observer {
  readonly backups = new Map<string, SeenBackup>();
  readonly #world: World;
  readonly #store: Observed;
  readonly #acknowledged = new Set<string>();

  constructor(world: World, store: Observed) {
    this.#world = world;
    this.#store = store;
  }

  /** A report said that this backup was made. */
  acknowledge(backupId: string): void {
    this.#acknowledged.add(backupId);
  }

  /** It was removed, and rightly. */
  forget(id: string): void {
    this.#acknowledged.delete(id);
    this.backups.delete(id);
  }

  get hasMarker(): boolean {
    return this.keys.includes(MARKER);
  }

  /** Whether the directory of the store is there. */
  get exists(): boolean {
    return this.#world.disk.isDirectory(this.#store.path);
  }

  /** Keys of all objects. */
  get keys(): string[] {
    return this.#keys('').filter((key) => !key.startsWith('.partial/'));
  }

  /** Ids of the manifests that lie in the store, damaged ones too. */
  get visible(): string[] {
    return this.#keys('manifests/').map((key) => key.slice('manifests/'.length, -'.json'.length));
  }

  /** Keys of objects that hold other bytes than were stored: at rest, or since they were written. */
  get damaged(): Set<string> {
    const { path: root, damage } = this.#store;
    const keys = new Set(damage.keys);
    for (const [path, file] of this.#world.disk.filesBelow(root)) {
      if (file.damaged) keys.add(path.slice(root.length + 1));
    }
    return keys;
  }

  /** A hash of all objects that are there to stay. */
  get storeSum(): string {
    const hash = createHash('sha256');
    for (const key of this.keys) hash.update(`${key} ${this.#sha256(key)}\n`);
    return hash.digest('hex');
  }

  /** Judges the store after a round. */
  look(): void {
    const { damage, makers } = this.#store;
    const damaged = this.damaged;
    for (const id of this.visible) {
      const key = `manifests/${id}.json`;
      const known = this.backups.get(id);
      if (known !== undefined) this.#assertUnchanged(id, known, damaged);
      else if (!damaged.has(key)) {
        const maker = makers.get(key);
        if (maker === undefined) throw new Violation(`nobody made ${id}`);
        this.backups.set(id, this.#judge(id, maker, damaged));
      } else if (this.#acknowledged.has(id)) throw new Violation(`${id} was reported made, and is damaged`);
    }
    const visible = new Set(this.visible);
    for (const id of this.#acknowledged) {
      if (!visible.has(id) && !damage.isGone(`manifests/${id}.json`)) {
        throw new Violation(`${id} was reported made, and is no longer there`);
      }
    }
    for (const id of [...this.backups.keys()]) {
      if (!visible.has(id) && !this.#acknowledged.has(id)) this.backups.delete(id);
    }
  }

  #assertUnchanged(id: string, { objects }: SeenBackup, damaged: ReadonlySet<string>): void {
    for (const [key, sha256] of objects) {
      if (damaged.has(key)) continue;
      if (this.#file(key) === null) throw new Violation(`${key} of ${id} is gone`);
      if (this.#sha256(key) !== sha256) throw new Violation(`${key} of ${id} has changed`);
    }
  }

  /** A backup that is seen for the first time: whole, complete, true, and of the time of the run that made it. */
  #judge(id: string, maker: Attempt<unknown>, damaged: ReadonlySet<string>): SeenBackup {
    const { object_path } = JSON.parse(this.#content(`manifests/${id}.json`).toString()) as Manifest;
    const keys = { manifest: `manifests/${id}.json`, archive: object_path, index: `indexes/${id}` };
    const objects = new Map<string, string>();
    for (const key of Object.values(keys)) {
      if (damaged.has(key)) throw new Violation(`${key} of ${id} was damaged before it was committed`);
      objects.set(key, this.#sha256(key));
    }
    const contents = {
      manifest: this.#content(keys.manifest),
      archive: this.#content(keys.archive),
      index: this.#content(keys.index),
    };
    const stored = readStoredBackup(id, contents, (base) => this.#base(id, base));
    const { manifest, documents } = stored;
    assertTimes(manifest, maker);
    this.#judgeDocuments(manifest, documents, maker);
    return { ...stored, payloads: documents.map(({ payload }) => payload), objects };
  }

  /** What a new backup is built on: nothing of it that can be seen without reading its archive is damaged. */
  #base(id: string, baseId: string): SeenBackup {
    const base = this.backups.get(baseId);
    if (base === undefined) throw new Violation(`${id} is built on ${baseId}, which is not there`);
    const { damaged } = this;
    const { object_path } = base.manifest;
    if (damaged.has(`manifests/${baseId}.json`))
      throw new Violation(`${id} is built on ${baseId}, whose manifest is damaged`);
    if (this.#store.damage.hasOtherSize(object_path))
      throw new Violation(`${id} is built on ${baseId}, whose archive is not there as it was stored`);
    return base;
  }

  /** Every document that was there throughout, once; none that never was; no key twice. */
  #judgeDocuments(
    { backup_id: id, collection, status, consistency }: Manifest,
    documents: readonly StoredDocument[],
    { from, to }: Attempt<unknown>,
  ): void {
    const { history } = this.#world;
    const seen = new Set(history.seen(collection, from, to).map(asStored));
    const held = new Set(documents.map(nameOf));
    for (const name of held) {
      if (!seen.has(name)) throw new Violation(`${id} holds what ${collection} never held: ${name}`);
    }
    const keys = new Set(documents.map(({ key }) => key));
    if (keys.size < documents.length) throw new Violation(`${id} holds a document twice`);
    const lost = history
      .steady(collection, from, to)
      .map(asStored)
      .filter((name) => !held.has(name));
    if (lost.length > 0 && status === 'completed') {
      throw new Violation(`${id} is complete, but ${lost.length} documents are lost: ${lost[0]}`);
    }
    if (consistency !== 'point') return;
    for (const moment of history.moments(collection, from, to)) {
      if (moment.length === held.size && moment.every((version) => held.has(asStored(version)))) return;
    }
    throw new Violation(`${id} claims the state of one moment, and there was no such moment`);
  }

  #keys(prefix: string): string[] {
    const { path: root } = this.#store;
    const paths = [...this.#world.disk.filesBelow(root)].map(([path]) => path.slice(root.length + 1));
    return paths.filter((key) => key.startsWith(prefix)).sort();
  }

  #file(key: string) {
    return this.#world.disk.file(`${this.#store.path}/${key}`);
  }

  #content(key: string): Buffer {
    const file = this.#file(key);
    if (file === null) throw new Violation(`${key} is not there`);
    return file.content;
  }

  #sha256(key: string): string {
    return createHash('sha256').update(this.#content(key)).digest('hex');
  }
}

/** A run began, its scan began, the scan ended, the manifest was made, the run ended: all by the clock of the run. */
function assertTimes({ backup_id: id, window, created_at, completed_at }: Manifest, maker: Attempt<unknown>) {
  const [start, end, completed] = [window.start, window.end, `${completed_at}Z`].map(Date.parse);
  const times = [Math.floor(maker.began), start!, end!, completed!, Math.ceil(maker.ended)];
  if (times.some((time, at) => at > 0 && !(times[at - 1]! <= time))) {
    throw new Violation(`the times of ${id} are out of order: ${times.join(', ')}`);
  }
  if (`${created_at}Z` !== window.start) throw new Violation(`${id} was created at another time than begun`);
  const named = /_(\d{4})(\d\d)(\d\d)_(\d\d)(\d\d)(\d\d)$/.exec(id)!.slice(1);
  const [year, month, day, hour, minute, second] = named;
  const namedAfter = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (namedAfter <= start! - 1000) throw new Violation(`${id} is named after a time before ${window.start}`);
}

/** A document's key and content, in one text. */
function nameOf({ key, payload }: StoredDocument): string {
  return `${JSON.stringify(key)} ${payload}`;
}

function asStored({ key, text }: { readonly key: string; readonly text: string }): string {
  return nameOf({ key, payload: stored(text) });
}

/** A payload as an archive keeps it: line breaks outside strings are spaces, and this world has no others. */
export function stored(payload: string): string {
  return payload.replaceAll('\n', ' ');
}

/** Whether a key is one of the three of a backup. */
export function isObjectOf(id: string, key: string): boolean {
  return key === `indexes/${id}` || key === `manifests/${id}.json` || key.startsWith(`backups/${id}.json.`);
}
