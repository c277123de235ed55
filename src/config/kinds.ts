import { printable, truncated } from '../kernel/printable.ts';
import { formatInstant, parseMoment } from '../model/time.ts';

/** What a configured value may look like. `raw` comes from a flag, a variable (text) or a file (YAML, JSON). */
export interface Kind<Value> {
  /** What stands for the value in help and documentation; null for a switch, which takes none. */
  readonly placeholder: string | null;
  /** A flag that is given several times adds up, separated by commas. */
  readonly repeats?: true;
  /** Throws an Error whose message completes a sentence that begins with the option's name. */
  parse(raw: unknown): Value;
  /** As a person would write it. */
  format(value: Value): string;
}

export const text: Kind<string> = textKind('text');
export const url: Kind<string> = textKind('url');
export const file: Kind<string> = textKind('file');
export const directory: Kind<string> = textKind('directory');

function textKind(placeholder: string): Kind<string> {
  return { placeholder, parse: (raw) => nonEmptyText(raw), format: (value) => value };
}

/** Texts, in one text separated by commas. An empty list is an error: it never means "all". */
export function list(placeholder: string): Kind<readonly string[]> {
  return {
    placeholder,
    repeats: true,
    parse(raw) {
      const parts: readonly unknown[] = Array.isArray(raw) ? raw : nonEmptyText(raw).split(',');
      if (parts.length === 0) throw new Error('is empty');
      return parts.map((part) => {
        if (typeof part !== 'string') throw new Error(`holds ${described(part)} where text is needed`);
        if (part.trim() === '') throw new Error('has an empty entry');
        return part.trim();
      });
    },
    format: (value) => value.join(','),
  };
}

export const onOff: Kind<boolean> = {
  placeholder: null,
  parse(raw) {
    if (typeof raw === 'boolean') return raw;
    const word = typeof raw === 'string' ? raw.trim().toLowerCase() : raw;
    if (word === 'true' || word === 'yes' || word === '1' || word === 1) return true;
    if (word === 'false' || word === 'no' || word === '0' || word === 0) return false;
    throw new Error(`is ${described(raw)}, not true or false`);
  },
  format: String,
};

/** As onOff, for what is on unless it is turned off: as a flag it takes a value. */
export const unlessOff: Kind<boolean> = { ...onOff, placeholder: 'true|false' };

export function choice<const Choice extends string>(choices: readonly Choice[]): Kind<Choice> {
  return {
    placeholder: choices.join('|'),
    parse(raw) {
      const found = choices.find((one) => one === raw);
      if (found === undefined) throw new Error(`is ${described(raw)}, not one of ${choices.join(', ')}`);
      return found;
    },
    format: (value) => value,
  };
}

/** A whole number. */
export function count(min: number, max: number): Kind<number> {
  return {
    placeholder: 'n',
    parse(raw) {
      const number = numberOf(raw);
      if (!Number.isInteger(number) || number < min || number > max) {
        throw new Error(`is ${described(raw)}, not a whole number from ${min} to ${max}`);
      }
      return number;
    },
    format: String,
  };
}

/** A number above nought. */
export const rate: Kind<number> = {
  placeholder: 'n',
  parse(raw) {
    const number = numberOf(raw);
    if (!Number.isFinite(number) || number <= 0) {
      throw new Error(`is ${described(raw)}, not a number above 0`);
    }
    return number;
  },
  format: String,
};

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** A stretch of time above nought in milliseconds, written as `500ms`, `30s`, `5m`, `24h`, `7d` or in seconds. */
export const duration: Kind<number> = {
  placeholder: 'time',
  parse(raw) {
    const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(isPlain(raw) ? String(raw).trim() : '');
    const milliseconds = match === null ? 0 : Number(match[1]) * UNIT_MS[match[2] ?? 's']!;
    if (milliseconds <= 0 || !Number.isFinite(milliseconds))
      throw new Error(`is ${described(raw)}, not a time such as 30s, 5m or 24h`);
    return milliseconds;
  },
  format(milliseconds) {
    const units = Object.entries(UNIT_MS).toReversed();
    const [unit, length] = units.find(([, length]) => milliseconds % length === 0) ?? ['ms', 1];
    return `${milliseconds / length}${unit}`;
  },
};

/** A point in time, in milliseconds since 1970. */
export const moment: Kind<number> = {
  placeholder: 'time',
  parse(raw) {
    const time = typeof raw === 'string' ? parseMoment(raw) : Number.NaN;
    if (Number.isNaN(time)) {
      throw new Error(
        `is ${described(raw)}, not a time such as 2025-01-09T14:30:00Z or 2025-01-09 14:30 (UTC)`,
      );
    }
    return time;
  },
  format: formatInstant,
};

function nonEmptyText(raw: unknown): string {
  if (typeof raw !== 'string') throw new Error(`is ${described(raw)}, not text`);
  if (raw.trim() === '') throw new Error('is empty');
  return raw.trim();
}

function numberOf(raw: unknown): number {
  if (typeof raw === 'number') return raw;
  return typeof raw === 'string' && raw.trim() !== '' ? Number(raw) : Number.NaN;
}

function isPlain(raw: unknown): raw is string | number {
  return typeof raw === 'string' || typeof raw === 'number';
}

function described(raw: unknown): string {
  if (raw === null || raw === undefined) return 'empty';
  if (typeof raw === 'string') return printable(JSON.stringify(truncated(raw, 100)));
  if (typeof raw === 'number' || typeof raw === 'boolean') return String(raw);
  return Array.isArray(raw) ? 'a list' : `an ${typeof raw}`;
}
