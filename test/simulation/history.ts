import type { SandboxCore } from '../../src/sandbox/core.ts';

/** The bytes of one document from one step up to another. */
interface Version {
  readonly text: string;
  readonly from: number;
  /** Infinity while they are current. */
  until: number;
  /** Who wrote them. */
  readonly by: string;
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
}

/** Everything that the project ever held, and from when to when. Steps are the scheduler's. */
export class History {
  readonly changes: RecordedChange[] = [];
  /** Versions by collection and by the document's place on the server, which is never given twice. */
  readonly #documents = new Map<string, Map<number, Version[]>>();

  constructor(server: SandboxCore, step: () => number, by: () => string) {
    server.observe(({ kind, collection, sequence, key }) => {
      const found = kind === 'delete' ? undefined : server.payload(collection, key);
      const text = found === undefined ? null : found.toString('latin1');
      this.changes.push({ step: step(), by: by(), kind, collection, key, text });
      const documents = this.#documents.get(collection) ?? new Map<number, Version[]>();
      this.#documents.set(collection, documents);
      const versions = documents.get(sequence) ?? [];
      documents.set(sequence, versions);
      const current = versions.at(-1);
      if (current !== undefined) current.until = step();
      if (text !== null) {
        versions.push({ text, from: step(), until: Number.POSITIVE_INFINITY, by: by() });
      }
    });
  }

  /** Payloads that were there, unchanged, from before `from` until after `to`. */
  steady(collection: string, from: number, to: number): string[] {
    return this.#versions(collection)
      .filter((version) => version.from < from && version.until > to)
      .map(({ text }) => text);
  }

  /** Payloads that were there at any moment between the two. */
  seen(collection: string, from: number, to: number): Set<string> {
    const versions = this.#versions(collection).filter(
      (version) => version.from <= to && version.until >= from,
    );
    return new Set(versions.map(({ text }) => text));
  }

  changesBy(name: string): RecordedChange[] {
    return this.changes.filter(({ by }) => by === name);
  }

  /** What identifies the documents that others than this run wrote or deleted while it went on. */
  touchedByOthers(collection: string, run: { from: number; process: { name: string } }): Set<string> {
    const touched = new Set<string>();
    for (const documents of this.#documents.get(collection)?.values() ?? []) {
      for (const { text, from, until, by } of documents) {
        const written = from >= run.from && by !== run.process.name;
        if (written || (until >= run.from && until !== Number.POSITIVE_INFINITY)) touched.add(idOf(text));
      }
    }
    return touched;
  }

  #versions(collection: string): Version[] {
    return [...(this.#documents.get(collection)?.values() ?? [])].flat();
  }
}

/** What identifies a document to its user: its id, or what no other document of a world has. */
export function idOf(payload: string): string {
  return /^\{"id":("[^"]*")/.exec(payload)?.[1] ?? markOf(payload);
}

/** The member by which no two documents of a world are alike. */
export function markOf(text: string): string {
  return /"version":"(v\d+)"/.exec(text)?.[1] ?? text;
}
