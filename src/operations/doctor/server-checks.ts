import { BackupError } from '../../kernel/errors.ts';
import type { Platform } from '../../kernel/platform.ts';
import { clockSkew, SKEW_CURE } from '../../model/clock-skew.ts';
import { FOURTEEN_COLLECTIONS } from '../../model/collections.ts';
import type { Source } from '../../sources/source.ts';
import { type Found, good, warning } from './found.ts';

/** A clock that is read over a network, in whole seconds, may seem to be off by this much. */
const SKEW_MS_MEANT = 3000;

export function noServer(): Found {
  return warning(
    'no ZeroDB server is configured: existing backups can be listed, verified and exported, none can be made',
    'Set ZERODB_API_BASE_URL and ZERODB_API_KEY, or name the server with --source.',
  );
}

/** The server's clock, as the `Date` of an answer tells it: any answer will do, so no credentials are sent. */
export async function clockAgainst(
  { http, clock }: Platform,
  url: string,
  signal?: AbortSignal,
): Promise<Found> {
  const begun = clock.now();
  let date: string | undefined;
  try {
    const { headers } = await http.request({
      method: 'GET',
      url,
      headers: {},
      timeoutMs: 10_000,
      bodyBytesMax: 1 << 20,
      repeatable: true,
      receive: () => () => {},
      ...(signal !== undefined && { signal }),
    });
    date = headers.date;
  } catch (thrown) {
    signal?.throwIfAborted();
    if (thrown instanceof BackupError) throw thrown;
  }
  const theirs = date === undefined ? Number.NaN : Date.parse(date);
  if (Number.isNaN(theirs)) {
    return warning(
      'the server does not tell the time',
      'Make sure that the clock of this machine is right: the times of backups come from it.',
    );
  }
  const ours = (begun + clock.now()) / 2;
  const skew = clockSkew(ours, theirs);
  if (skew !== null) return warning(skew, SKEW_CURE);
  const skewMs = Math.abs(ours - theirs);
  return good(
    skewMs <= SKEW_MS_MEANT
      ? 'agrees with that of the server'
      : `is off by ${Math.round(skewMs / 1000)} s from that of the server`,
  );
}

/** Credentials that are accepted may still not be allowed to read. */
export async function readableCollections(
  source: Source,
  configured: readonly string[],
  signal?: AbortSignal,
): Promise<Found> {
  const listed = await source.listCollections(signal);
  const names =
    listed?.map(({ name }) => name) ?? (configured.length > 0 ? configured : FOURTEEN_COLLECTIONS);
  const refused: string[] = [];
  let readable = 0;
  for (const name of names) {
    try {
      await source.openCollection(name).page({ limit: 1, offset: 0 }, signal);
      readable++;
    } catch (thrown) {
      signal?.throwIfAborted();
      if (!(thrown instanceof BackupError)) throw thrown;
      if (thrown.code !== 'SOURCE_NOT_FOUND') refused.push(`${name} (${thrown.message})`);
    }
  }
  if (refused.length > 0) {
    throw new BackupError(
      'SOURCE_FORBIDDEN',
      `${refused.length} of ${names.length} collections cannot be read: ${refused.slice(0, 5).join('; ')}`,
      {
        cure: 'Give the API key the right to read them, or leave them out with --exclude: without it backups are incomplete.',
      },
    );
  }
  if (listed !== null) return good(`${readable} can be read, all that the server lists`);
  return warning(
    `${readable} of ${names.length} are there; the server cannot list its own, so others are not backed up`,
    'Name every collection of the project under `collections` in the configuration.',
  );
}
