import { DocumentHasher, DocumentTotals } from '../../archive/document-hashes.ts';
import { NotPredecessor, PredecessorReader } from '../../archive/predecessor-reader.ts';
import { GzipDamaged } from '../../kernel/codec.ts';
import { BackupError } from '../../kernel/errors.ts';
import { releaseMemory } from '../../kernel/memory.ts';
import type { Platform } from '../../kernel/platform.ts';
import type { Scratch } from '../../kernel/sorted-runs.ts';
import { parseBackupId } from '../../model/backup-id.ts';
import type { DocumentBatch, DocumentShape } from '../../model/document.ts';
import type { PredecessorFacts } from '../../model/predecessor.ts';
import { detectShape, scanKeyText } from '../../model/shape.ts';
import type { FoundFile } from './found-files.ts';
import { RepeatedKeys, Repeats } from './repeats.ts';

/** What a whole archive of the predecessor holds. */
export interface Examined extends PredecessorFacts {
  /** Milliseconds since 1970: when its export began, as far as anything tells. */
  readonly startedAt: number;
  readonly shape: DocumentShape;
  /** A key occurs twice, or may. */
  readonly mayRepeat: boolean;
  readonly fileSize: number;
  /** Hex, of the file as it lies there. */
  readonly sha256: string;
}

type Tools = Pick<Platform, 'codec'>;
const NAME = /^(.+)_(full|incremental)_(\d{8}_\d{6})\.json\.gz$/;
const EXPORT_MS_MAX = 24 * 60 * 60 * 1000;

/** A reading of one file: its documents, and behind the last one what else is known of it. */
export function readPredecessor({ codec }: Tools, file: FoundFile, signal?: AbortSignal) {
  const reader = new PredecessorReader();
  const hash = codec.createSha256();
  let fileSize = 0;
  async function* stored() {
    for await (const piece of file.read(signal)) {
      hash.update(piece);
      fileSize += piece.length;
      yield piece;
    }
  }
  return {
    batches: (): AsyncGenerator<DocumentBatch> => reader.batches(codec.gunzip(stored())),
    /** Once, after the batches have ended. */
    found: () => ({ facts: reader.facts!, fileSize, sha256: hash.hex() }),
  };
}

/**
 * Reads the whole file, which proves that it is whole. Null if it is an archive of ours. Throws ADOPT_REFUSED, or what
 * reading throws.
 */
export async function examine(
  tools: Tools,
  scratch: Scratch,
  file: FoundFile,
  onBytes: (documents: number, bytes: number) => void,
  signal?: AbortSignal,
): Promise<Examined | null> {
  const reading = readPredecessor(tools, file, signal);
  const shapes = new PossibleShapes();
  const keys = new RepeatedKeys(tools.codec, scratch);
  let documents = 0;
  let bytes = 0;
  let mayRepeat = false;
  try {
    for await (const batch of reading.batches()) {
      shapes.look(batch);
      await keys.look(batch);
      documents += batch.spans.count;
      bytes += batch.bytes.length;
      onBytes(documents, bytes);
      releaseMemory(batch.bytes);
    }
    mayRepeat = await keys.any();
  } catch (thrown) {
    if (thrown instanceof NotPredecessor && thrown.isOurs) return null;
    throw refusal(file, thrown);
  } finally {
    await keys.close();
  }
  const { facts, fileSize, sha256 } = reading.found();
  const startedAt = startedAtOf(file, facts);
  return { ...facts, startedAt, shape: shapes.chosen, mayRepeat, fileSize, sha256 };
}

/** The digest that a backup made of this file has. */
export async function documentsDigest(
  tools: Tools,
  scratch: Scratch,
  file: FoundFile,
  shape: DocumentShape,
  signal?: AbortSignal,
): Promise<string> {
  const repeats = new Repeats(tools.codec, scratch, shape);
  const hasher = new DocumentHasher(tools.codec, shape);
  const totals = new DocumentTotals();
  for await (const batch of repeats.leftOutOf(readPredecessor(tools, file, signal).batches())) {
    for (let index = 0; index < batch.spans.count; index++) totals.add(hasher.read(batch, index));
    releaseMemory(batch.bytes);
  }
  return totals.documentsDigest;
}

export function refusal(file: FoundFile, thrown: unknown): unknown {
  const damaged = thrown instanceof GzipDamaged;
  if (!damaged && !(thrown instanceof NotPredecessor)) return thrown;
  const what = damaged ? `it is cut or damaged: ${thrown.message}` : thrown.message;
  return new BackupError('ADOPT_REFUSED', `${file.label} is no whole archive of the predecessor: ${what}`, {
    object: file.label,
    kept: 'The file is untouched.',
    cure: 'Bring it back from another copy; if it is not an archive of the predecessor, move it elsewhere.',
    cause: thrown,
  });
}

/** The shapes that every document fits. Batch by batch, since any of them may be the one that does not. */
class PossibleShapes {
  #wrapped: DocumentShape[] = ['row', 'id_data'];
  #hasUnderscoreId = true;
  #hasId = true;
  #isEmpty = true;

  look(batch: DocumentBatch): void {
    this.#isEmpty = false;
    this.#wrapped = this.#wrapped.filter((shape) => detectShape(batch, [shape]) === shape);
    this.#hasUnderscoreId &&= detectShape(batch, ['flat_id']) === 'flat_id';
    for (let index = 0; this.#hasId && index < batch.spans.count; index++) {
      this.#hasId = scanKeyText(batch, index, 'flat') !== null;
    }
  }

  get chosen(): DocumentShape {
    if (this.#isEmpty) return 'flat';
    return this.#wrapped[0] ?? (this.#hasUnderscoreId && !this.#hasId ? 'flat_id' : 'flat');
  }
}

/**
 * The predecessor put the second at which it began into the name of the file, and the end into the file. A name that
 * does not fit the content tells nothing.
 */
function startedAtOf({ fileName }: FoundFile, { collection, backupType, endedAt }: PredecessorFacts): number {
  const [, name, type, second] = NAME.exec(fileName) ?? [];
  if (name !== collection || type !== backupType) return endedAt;
  const startedAt = parseBackupId(`x_${type}_${second}`)?.startedAt ?? Number.NaN;
  return startedAt <= endedAt && startedAt > endedAt - EXPORT_MS_MAX ? startedAt : endedAt;
}
