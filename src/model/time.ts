/** Times as they stand in stored records. Milliseconds since 1970 inside the tool, fractions down to a microsecond. */

/** RFC 3339 in UTC with microseconds: `2025-01-09T14:30:00.123456Z`. */
export function formatInstant(milliseconds: number): string {
  return `${formatPlainTime(milliseconds)}Z`;
}

/** The specification's form, UTC without a zone: `2025-01-09T14:30:00.123456`. */
export function formatPlainTime(milliseconds: number): string {
  const whole = Math.floor(milliseconds);
  // cut off, not rounded; but a double of this size may be a quarter of a microsecond below what was meant
  const microseconds = Math.min(999, Math.floor((milliseconds - whole) * 1000 + 0.25));
  return `${new Date(whole).toISOString().slice(0, 23)}${String(microseconds).padStart(3, '0')}`;
}

/** The inverse of both; NaN if the text is neither. */
export function parseInstant(text: string): number {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{3})(\d{3})Z?$/.exec(text);
  if (match === null) return Number.NaN;
  return Date.parse(`${match[1]}.${match[2]}Z`) + Number(match[3]) / 1000;
}

/**
 * A time as people write it, RFC 3339, `2025-01-09 14:30[:00[.5]]` or `2025-01-09` (when that day begins), in UTC unless
 * it has a zone. NaN if it is none of these, or a day or an hour that there is not.
 */
export function parseMoment(text: string): number {
  const match =
    /^(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d)(:\d\d)?(?:\.(\d{1,9}))?\s?([Zz]|[+-]\d\d:?\d\d)?)?$/.exec(
      text.trim(),
    );
  if (match === null) return Number.NaN;
  const [, date, minute = '00:00', second = ':00', fraction = '', zone = 'Z'] = match;
  const plain = `${date}T${minute}${second}`;
  const asUtc = Date.parse(`${plain}Z`);
  // the 30th of February is no day in March
  if (Number.isNaN(asUtc) || new Date(asUtc).toISOString().slice(0, 19) !== plain) return Number.NaN;
  const digits = fraction.padEnd(6, '0');
  const whole = Date.parse(
    `${plain}.${digits.slice(0, 3)}${zone.toUpperCase().replace(/^([+-]\d\d):?/, '$1:')}`,
  );
  return whole + Number(digits.slice(3, 6)) / 1000;
}
