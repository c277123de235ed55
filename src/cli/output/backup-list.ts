import { printable } from '../../kernel/printable.ts';
import { flawOf, type ListedBackup, type RecoverableRange } from '../../model/report.ts';
import { banner, type Column, THIN_RULE, table, tableRows } from './layout.ts';
import { formatMegabytes, formatSize, formatTime } from './quantities.ts';

/**
 * The lists of the specification. Ids are never cut, and scripts count on these columns; with `verbose` the word
 * `Size` stands in the lines `Size (MB): …` and in no other.
 */

const COLUMNS: readonly Column[] = [
  { title: 'Backup ID', width: 46 },
  { title: 'Collection', width: 20 },
  { title: 'Type', width: 14 },
  { title: 'Date', width: 22 },
  { title: 'Docs', width: 10 },
  { title: 'Size', width: 0 },
];
const VERBOSE_COLUMNS = COLUMNS.map((column) =>
  column.title === 'Size' ? { ...column, title: 'Stored' } : column,
);

/** Rows alone, for pipes. */
export function bareRows(backups: readonly ListedBackup[], verbose: boolean): string[] {
  return withDetails(tableRows(columns(verbose), backups.map(cellsOf)), backups, verbose);
}

/** Everything, one table for each collection. */
export function listByCollection(
  backups: readonly ListedBackup[],
  totals: { readonly backups: number; readonly collections: number },
  verbose: boolean,
  ranges: readonly RecoverableRange[] = [],
): string[] {
  const groups = Map.groupBy(backups, ({ manifest }) => manifest.collection);
  const lines = [
    ...banner('AVAILABLE BACKUPS'),
    `Total Backups: ${totals.backups}`,
    `Collections: ${totals.collections}`,
  ];
  for (const [collection, group] of [...groups].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const count = `${group.length} backup${group.length === 1 ? '' : 's'}`;
    lines.push(
      '',
      `${printable(collection.toUpperCase())} (${count}):`,
      THIN_RULE,
      ...(verbose ? rangeOf(collection, ranges) : []),
      ...fullTable(group, verbose),
    );
  }
  return lines;
}

/** The backups of one collection. */
export function listOfCollection(
  collection: string,
  backups: readonly ListedBackup[],
  totalBackups: number,
  verbose: boolean,
  ranges: readonly RecoverableRange[] = [],
): string[] {
  return [
    ...banner('AVAILABLE BACKUPS'),
    `Collection: ${printable(collection)}`,
    `Total Backups: ${totalBackups}`,
    ...(verbose ? rangeOf(collection, ranges) : []),
    '',
    ...(backups.length > 0 ? fullTable(backups, verbose) : []),
  ];
}

function rangeOf(collection: string, ranges: readonly RecoverableRange[]): string[] {
  const range = ranges.find((one) => one.collection === collection);
  return range === undefined
    ? ['Recoverable: nothing']
    : [`Recoverable: ${formatTime(range.first)} to ${formatTime(range.last)} UTC`];
}

function fullTable(backups: readonly ListedBackup[], verbose: boolean): string[] {
  const [titles, rule, ...rows] = table(columns(verbose), backups.map(cellsOf));
  return [titles!, rule!, ...withDetails(rows, backups, verbose)];
}

function columns(verbose: boolean): readonly Column[] {
  return verbose ? VERBOSE_COLUMNS : COLUMNS;
}

function cellsOf(backup: ListedBackup): string[] {
  const { manifest } = backup;
  const size = formatSize(manifest.file_size);
  const flaw = flawOf(backup);
  return [
    manifest.backup_id,
    printable(manifest.collection),
    manifest.backup_type,
    formatTime(manifest.created_at),
    String(manifest.document_count),
    flaw === null ? size : `${size}  ${flaw}`,
  ];
}

function withDetails(rows: readonly string[], backups: readonly ListedBackup[], verbose: boolean): string[] {
  if (!verbose) return [...rows];
  return rows.flatMap((row, index) => {
    const { backup_id, base_backup_id, file_name, object_path, file_size } = backups[index]!.manifest;
    return [
      row,
      ...(base_backup_id === null ? [] : [`  Chain: ${base_backup_id} -> ${backup_id}`]),
      `  File: ${file_name}`,
      `  Object Path: ${object_path}`,
      `  Size (MB): ${formatMegabytes(file_size)}`,
    ];
  });
}
