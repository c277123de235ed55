/**
 * One text for all JSON texts of one value: members sorted by name, of repeated names the last, no white space, numbers
 * by their exact decimal value (`1.0`, `1e0` and `1` are one; `9007199254740993` and `9007199254740992` are not). Null
 * if the text is not JSON or is nested too deeply for the engine: then only bytes can be compared.
 */
export function valueText(json: string): string | null {
  try {
    return print(exactValue(json));
  } catch {
    return null;
  }
}

/** The same of each member of an object, with its name before it; null if the text is not a JSON object. */
export function memberTexts(json: string): string[] | null {
  try {
    const value = exactValue(json);
    if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof ExactNumber)
      return null;
    return Object.entries(value).map(([name, member]) => `${JSON.stringify(name)}:${print(member)}`);
  } catch {
    return null;
  }
}

function exactValue(json: string): unknown {
  return JSON.parse(json, (_name, member: unknown, context?: { source?: string }) =>
    typeof member === 'number' ? new ExactNumber(context?.source ?? String(member)) : member,
  );
}

class ExactNumber {
  readonly text: string;
  constructor(source: string) {
    this.text = decimalText(source);
  }
}

/** Sign, digits without zeros around them, and the power of ten of the last one. */
function decimalText(source: string): string {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(source);
  if (match === null) return source;
  const [, sign, whole, fraction = '', exponent = '0'] = match as unknown as [
    string,
    string,
    string,
    string?,
    string?,
  ];
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return '0';
  const power = BigInt(exponent) - BigInt(fraction.length) + BigInt(digits.length - significant.length);
  return `${sign}${significant}e${power}`;
}

function print(value: unknown): string {
  if (value instanceof ExactNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map(print).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${print(member)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}
