import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

/** What can go wrong with a restore (rows X01 to X18 of the failure catalogue), and the test that tries it. */
const TESTS: Readonly<Record<string, readonly [file: string, title: string]>> = {
  'X01 crash, then the same command': [
    'properties/restore',
    'a crash at port calls of a restore, then the same command',
  ],
  'X02 insert whose answer is lost': [
    'unit/operations/mending',
    'inserts that got lost are sent again in the same run',
  ],
  'X03 ids that the server gives': [
    'unit/operations/undo',
    'rows without ids are found again under the keys that the server gave them',
  ],
  'X04 what is written over is kept first': [
    'faces/restore-modes',
    'a store that takes nothing stops a restore, unless nothing is to be kept',
  ],
  'X05 merge': ['faces/restore-modes', 'a merge keeps the members that only the target has'],
  'X06 others write meanwhile': [
    'unit/operations/undo',
    'what others write while a plan waits is not written over',
  ],
  'X07 wrong target': [
    'faces/restore-modes',
    'another server is named before it is written to, and agreed to',
  ],
  'X08 documents that the target refuses': [
    'contracts/target.contract',
    'names the one document that is refused, and goes on with others',
  ],
  'X09 fewer inserted than sent': [
    'unit/zerodb/dialect-d',
    'takes no insert for done that is not confirmed row by row',
  ],
  'X10 damaged backup': ['faces/restore-modes', 'what is good of a damaged backup'],
  'X11 empty collection, empty database': [
    'unit/operations/whole-collections',
    'an empty collection comes back with its definition',
  ],
  'X12 rate limit': ['contracts/target.contract', 'repeats an insert that was refused with 429, once it may'],
  'X13 the collection has another schema': [
    'unit/operations/whole-collections',
    'a collection that exists with another schema is named, and kept as it is',
  ],
  'X14 server that reformats': [
    'unit/operations/undo',
    'a server that writes JSON its own way does not stop an undo',
  ],
  'X15 newer format': ['faults/damage', 'of a newer format are refused, and never rewritten'],
  'X16 one collection of several fails': [
    'faces/specification',
    'full_system_restore.sh stops at a collection that has no backup',
  ],
  'X17 chosen documents': [
    'faces/restore-modes',
    'chosen documents: nothing else is written, and little is read',
  ],
  'X18 ten times as many': [
    'unit/operations/whole-collections',
    'ten times as many documents: progress and rate are shown, and a stop is gone on with',
  ],
};

test.each(Object.entries(TESTS))('%s', (_row, [file, title]) => {
  const suffix = file.endsWith('.contract') ? '.ts' : '.test.ts';
  expect(readFileSync(new URL(`../${file}${suffix}`, import.meta.url), 'utf8')).toContain(title);
});
