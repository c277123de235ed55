import fc from 'fast-check';

/** JSON text as a server might send it, with what a reader that loses nothing must find in it. */
export interface JsonDocument {
  readonly text: string;
  /** Source text of each top-level member by its decoded key; the last one where a key repeats. */
  readonly members: ReadonlyMap<string, string>;
}

/** A list of documents, bare or in an envelope. */
export interface JsonPage {
  readonly text: string;
  readonly documents: readonly JsonDocument[];
  /** The text without the documents. */
  readonly between: string;
  /** Source text of the envelope's other members than the list by decoded key; empty for a bare list. */
  readonly envelope: ReadonlyMap<string, string>;
}

const whiteSpace = fc.oneof(
  { weight: 3, arbitrary: fc.constant('') },
  { weight: 1, arbitrary: fc.string({ unit: fc.constantFrom(' ', '\n', '\r', '\t'), maxLength: 3 }) },
);

const hexDigit = fc.constantFrom(...'0123456789abcdefABCDEF'.split(''));
const character = fc.oneof(
  { weight: 6, arbitrary: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 }).map(inString) },
  { weight: 3, arbitrary: fc.constantFrom('[', ']', '{', '}', ',', ':', '[{', '}]', '/', "'", '\u2028') },
  {
    weight: 2,
    arbitrary: fc.constantFrom(...['"', '\\', '/', 'b', 'f', 'n', 'r', 't'].map((c) => `\\${c}`)),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(hexDigit, hexDigit, hexDigit, hexDigit).map((digits) => `\\u${digits.join('')}`),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('\\ud800', '\\udc00', '\\ud83d\\ude00', '\\u0000', '\\u000a', '\\u0022'),
  },
);
const string = fc.array(character, { maxLength: 8 }).map((characters) => `"${characters.join('')}"`);

const digits = fc.string({ unit: fc.constantFrom(...'0123456789'.split('')), minLength: 1, maxLength: 40 });
const number = fc
  .record({
    sign: fc.constantFrom('', '-'),
    whole: fc.oneof(
      fc.constant('0'),
      digits.map((text) => `1${text}`),
    ),
    fraction: fc.oneof(
      fc.constant(''),
      digits.map((text) => `.${text}`),
    ),
    exponent: fc.oneof(
      { weight: 3, arbitrary: fc.constant('') },
      {
        weight: 1,
        arbitrary: fc
          .tuple(fc.constantFrom('e', 'E', 'e+', 'E-'), fc.nat(999))
          .map((parts) => parts.join('')),
      },
    ),
  })
  .map(({ sign, whole, fraction, exponent }) => sign + whole + fraction + exponent);

const scalar = fc.oneof(
  string,
  number,
  fc.constantFrom('null', 'true', 'false', '[]', '{}', '""', '0', '-0', '1e400'),
);

/** Keys that some reader treats specially, plain and with escapes; the rest are any strings. */
function keyAmong(names: readonly string[]): fc.Arbitrary<string> {
  const name = fc.constantFrom(
    ...names,
    '__proto__',
    'constructor',
    'toJSON',
    '',
    '2',
    '1',
    'idd',
    'i',
    'Id',
  );
  const escaped = fc
    .tuple(name, fc.infiniteStream(fc.boolean()))
    .map(
      ([text, choices]) =>
        `"${Array.from(text, (c) => (choices.next().value === true ? unicodeEscape(c) : inString(c))).join('')}"`,
    );
  return fc.oneof(
    { weight: 4, arbitrary: name.map((text) => JSON.stringify(text)) },
    { weight: 2, arbitrary: escaped },
    { weight: 2, arbitrary: string },
  );
}

type Member = readonly [key: string, value: string, text: string];

function memberOf(key: fc.Arbitrary<string>, value: fc.Arbitrary<string>): fc.Arbitrary<Member> {
  return fc
    .tuple(whiteSpace, key, whiteSpace, whiteSpace, value, whiteSpace)
    .map(([a, name, b, c, text, d]) => [name, text, `${a}${name}${b}:${c}${text}${d}`] as const);
}

const spaced = (value: fc.Arbitrary<string>) =>
  fc.tuple(whiteSpace, value, whiteSpace).map((parts) => parts.join(''));

