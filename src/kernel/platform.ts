import type { Clock } from './clock.ts';
import type { Codec } from './codec.ts';
import type { Files } from './files.ts';
import type { Host } from './host.ts';
import type { Http } from './http.ts';
import type { Log } from './log.ts';
import type { Random } from './random.ts';

/**
 * Everything that comes from outside, in one bundle: the only door for time, chance, network, disk and process.
 * `platform/` holds the real ones; a simulation hands in others and owns every interleaving.
 */
export interface Platform {
  readonly clock: Clock;
  readonly random: Random;
  readonly http: Http;
  readonly files: Files;
  readonly codec: Codec;
  readonly host: Host;
  readonly log: Log;
}
