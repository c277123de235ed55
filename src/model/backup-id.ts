import { type Codec, hexOf } from '../kernel/codec.ts';

export type BackupType = 'full' | 'incremental';

/** What can be read off a backup id. `collection` is the encoded name: the real one stands in the manifest. */
export interface BackupIdParts {
  readonly encodedCollection: string;
  readonly backupType: BackupType;
  /** Milliseconds since 1970, a whole second: when the scan of this collection started. */
  readonly startedAt: number;
}

const NAME_BYTES_MAX = 120;
const NAME_BYTES_KEPT = 80;

/**
 * A collection's name as it stands in backup ids and store keys: bytes outside `a–z 0–9 _ - .` as `%` and two
 * lower-case hex digits, `.` and `..` as a whole too; longer than 120 bytes its first 80 (cut between characters),
 * `~` and 16 hex digits of SHA-256 of the name (design.md §5.1).
 */
export function encodeCollectionName(codec: Codec, name: string): string {
  const bytes = Buffer.from(name, 'utf8');
  const dots = name === '.' || name === '..';
  const encoded = (part: Uint8Array): string => {
    let text = '';
    for (const byte of part) text += !dots && isPlain(byte) ? String.fromCharCode(byte) : percent(byte);
    return text;
  };
  const whole = encoded(bytes);
  if (whole.length <= NAME_BYTES_MAX) return whole;
  let kept = '';
  for (const character of name) {
    const longer = kept + encoded(Buffer.from(character, 'utf8'));
    if (longer.length > NAME_BYTES_KEPT) break;
    kept = longer;
  }
  const hash = hexOf(codec.sha256(bytes)).slice(0, 16);
  return `${kept}~${hash}`;
}

function isPlain(byte: number): boolean {
  return (
    (byte >= 0x61 && byte <= 0x7a) ||
    (byte >= 0x30 && byte <= 0x39) ||
    byte === 0x5f ||
    byte === 0x2d ||
    byte === 0x2e
  );
}

function percent(byte: number): string {
  return `%${byte.toString(16).padStart(2, '0')}`;
}

/** `<collection>_<full|incremental>_<YYYYMMDD>_<HHMMSS>`; fractions of a second are cut off. */
export function formatBackupId(parts: BackupIdParts): string {
  return `${parts.encodedCollection}_${parts.backupType}_${compactTime(parts.startedAt)}`;
}

/** The id of this second, or of the next one that is not in `taken`; it is put there. */
export function takeBackupId(parts: BackupIdParts, taken: Set<string>): string {
  for (let time = parts.startedAt; ; time += 1000) {
    const id = formatBackupId({ ...parts, startedAt: time });
    if (taken.has(id)) continue;
    taken.add(id);
    return id;
  }
}

const BACKUP_ID = /^([a-z0-9_.%~-]+)_(full|incremental)_(\d{4})(\d\d)(\d\d)_(\d\d)(\d\d)(\d\d)$/;

/** Null if the text is not a backup id. Parsed from the right, so collections may contain `_`. */
export function parseBackupId(text: string): BackupIdParts | null {
  const match = BACKUP_ID.exec(text);
  if (match === null) return null;
  const [, encodedCollection, backupType, year, month, day, hour, minute, second] =
    match as unknown as string[];
  const startedAt = Date.UTC(+year!, +month! - 1, +day!, +hour!, +minute!, +second!);
  const parts = { encodedCollection: encodedCollection!, backupType: backupType as BackupType, startedAt };
  return formatBackupId(parts) === text ? parts : null;
}

/** `YYYYMMDD_HHMMSS`, UTC. */
export function compactTime(milliseconds: number): string {
  const iso = new Date(milliseconds).toISOString();
  return `${iso.slice(0, 4)}${iso.slice(5, 7)}${iso.slice(8, 10)}_${iso.slice(11, 13)}${iso.slice(14, 16)}${iso.slice(17, 19)}`;
}