const { value: anyValue } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, depthIdentifier: 'json' },
    { weight: 5, arbitrary: scalar },
    {
      weight: 2,
      arbitrary: fc
        .array(spaced(tie('value')), { maxLength: 4, depthIdentifier: 'json' })
        .map((items) => `[${items.join(',')}]`),
    },
    {
      weight: 2,
      arbitrary: fc
        .array(memberOf(keyAmong(['id', 'data']), tie('value')), { maxLength: 4, depthIdentifier: 'json' })
        .map((members) => `{${members.map(([, , text]) => text).join(',')}}`),
    },
  ),
}));

const deepValue = fc
  .tuple(fc.integer({ min: 50, max: 300 }), scalar, fc.boolean())
  .map(([depth, inside, arrays]) =>
    arrays
      ? '['.repeat(depth) + inside + ']'.repeat(depth)
      : '{"id":'.repeat(depth) + inside + '}'.repeat(depth),
  );

export const jsonValue: fc.Arbitrary<string> = fc.oneof(
  { weight: 20, arbitrary: anyValue },
  { weight: 1, arbitrary: deepValue },
);

/** Mostly objects, whose keys are often among `names`; any other value too. */
export function jsonDocument(names: readonly string[]): fc.Arbitrary<JsonDocument> {
  const object = fc
    .tuple(fc.array(memberOf(keyAmong(names), jsonValue), { maxLength: 6 }), whiteSpace)
    .map(([members, inside]) => ({
      text: members.length === 0 ? `{${inside}}` : `{${members.map(([, , text]) => text).join(',')}}`,
      members: lastOfEach(members),
    }));
  const other = jsonValue
    .filter((text) => !text.startsWith('{'))
    .map((text) => ({ text, members: new Map<string, string>() }));
  return fc.oneof({ weight: 4, arbitrary: object }, { weight: 1, arbitrary: other });
}

/** `listName` is the envelope's member that holds the documents; `others` are names that never hold an array. */
export function jsonPage(
  names: readonly string[],
  listName: string,
  others: readonly string[],
): fc.Arbitrary<JsonPage> {
  const items = fc.array(fc.tuple(whiteSpace, jsonDocument(names), whiteSpace), { maxLength: 5 });
  const bare = fc
    .tuple(whiteSpace, whiteSpace)
    .map(([ahead, behind]) => ({ ahead, behind, envelope: new Map() }));
  return fc
    .tuple(items, whiteSpace, fc.oneof(bare, envelopeAround(listName, others)))
    .map(([items, inside, { ahead, behind, envelope }]) => {
      const list = (itemText: (document: JsonDocument) => string) =>
        items.length === 0 ? inside : items.map(([a, item, b]) => a + itemText(item) + b).join(',');
      return {
        text: `${ahead}[${list((document) => document.text)}]${behind}`,
        between: `${ahead}[${list(() => '')}]${behind}`,
        documents: items.map(([, document]) => document),
        envelope,
      };
    });
}

function envelopeAround(listName: string, others: readonly string[]) {
  const otherName = fc.constantFrom(...others).map((name) => JSON.stringify(name));
  const members = fc.array(
    memberOf(fc.oneof(otherName, string), jsonValue).filter(([key]) => JSON.parse(key) !== listName),
    { maxLength: 3 },
  );
  const key = fc.constantFrom(JSON.stringify(listName), `"${unicodeEscape(listName)}"`);
  return fc.tuple(members, whiteSpace, key, whiteSpace, members).map(([before, a, listKey, b, after]) => ({
    ahead: `${a}{${before.map(([, , text]) => `${text},`).join('')}${a}${listKey}${b}:${a}`,
    behind: `${b}${after.map(([, , text]) => `,${text}`).join('')}}${a}`,
    envelope: lastOfEach([...before, ...after]),
  }));
}

/** Ascending positions within a text of `length`, the last of them its end: how it might arrive. */
export function cuts(length: number): fc.Arbitrary<number[]> {
  return fc
    .uniqueArray(fc.integer({ min: 0, max: length }), { maxLength: 8 })
    .map((positions) => [...positions.toSorted((a, b) => a - b), length]);
}

function lastOfEach(members: readonly Member[]): Map<string, string> {
  return new Map(members.map(([key, value]) => [JSON.parse(key) as string, value]));
}

function inString(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

function unicodeEscape(text: string): string {
  return text
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}
