import type { Attempt } from './attempt.ts';
import { DamageLedger } from './damage.ts';
import { MARKER, Observer } from './observer.ts';
import type { World } from './world.ts';

/** One of the stores of a world: where it is, what was damaged in it, and who looks after it. */
export class WorldStore {
  readonly path: string;
  readonly damage: DamageLedger;
  readonly observer: Observer;
  /** The run that made an object, by key. */
  readonly makers = new Map<string, Attempt<unknown>>();
  /** Hashes of what restores have kept before they wrote, by key. */
  readonly keptByRestores = new Map<string, string>();
  /** Whether somebody took the marker away because it was damaged. */
  markerRemoved = false;
  readonly #world: World;

  constructor(world: World, path: string) {
    this.#world = world;
    this.path = path;
    this.damage = new DamageLedger(world.disk, path);
    this.observer = new Observer(world, this);
  }

  /** Notes what a run has made, whatever became of the run. */
  note(attempt: Attempt<unknown>): void {
    for (const path of attempt.process.made) {
      if (path.startsWith(`${this.path}/`)) this.makers.set(path.slice(this.path.length + 1), attempt);
    }
  }

  /** A backup to do something with; null if there is none. */
  pickBackup(): string | null {
    const { visible } = this.observer;
    return visible.length === 0 ? null : this.#world.dice.pick(visible);
  }

  /** Puts the marker back as it was, or takes it away where it was damaged when it was written. */
  mendMarker(): void {
    this.damage.mend(MARKER);
    if (!this.observer.damaged.has(MARKER)) return;
    this.#world.disk.put(`${this.path}/${MARKER}`, null);
    this.markerRemoved = true;
  }

  /** Whether the marker is there and is not what was written. */
  get isMarkerDamaged(): boolean {
    return this.observer.damaged.has(MARKER) && !this.damage.isGone(MARKER);
  }
}
