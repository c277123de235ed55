import { stripVTControlCharacters } from 'node:util';

/** The shape of what people read: banners, labels and tables as the specification shows them. */

const RULE = '='.repeat(80);
export const THIN_RULE = '-'.repeat(80);

/** A blank line, a rule, the title, a rule, a blank line. */
export function banner(title: string): string[] {
  return ['', RULE, `  ${title}`, RULE, ''];
}

export interface Column {
  readonly title: string;
  /** Cells are padded to this; a longer cell widens the whole column. The last column is never padded. */
  readonly width: number;
}

/** Rows only, two spaces at least between columns; nothing is ever cut. */
export function tableRows(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const widths = columnWidths(columns, rows);
  return rows.map((cells) => tableRow(cells, widths));
}

/** Titles, a rule and the rows. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const widths = columnWidths(columns, rows);
  const titles = tableRow(
    columns.map(({ title }) => title),
    widths,
  );
  return [titles, '-'.repeat(displayWidth(titles)), ...rows.map((cells) => tableRow(cells, widths))];
}

function columnWidths(columns: readonly Column[], rows: readonly (readonly string[])[]): number[] {
  return columns.map(({ title, width }, index) => {
    const cells = [title, ...rows.map((row) => row[index] ?? '')];
    return Math.max(width, ...cells.map((cell) => displayWidth(cell) + 2));
  });
}

function tableRow(cells: readonly string[], widths: readonly number[]): string {
  return cells
    .map((cell, index) => (index === cells.length - 1 ? cell : padded(cell, widths[index]!)))
    .join('');
}

export function padded(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - displayWidth(text)));
}

/** At most `width` columns of a terminal, the last being `…` where something was cut off. */
export function clipped(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let kept = '';
  let used = 0;
  for (const character of text) {
    used += characterWidth(character);
    if (used > width - 1) break;
    kept += character;
  }
  return `${kept}…`;
}

/** How many columns a text takes on a terminal. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of stripVTControlCharacters(text)) width += characterWidth(character);
  return width;
}

/** East Asian wide characters and emoji take two columns, combining marks none. */
function characterWidth(character: string): number {
  const code = character.codePointAt(0)!;
  if (code < 0x300) return 1;
  if (/\p{M}|\p{Cf}/u.test(character)) return 0;
  return /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{20000}-\u{3fffd}]/u.test(
    character,
  )
    ? 2
    : 1;
}
