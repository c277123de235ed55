import { BackupError, type ErrorCode } from '../kernel/errors.ts';
import { HttpFailure, type HttpResponse } from '../kernel/http.ts';
import { messageOf, statedMessage } from '../zerodb/answers.ts';
import type { ZerodbClient } from '../zerodb/client.ts';

const ELSEWHERE = 'or keep backups elsewhere with --store';

const CODES: Partial<Record<ErrorCode, { code: ErrorCode; cure: string }>> = {
  SOURCE_NOT_FOUND: {
    code: 'STORE_MISSING',
    cure: 'Run `verify` to see which backups are hit.',
  },
  SOURCE_UNREACHABLE: {
    code: 'STORE_UNREACHABLE',
    cure: 'Run the same command again when the server is back.',
  },
  SOURCE_UNAUTHORIZED: { code: 'STORE_FORBIDDEN', cure: `Check the credentials, ${ELSEWHERE}.` },
  SOURCE_FORBIDDEN: {
    code: 'STORE_FORBIDDEN',
    cure: `Give the credentials the right to use the project's Object Storage, ${ELSEWHERE}.`,
  },
};

/** A failure of the server as a store's; what is none (the source of the pieces failed, say) stays as it is. */
export function storeError(thrown: unknown, label: string, key: string): unknown {
  if (thrown instanceof HttpFailure) {
    const facts = { object: key, temporary: true, cure: 'Run the same command again later.', cause: thrown };
    return new BackupError('STORE_FAILED', `${label}: ${thrown.message}`, facts);
  }
  if (!(thrown instanceof BackupError) || !thrown.code.startsWith('SOURCE_')) return thrown;
  const known = CODES[thrown.code];
  return new BackupError(known?.code ?? 'STORE_FAILED', thrown.message, {
    object: key,
    cure: known?.cure ?? thrown.cure ?? 'Run the same command again later.',
    temporary: thrown.temporary,
    cause: thrown,
  });
}

/** Whether an upload was refused because there is no room for it. Servers say so with all kinds of numbers. */
export function saysFull(response: HttpResponse): boolean {
  if (response.status === 413 || response.status === 507) return true;
  if (response.status < 400 || response.status === 401) return false;
  const words = `${statedMessage(response) ?? ''} ${Buffer.from(response.body.subarray(0, 4096)).toString('latin1')}`;
  return /quota|storage limit|PROJECT_LIMIT|insufficient storage|out of space|no space/i.test(words);
}

export function full(response: HttpResponse, client: ZerodbClient, key: string, length: number): BackupError {
  const says = messageOf(response, client.redaction);
  return new BackupError(
    'STORE_FULL',
    `the Object Storage does not take ${key} (${length} bytes): the server answered ${response.status}: ${says}`,
    {
      object: key,
      kept: 'Nothing of it was left behind; earlier backups are untouched.',
      cure: `Remove objects that nobody needs, raise the quota of the project, ${ELSEWHERE}.`,
    },
  );
}

export function taken(key: string, cause?: unknown): BackupError {
  return new BackupError('STORE_EXISTS', `the Object Storage has an object ${key} already`, {
    object: key,
    cure: 'Another run has just made a backup of this name; run the command again.',
    cause,
  });
}

export function missing(label: string, key: string): BackupError {
  return new BackupError('STORE_MISSING', `there is no ${key} in ${label}`, {
    object: key,
    cure: 'Run `verify` to see which backups are hit.',
  });
}
