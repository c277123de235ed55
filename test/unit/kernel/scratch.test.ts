import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BackupError } from '../../../src/kernel/errors.ts';
import { openScratchIn } from '../../../src/kernel/scratch.ts';
import { localFiles } from '../../../src/platform/local-files.ts';
import { interceptedFiles, osError } from '../../support/intercepted-files.ts';

const DIRECTORY = join(tmpdir(), 'zerodb-backup-scratch');

describe('a state directory that cannot be used', () => {
  it.each(['makeDirectory', 'openTemporary', 'write', 'read'] as const)(
    'is named where %s fails, and is no defect of the tool',
    async (operation) => {
      const files = interceptedFiles(localFiles, (call) => {
        if (call.operation === operation) throw osError('ENOSPC');
      });
      const use = async (): Promise<void> => {
        const scratch = await openScratchIn(files, DIRECTORY);
        const file = await scratch.openTemporary();
        await file.write(Buffer.from('x'), 0);
        await file.read(Buffer.alloc(1), 0);
        await file.close();
      };
      await expect(use()).rejects.toMatchObject({ code: 'STATE_FAILED', object: DIRECTORY, exit: 1 });
    },
  );

  it('does not hide another failure by one of closing what is thrown away', async () => {
    const files = interceptedFiles(localFiles, (call) => {
      if (call.operation === 'close') throw osError('EIO');
    });
    const scratch = await openScratchIn(files, DIRECTORY);
    await expect((await scratch.openTemporary()).close()).resolves.toBeUndefined();
  });

  it('leaves other failures as they are', async () => {
    const failure = new BackupError('INTERNAL', 'no failure of the disk');
    const files = interceptedFiles(localFiles, () => {
      throw failure;
    });
    await expect(openScratchIn(files, DIRECTORY)).rejects.toBe(failure);
  });
});
