import type { World } from './world.ts';

/** What a server does wrong for a time: somebody mends it in the end. */
export class ServerTrouble {
  /** The collection that it concerns; null while all is well. */
  collection: string | null = null;
  kind: 'unreadable' | 'vanishing' | 'ignored paging' | null = null;
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  begin(): void {
    this.end();
    const { dice, server, settings } = this.#world;
    this.collection = dice.pick(settings.collections);
    this.kind = dice.pick(['unreadable', 'vanishing', 'ignored paging'] as const);
    const keys = [...server.documents(this.collection)].map(({ key }) => key);
    if (this.kind === 'unreadable') {
      const unreadable = keys.filter(() => dice.chance(0.2)).concat(keys.slice(0, 1));
      server.misbehave({ unreadable: { [this.collection]: unreadable } });
    } else if (this.kind === 'vanishing') {
      server.misbehave({ vanishing: { [this.collection]: dice.below(10) } });
    } else {
      server.misbehave({ ignoredPaging: settings.dialect === 'A' ? ['offset'] : ['skip', 'offset'] });
    }
  }

  end(): void {
    this.collection = null;
    this.kind = null;
    this.#world.server.misbehave({ unreadable: {}, vanishing: {}, ignoredPaging: [] });
  }

  /** Whether it concerns a collection. */
  concerns(collection: string): boolean {
    return this.kind === 'ignored paging' || this.collection === collection;
  }

  /** The codes with which reading a collection may fail. */
  codes(collection: string): readonly string[] {
    if (this.kind === null || !this.concerns(collection)) return [];
    return {
      unreadable: ['SOURCE_UNPROVEN', 'SOURCE_DOCUMENT_UNREADABLE'],
      vanishing: [
        'SOURCE_UNPROVEN',
        'SOURCE_NOT_FOUND',
        'SOURCE_COLLECTION_VANISHED',
        'SOURCE_COLLECTION_UNKNOWN',
      ],
      'ignored paging': ['SOURCE_UNPROVEN', 'SOURCE_OFFSET_IGNORED'],
    }[this.kind];
  }
}
