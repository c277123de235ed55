import { combinedExit, toBackupError } from '../../kernel/errors.ts';
import type { OperationContext } from '../../kernel/events.ts';
import type { Platform } from '../../kernel/platform.ts';
import { type DoctorCheck, type DoctorReport, exitOf, reportError } from '../../model/report.ts';
import type { Repository } from '../../repository.ts';
import type { Source, SourceIdentity } from '../../sources/source.ts';
import { type Found, good, warning } from './found.ts';
import { clockAgainst, noServer, readableCollections } from './server-checks.ts';
import { ownerOf, spaceIn, stateOf, tryOut } from './store-checks.ts';

/** What is examined. */
export interface Patient {
  readonly platform: Platform;
  /** Base URL of the server; null if none is configured. */
  readonly serverUrl: string | null;
  readonly openSource: () => Promise<Source>;
  readonly openStores: () => Promise<readonly Repository[]>;
  /** Asked for where the server cannot list its own. */
  readonly collections: readonly string[];
}

/**
 * Looks at everything that a backup depends on, and goes on whatever it finds. Writes one small object into each store,
 * reads it back, and removes it.
 */
export async function doctor(patient: Patient, context: OperationContext = {}): Promise<DoctorReport> {
  const { clock } = patient.platform;
  const begun = clock.monotonic();
  const checks: DoctorCheck[] = [];
  const examine = async (name: string, look: () => Found | Promise<Found>): Promise<boolean> => {
    context.onEvent?.({ type: 'object:started', object: name });
    let check: DoctorCheck;
    try {
      check = { name, ...(await look()) };
    } catch (thrown) {
      context.signal?.throwIfAborted();
      const error = toBackupError(thrown, { operation: 'doctor', object: name });
      check = { name, outcome: 'bad', message: error.message, error: reportError(error) };
    }
    checks.push(check);
    context.onEvent?.({ type: 'object:finished', object: name, outcome: check.outcome });
    return check.outcome === 'good';
  };

  let identity: SourceIdentity | null = null;
  if (patient.serverUrl !== null) {
    const url = patient.serverUrl;
    await examine('clock', () => clockAgainst(patient.platform, url, context.signal));
    const answers = await examine('server', async () => {
      const source = await patient.openSource();
      identity = source.identity;
      const project = identity.project === null ? '' : `, project ${identity.project}`;
      return good(`${identity.host} answers in dialect ${identity.dialect}${project}`);
    });
    if (answers) {
      await examine('collections', async () =>
        readableCollections(await patient.openSource(), patient.collections, context.signal),
      );
    }
  } else {
    await examine('server', noServer);
  }
  let stores: readonly Repository[] = [];
  await examine('stores', async () => {
    stores = await patient.openStores();
    return stores.length > 1
      ? good(`${stores.length} stores`)
      : warning(
          'one store: one place is no backup',
          'Give --store twice, the second on another machine or with another provider.',
        );
  });
  for (const repository of stores) {
    const { label } = repository.store;
    const isOurs = await examine(`${label}: owner`, () => ownerOf(repository, identity, context.signal));
    // nothing is written where somebody else's files are
    if (!isOurs) continue;
    await examine(`${label}: access`, () => tryOut(repository, context.signal));
    await examine(`${label}: space`, () => spaceIn(repository, context.signal));
  }
  const [first] = stores;
  if (first !== undefined) await examine('state directory', () => stateOf(first));

  const errors = checks.flatMap(({ error }) => error ?? []);
  return {
    operation: 'doctor',
    exit_code: combinedExit(errors.map(exitOf)),
    duration_ms: Math.round(clock.monotonic() - begun),
    checks,
    warnings: checks.flatMap(({ name, outcome, message }) =>
      outcome === 'warning' ? [{ code: 'DOCTOR_ADVICE', object: name, message }] : [],
    ),
    errors,
  };
}
