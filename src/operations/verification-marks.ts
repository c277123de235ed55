import { type Marks, putMark, removeMark } from '../catalog/marks.ts';
import { toBackupError } from '../kernel/errors.ts';
import type { OperationContext } from '../kernel/events.ts';
import type { MarkKind } from '../model/mark.ts';
import type { ReportedWarning, VerifiedBackup, VerifyLevel } from '../model/report.ts';
import type { Repository } from '../repository.ts';

/** Damage by which a backup cannot be restored; an index is made again from its archive. */
const FATAL: ReadonlySet<string> = new Set(['ARCHIVE_DAMAGED', 'CHAIN_BROKEN']);

/**
 * Notes beside a backup that it was found damaged, so that it is not good any more and gives up no older one, and takes
 * that note away when all of its bytes are found whole. What the store does not take is a warning.
 */
export class VerificationMarks {
  readonly warnings: ReportedWarning[] = [];
  readonly #repository: Repository;
  readonly #marks: Map<string, Set<MarkKind>>;
  readonly #level: VerifyLevel;
  readonly #context: OperationContext;

  /** @param marks as they were when the verification began */
  constructor(repository: Repository, marks: Marks, level: VerifyLevel, context: OperationContext) {
    this.#repository = repository;
    this.#marks = new Map([...marks].map(([id, kinds]) => [id, new Set(kinds)]));
    this.#level = level;
    this.#context = context;
  }

  /** As the store has them now, or would if it took them. */
  get marks(): Marks {
    return this.#marks;
  }

  async note({ backup_id, outcome, errors }: VerifiedBackup): Promise<void> {
    const fatal = errors.find(({ code }) => FATAL.has(code));
    const kinds = this.#marks.get(backup_id) ?? new Set();
    const { signal } = this.#context;
    if (fatal !== undefined && !kinds.has('bad')) {
      this.#marks.set(backup_id, kinds.add('bad'));
      await this.#attempt(backup_id, 'is not marked as damaged', () =>
        putMark(this.#repository, backup_id, 'bad', fatal.message, signal),
      );
    } else if (outcome === 'good' && kinds.has('bad') && this.#level !== 'presence') {
      kinds.delete('bad');
      await this.#attempt(backup_id, 'is still marked as damaged', async () => {
        await removeMark(this.#repository, backup_id, 'bad', signal);
      });
    }
  }

  async #attempt(object: string, what: string, action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (thrown) {
      this.#context.signal?.throwIfAborted();
      const { code, message: why } = toBackupError(thrown);
      const message = `${object} ${what}: ${why}`;
      this.warnings.push({ code, message, object });
      this.#context.onEvent?.({ type: 'warning', object, code, message });
    }
  }
}
