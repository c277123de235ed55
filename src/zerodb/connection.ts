import type { Platform } from '../kernel/platform.ts';
import { type ClientOptions, ZerodbClient } from './client.ts';
import { type Found, findDialect, type ProbeOptions } from './probe.ts';

/** One server, for all who speak with it: they share its pace, its patience and what was found out about it. */
export class ZerodbConnection {
  readonly client: ZerodbClient;
  readonly project: string | null;
  readonly #options: ProbeOptions;
  #found: Promise<Found> | null = null;

  constructor(platform: Platform, options: ClientOptions & ProbeOptions) {
    this.client = new ZerodbClient(platform, options);
    this.project = options.project ?? null;
    this.#options = options;
  }

  /** Host and port, with the base path where there is one. */
  get host(): string {
    return this.client.baseUrl.replace(/^https?:\/\//, '');
  }

  /** How the server is to be spoken to. Asks it once. */
  async found(signal?: AbortSignal): Promise<Found> {
    this.#found ??= findDialect(this.client, this.#options, signal);
    try {
      return await this.#found;
    } catch (error) {
      this.#found = null;
      throw error;
    }
  }
}
