import type { SandboxCore } from '../../src/sandbox/core.ts';

/** The bytes of one document from one step up to another. */
export interface Version {
  /** The server's key of the document. */
  readonly key: string;
  readonly text: string;
  readonly from: number;
  /** Infinity while they are current. */
  readonly until: number;
  /** Who wrote them. */
  readonly by: string;
  /** Who replaced or deleted them; null while they are current. */
  readonly endedBy: string | null;
}

/** One change of the project. */
export interface RecordedChange {
  readonly step: number;
  readonly by: string;
  readonly kind: 'insert' | 'update' | 'delete';
  readonly collection: string;
  readonly key: string;
  /** The payload afterwards; null where it was deleted. */
  readonly text: string | null;
  /** The payload before; null where there was none. */
  readonly before: string | null;
}

type Mutable<Type> = { -readonly [Name in keyof Type]: Type[Name] };

/** Everything that the project ever held, and from when to when. Steps are the scheduler's. */
export class History {
  readonly changes: RecordedChange[] = [];
  /** By collection. */
  readonly #versions = new Map<string, Version[]>();
  /** By collection and the document's place on the server, which is never given twice. */
  readonly #current = new Map<string, Mutable<Version>>();

  constructor(server: SandboxCore, step: () => number, by: () => string) {
    server.observe(({ kind, collection, sequence, key }) => {
      const place = `${sequence} ${collection}`;
      const found = kind === 'delete' ? undefined : server.payload(collection, key);
      const text = found === undefined ? null : found.toString('latin1');
      const current = this.#current.get(place);
      this.changes.push({
        step: step(),
        by: by(),
        kind,
        collection,
        key,
        text,
        before: current?.text ?? null,
      });
      if (current !== undefined) Object.assign(current, { until: step(), endedBy: by() });
      this.#current.delete(place);
      if (text === null) return;
      const version = {
        key,
        text,
        from: step(),
        until: Number.POSITIVE_INFINITY,
        by: by(),
        endedBy: null,
      };
      this.#current.set(place, version);
      const versions = this.#versions.get(collection) ?? [];
      this.#versions.set(collection, versions);
      versions.push(version);
    });
  }

  /** What was there, unchanged, from before `from` until after `to`. */
  steady(collection: string, from: number, to: number): Version[] {
    return this.#versionsOf(collection).filter((version) => version.from < from && version.until > to);
  }

  /** What was there at any moment between the two. */
  seen(collection: string, from: number, to: number): Version[] {
    return this.#versionsOf(collection).filter((version) => version.from <= to && version.until >= from);
  }

  /** What was there at each moment between the two at which that was something else than before. */
  *moments(collection: string, from: number, to: number): Generator<readonly Version[]> {
    const versions = this.seen(collection, from, to);
    const steps = versions.flatMap((version) => [version.from, version.until]);
    for (const step of new Set([from, ...steps.filter((one) => one >= from && one <= to)])) {
      yield versions.filter((version) => version.from <= step && version.until > step);
    }
  }

  changesBy(name: string): RecordedChange[] {
    return this.changes.filter(({ by }) => by === name);
  }

  /** What identifies the documents that others than this run wrote or ended while it went on. */
  touchedByOthers(collection: string, run: { from: number; process: { name: string } }): Set<string> {
    const touched = new Set<string>();
    const { name } = run.process;
    for (const { text, from, until, by, endedBy } of this.#versionsOf(collection)) {
      const isWritten = from >= run.from && by !== name;
      const isEnded = until >= run.from && endedBy !== null && endedBy !== name;
      if (isWritten || isEnded) touched.add(idOf(text));
    }
    return touched;
  }

  #versionsOf(collection: string): readonly Version[] {
    return this.#versions.get(collection) ?? [];
  }
}

/** What identifies a document to its user: its id, or what no other document of a world has. */
export function idOf(payload: string): string {
  return /[{,]"id":("[^"]*")/.exec(payload)?.[1] ?? markOf(payload);
}

/** The member by which no two documents of a world are alike. */
export function markOf(text: string): string {
  return /"version":"(v\d+x*)"/.exec(text)?.[1] ?? text;
}
