import { randomBytes } from 'node:crypto';
import type { Clock } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';
import { createSystemClock } from '../platform/system-clock.ts';
import { SandboxCore, type SandboxCoreOptions } from './core.ts';
import { listen } from './server.ts';

export interface SandboxOptions extends SandboxCoreOptions {
  /** Any free one if left out. */
  readonly port?: number;
  /** 127.0.0.1 if left out. */
  readonly host?: string;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** The sandbox behind a socket. */
export class Sandbox extends SandboxCore {
  #server: { readonly url: string; close(): Promise<void> } | null = null;

  /** Base URL, without a slash at its end. */
  get url(): string {
    if (this.#server === null) throw new Error('the sandbox listens to nobody');
    return this.#server.url;
  }

  async listen(clock: Clock, host: string, port: number): Promise<void> {
    this.#server = await listen(this, clock, host, port);
  }

  /** Ends all connections and closes the file. */
  override async close(): Promise<void> {
    await this.#server?.close();
    await super.close();
  }
}

/** Starts an embedded ZeroDB server: `docs/sandbox.md`. */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const world = worldOf(options);
  const sandbox = new Sandbox(options, world);
  try {
    await sandbox.listen(world.clock, options.host ?? '127.0.0.1', options.port ?? 0);
  } catch (error) {
    await sandbox.close();
    throw error;
  }
  return sandbox;
}

/** The sandbox without a socket, for whoever calls `handle` directly. */
export function createSandboxCore(options: SandboxOptions = {}): SandboxCore {
  return new SandboxCore(options, worldOf(options));
}

function worldOf(options: SandboxOptions): { clock: Clock; random: Random } {
  return {
    clock: options.clock ?? createSystemClock(),
    random: options.random ?? { bytes: (count) => randomBytes(count) },
  };
}
