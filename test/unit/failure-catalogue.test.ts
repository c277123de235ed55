import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

/** Rows of the failure catalogue, and the test that tries each. */
type Rows = Readonly<Record<string, readonly [file: string, title: string]>>;

const SOURCE: Rows = {
  'S01 deletions while paging': ['properties/scan-schedules', 'keep the promise'],
  'S02 insertions while paging': ['properties/scan-schedules', 'a scan ends though documents keep coming'],
  // `SortField` has no field that a writer may change; schedules change the time of creation all the same
  'S03 a sort value that changes': ['properties/scan-schedules', 'keep the promise'],
  'S04 equal sort values in another order each time': [
    'faults/source',
    'S04: ties in another order each time',
  ],
  'S05 wrong totals': ['faults/source', 'S05: a total that is too small'],
  'S06 clamped limit': ['faults/source', 'S06: pages of at most 7, whatever the limit'],
  'S07 ignored offset': ['faults/source', 'S07: every page is page one'],
  'S08 429 in every form': ['faults/rate-limit', 'is kept without hammering'],
  'S09 429 for ever': ['faults/source', 'S09: 429 for ever fails in the end'],
  'S10 5xx, timeout, reset': ['contracts/source.contract', 'survives: %s'],
  'S11 a token that ends': [
    'unit/zerodb/authentication',
    'is repeated as often as a token ends while its request waits',
  ],
  'S12 a forbidden collection': [
    'faults/source',
    'S12: a collection that may not be read makes the run fail and is named',
  ],
  'S13 a collection that vanishes': [
    'unit/operations/source-faults',
    'what was read of a collection that vanishes is kept, marked incomplete',
  ],
  'S14 cut bodies of all kinds': ['unit/platform/undici-http', 'an answer that is %s is cut'],
  'S15 web pages, empty answers': ['contracts/source.contract', 'gives up in the end: %s'],
  'S16 silence within a body': ['faults/source', 'S16: silence at the %s of an answer ends'],
  'S17 one id twice': ['faults/source', 'S17: a document that comes twice with two values'],
  'S18 no id, or an odd one': [
    'faults/source',
    'S18: documents without an id, or with one that names nothing, are kept',
  ],
  'S19 a collection that is created meanwhile': [
    'unit/operations/source-faults',
    'a collection that is created while others are backed up is of the same run, and named',
  ],
  'S20 a collection that is renamed meanwhile': [
    'unit/operations/source-faults',
    'a collection that is renamed while it is read: both names are reported',
  ],
  'S21 large documents': ['faults/small-heap', 'a heap smaller than the data is enough'],
  // the window is not moved back by a lag that nobody can know: README, Limits
  'S22 replica that lags': [
    'unit/operations/source-faults',
    'what did not change is there, and no moment is claimed',
  ],
  'S23 redirect to another host': [
    'unit/zerodb/authentication',
    'is an error that names the other host, and takes no credentials there',
  ],
  'S24 a certificate that nobody signed': [
    'unit/platform/undici-http',
    'a certificate that nobody trusts is never accepted',
  ],
  'S25 a wrong clock': [
    'unit/operations/source-faults',
    'a server whose clock is wrong by hours: said, and the backup does not depend on it',
  ],
  'S26 a cache': [
    'unit/operations/source-faults',
    'a cache is asked to keep out of it, and said to be there',
  ],
  'S27 an empty source': [
    'unit/operations/cleanup',
    'an anomaly freezes its collection until somebody has acknowledged it',
  ],
};

const STORE: Rows = {
  'T01 upload that fails': ['faults/object-storage', 'is lost before it does anything'],
  'T02 upload whose answer is lost': ['faults/object-storage', 'is done, and its answer is lost'],
  'T03 half an upload': ['faults/object-storage', 'of which the server keeps a half does not leave it'],
  'T04 other bytes than were sent': [
    'faults/dishonest-store',
    '%s: exit 7, nothing committed, earlier backups untouched',
  ],
  'T05 bit rot': ['faults/damage', 'is noticed at level %s: every byte changed'],
  'T06 cut or extended': ['faults/damage', 'is noticed at level %s: every cut'],
  'T07 an object that is gone': ['faults/damage', 'an %s: at every level, and a restore knows'],
  'T08 swapped objects': ['faults/damage', 'objects that were swapped'],
  // nothing is ever written over, so there is no older version that could be served
  'T09 an older version': ['contracts/store.contract', 'never overwrites'],
  'T10 a list that is behind': ['unit/operations/cleanup', 'nothing is removed while anything is in doubt'],
  'T11 a list in pages': ['faults/object-storage', 'of %i objects in pages of 100 is complete'],
  'T12 a list that fails': [
    'faults/object-storage',
    'are an error of everything, and nothing is taken for missing',
  ],
  'T13 quota': ['faults/full-store', 'T13: a quota that is used up'],
  'T14 throttling': ['faults/full-store', 'T14: 30 % of all requests throttled'],
  'T15 an outage': ['faults/full-store', 'T15: an outage'],
  'T16 credentials that are withdrawn': ['faults/full-store', 'T16: credentials that are withdrawn'],
  'T17 two writers': ['contracts/store.contract', 'by several at once lets one win, whole'],
  'T18 a holder of a lease that died, a lease that cannot be read': [
    'unit/catalog/lease',
    'that cannot be read stand in the way, and not for ever',
  ],
  'T19 clocks that differ': [
    'unit/operations/cleanup',
    'a clock that is a year ahead does not empty the store',
  ],
  'T20 file systems that fold names': [
    'unit/model/backup-id',
    'makes a segment of a key from any name, and two from two names',
  ],
  'T21 long and reserved names': ['unit/model/backup-id', 'is cut between characters, never inside one'],
  'T22 a share that cannot link': [
    'unit/stores/directory',
    'at any call: either nothing has happened, or the object is there',
  ],
  'T24 a store of something else': [
    'unit/operations/several-stores',
    'a store that holds other files fails alone',
  ],
};

/** Not of this version: locked buckets, copies of one store that went apart. */
const ABSENT = ['T23', 'T25'];

const RESTORE: Rows = {
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

const ROWS: Rows = { ...SOURCE, ...STORE, ...RESTORE };

test.each(Object.entries(ROWS))('%s', (_row, [file, title]) => {
  const suffix = file.endsWith('.contract') ? '.ts' : '.test.ts';
  expect(readFileSync(new URL(`../${file}${suffix}`, import.meta.url), 'utf8')).toContain(title);
});

test('no row is forgotten', () => {
  const upTo = (letter: string, last: number) =>
    Array.from({ length: last }, (_, at) => `${letter}${String(at + 1).padStart(2, '0')}`);
  const rows = [...Object.keys(ROWS).map((row) => row.slice(0, 3)), ...ABSENT];
  expect(rows.sort()).toEqual([...upTo('S', 27), ...upTo('T', 25), ...upTo('X', 18)]);
});
