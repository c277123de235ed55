import { expect } from 'vitest';
import { BackupError, type ErrorCode } from '../../src/kernel/errors.ts';

/** Matches a BackupError of this code, about this object where one is given. */
export function backupError(code: ErrorCode | RegExp, object?: string): unknown {
  return expect.toSatisfy(
    (thrown: unknown) =>
      thrown instanceof BackupError &&
      (typeof code === 'string' ? thrown.code === code : code.test(thrown.code)) &&
      (object === undefined || thrown.object === object),
    `a BackupError ${code}${object === undefined ? '' : ` about ${object}`}`,
  );
}
