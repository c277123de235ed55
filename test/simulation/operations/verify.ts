import type { VerifyLevel, VerifyReport } from '../../../src/model/report.ts';
import { verify } from '../../../src/operations/verify.ts';
import { type Attempt, Violation } from '../attempt.ts';
import type { Faults } from '../faults.ts';
import type { World } from '../world.ts';
import type { Operation } from './operation.ts';

export const verifyOperation: Operation = {
  name: 'verify',
  weight: 3,
  usesTool: true,
  concurrent: true,
  async run(world, faults) {
    const level = world.dice.pick(['presence', 'checksum', 'decode'] as const);
    return [await runVerify(world, faults, level)];
  },
};

/** Verifies everything. Damage that can be seen at this level is named, and nothing else. */
export async function runVerify(
  world: World,
  faults: Faults,
  level: VerifyLevel,
): Promise<Attempt<VerifyReport>> {
  const before = new Set(world.observer.visible);
  const attempt = await world.attempt(faults, ({ repository, signal }) =>
    verify(repository, { backupIds: null, level, maxAgeMs: null }, { signal }),
  );
  world.assertServerUntouched(attempt);
  if (attempt.report !== null) judge(world, attempt.report, before, level, attempt.suffered.size > 0);
  return attempt;
}

function judge(
  world: World,
  report: VerifyReport,
  before: ReadonlySet<string>,
  level: VerifyLevel,
  isDisturbed: boolean,
): void {
  const outcomes = new Map(report.backups.map(({ backup_id, outcome }) => [backup_id, outcome]));
  const damaged = world.observer.damagedBackups;
  for (const id of world.observer.visible) {
    const outcome = outcomes.get(id);
    if (outcome === undefined) {
      if (before.has(id)) throw new Violation(`verify says nothing of ${id}`);
    } else if (damaged.has(id)) {
      if (outcome === 'good' && (level !== 'presence' || world.isObjectGone(id)))
        throw new Violation(`verify takes ${id} for good`);
    } else if (outcome !== 'good' && !isDisturbed) {
      throw new Violation(`verify takes ${id} for ${outcome}: ${JSON.stringify(report.errors)}`);
    }
  }
  const good = report.errors.length === 0;
  if ((report.exit_code === 0) !== good)
    throw new Violation(`verify ends with ${report.exit_code}: ${JSON.stringify(report.errors)}`);
}
