import { createHash } from 'node:crypto';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import type { Manifest } from '../../src/model/manifest.ts';
import { type Attempt, STORE, Violation } from './attempt.ts';
import { markOf } from './history.ts';
import type { World } from './world.ts';

/** A backup as the observer knows it. */
export interface SeenBackup {
  readonly manifest: Manifest;
  /** Payloads as they are stored (latin1), each once. */
  readonly payloads: readonly string[];
  /** The store's objects that it consists of, and their SHA-256. */
  readonly objects: ReadonlyMap<string, string>;
}

/**
 * Looks at the store past every port and every fault, after each round, and knows only what docs/format.md says.
 *
 * - What is visible as a backup is complete and true, from the moment on at which it is visible.
 * - What was reported as a success is visible for ever, and never changes.
 */
export class Observer {
  readonly backups = new Map<string, SeenBackup>();
  readonly #world: World;
  readonly #acknowledged = new Set<string>();

  constructor(world: World) {
    this.#world = world;
  }

  /** A report said that this backup was made. */
  acknowledge(backupId: string): void {
    this.#acknowledged.add(backupId);
  }

  get hasMarker(): boolean {
    return this.#keys('repository.json').length > 0;
  }

  /** Ids of the manifests that lie in the store, damaged ones too. */
  get visible(): string[] {
    return this.#keys('manifests/').map((key) => key.slice('manifests/'.length, -'.json'.length));
  }

  /** Keys of objects that hold other bytes than were stored: at rest, or since they were written. */
  get damaged(): Set<string> {
    const { damage, disk } = this.#world;
    const keys = new Set(damage.keys);
    for (const [path, file] of disk.filesBelow(STORE)) {
      if (file.damaged) keys.add(path.slice(STORE.length + 1));
    }
    return keys;
  }

  /** Ids of visible backups of which an object is damaged or gone. */
  get damagedBackups(): Set<string> {
    const damaged = [...this.damaged];
    return new Set(this.visible.filter((id) => damaged.some((key) => isObjectOf(id, key))));
  }

  /** A hash of all objects that are there to stay. */
  get storeSum(): string {
    const hash = createHash('sha256');
    for (const key of this.#keys('')
      .filter((name) => !name.startsWith('.partial/'))
      .sort()) {
      hash.update(`${key} ${this.#sha256(key)}\n`);
    }
    return hash.digest('hex');
  }

  /** Judges the store after a round whose attempts are given. */
  look(attempts: readonly Attempt<unknown>[]): void {
    const damaged = this.damaged;
    for (const id of this.visible) {
      const key = `manifests/${id}.json`;
      const known = this.backups.get(id);
      if (known !== undefined) this.#assertUnchanged(id, known, damaged);
      else if (!damaged.has(key)) this.backups.set(id, this.#judge(id, attempts, damaged));
      else if (this.#acknowledged.has(id)) throw new Violation(`${id} was reported made, and is damaged`);
    }
    const visible = new Set(this.visible);
    for (const id of this.#acknowledged) {
      if (!visible.has(id) && !this.#world.damage.isGone(`manifests/${id}.json`)) {
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
      if (this.#world.disk.file(`${STORE}/${key}`) === null) throw new Violation(`${key} of ${id} is gone`);
      if (this.#sha256(key) !== sha256) throw new Violation(`${key} of ${id} has changed`);
    }
  }

  /** A backup that is seen for the first time: complete, true, and of this round. */
  #judge(id: string, attempts: readonly Attempt<unknown>[], damaged: ReadonlySet<string>): SeenBackup {
    const manifest = JSON.parse(this.#content(`manifests/${id}.json`).toString()) as Manifest;
    if (manifest.backup_id !== id)
      throw new Violation(`the manifest of ${id} is one of ${manifest.backup_id}`);
    const objects = new Map<string, string>();
    for (const key of [`manifests/${id}.json`, manifest.object_path, `indexes/${id}`]) {
      if (damaged.has(key)) throw new Violation(`${key} of ${id} was damaged before it was committed`);
      objects.set(key, this.#sha256(key));
    }
    if (objects.get(manifest.object_path) !== manifest.sha256) throw new Violation(`${id} has another hash`);
    if (objects.get(`indexes/${id}`) !== manifest.index.sha256) {
      throw new Violation(`the index of ${id} has another hash`);
    }
    const lines = documentLines(this.#content(manifest.object_path), manifest.compression);
    if (lines.length !== manifest.document_count) {
      throw new Violation(`${id} holds ${lines.length} documents and claims ${manifest.document_count}`);
    }
    const from = Math.min(...attempts.map((attempt) => attempt.from));
    const to = Math.max(...attempts.map((attempt) => attempt.to));
    const payloads = this.#judgeDocuments(id, manifest, lines, from, to);
    return { manifest, payloads, objects };
  }

  /** Every document that was there throughout, once; none that never was; no key twice. */
  #judgeDocuments(
    id: string,
    { collection, status }: Manifest,
    lines: readonly string[],
    from: number,
    to: number,
  ): string[] {
    const { history, settings } = this.#world;
    const byMark = new Map<string, string>();
    for (const text of history.seen(collection, from, to)) byMark.set(markOf(text), stored(text));
    const payloads = lines.map((line) => {
      const text = byMark.get(markOf(line));
      if (text === undefined || !line.includes(text)) {
        throw new Violation(`${id} holds what ${collection} never held: ${line}`);
      }
      return text;
    });
    const keys = lines.map(
      (line) => (settings.dialect === 'A' ? /"id":("[^"]*")/ : /"row_id":("[^"]*")/).exec(line)?.[1],
    );
    if (new Set(keys).size < keys.length) throw new Violation(`${id} holds a document twice`);
    const held = new Set(payloads);
    const lost = history.steady(collection, from, to).filter((text) => !held.has(stored(text)));
    if (lost.length > 0 && status === 'completed') {
      throw new Violation(`${id} is complete, but ${lost.length} documents are lost: ${lost[0]}`);
    }
    return payloads;
  }

  #keys(prefix: string): string[] {
    const paths = [...this.#world.disk.filesBelow(STORE)].map(([path]) => path.slice(STORE.length + 1));
    return paths.filter((key) => key.startsWith(prefix)).sort();
  }

  #content(key: string): Buffer {
    const file = this.#world.disk.file(`${STORE}/${key}`);
    if (file === null) throw new Violation(`${key} is not there`);
    return file.content;
  }

  #sha256(key: string): string {
    return createHash('sha256').update(this.#content(key)).digest('hex');
  }
}

/** Whether a key is one of the three of a backup. */
function isObjectOf(id: string, key: string): boolean {
  return key === `indexes/${id}` || key === `manifests/${id}.json` || key.startsWith(`backups/${id}.json.`);
}

/** A payload as an archive keeps it: line breaks outside strings are spaces, and this world has no others. */
export function stored(payload: string): string {
  return payload.replaceAll('\n', ' ');
}

/** Lines of an archive that hold documents: all but the first and the last. */
function documentLines(archive: Buffer, compression: 'gzip' | 'zstd'): string[] {
  const text = (compression === 'gzip' ? gunzipSync(archive) : framesOf(archive)).toString('latin1');
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.slice(1, -1).map((line) => line.replace(/,$/, ''));
}

/** Node decompresses one frame and stops. */
function framesOf(archive: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < archive.length; ) {
    const { buffer, engine } = zstdDecompressSync(archive.subarray(at), { info: true }) as unknown as {
      buffer: Buffer;
      engine: { bytesWritten: number };
    };
    parts.push(buffer);
    at += engine.bytesWritten;
  }
  return Buffer.concat(parts);
}
