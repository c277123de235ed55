import { BackupError } from '../kernel/errors.ts';
import type { HttpResponse } from '../kernel/http.ts';
import { failureOf, isSuccess, malformedAnswer } from './answers.ts';
import type { ZerodbClient } from './client.ts';
import type { ListedObject, ObjectDialect } from './object-dialect.ts';

/** The most that any source accepts, and what every one does. A server that gives fewer than asked for is asked on. */
const LIMIT_FIRST = 1000;
const LIMIT_SURE = 100;
/** Nothing is there: what comes nevertheless comes from the beginning. */
const FAR_OFFSET = 1_000_000_000;
/** A list that changes while it is read is read again, this many times at most. */
const PASSES_MAX = 5;

const TASK = { task: 'list the Object Storage' };

/** The members under which servers put the list of an answer. */
const LIST_NAMES = ['objects', 'files', 'data', 'items', 'results', 'documents'];

/** How many objects are asked for at a time; less, once a server has refused more. */
export class ListLimits {
  limit = LIMIT_FIRST;
}

/** One page; null where the server has no such path. Throws SOURCE_MALFORMED for an answer that is no list. */
export async function objectPage(
  client: ZerodbClient,
  dialect: ObjectDialect,
  { prefix, offset, limit }: { prefix: string; offset: number; limit: number },
  signal?: AbortSignal,
): Promise<readonly ListedObject[] | null> {
  // some servers read the one, some the other
  const query = { limit, offset, skip: offset, ...(prefix !== '' && { prefix }) };
  const response = await client.send(
    { method: 'GET', ...dialect.list, query, repeatable: true, signal },
    TASK,
  );
  if ([404, 405, 501].includes(response.status)) return null;
  if (!isSuccess(response)) throw failureOf(response, client.about(TASK));
  const listed = listIn(response);
  if (listed === null) throw malformedAnswer(response, client.about(TASK), 'there is no list in it');
  return listed.map((one) => {
    const entry = typeof one === 'object' && one !== null ? dialect.entry({ ...one }) : null;
    if (entry === null) throw malformedAnswer(response, client.about(TASK), 'one of the objects has no name');
    return entry;
  });
}

/**
 * Every object whose key begins so. Pages are read until one is empty; each begins with the last object of the one
 * before, so that an object removed meanwhile, which moves others out of sight, is noticed and the list read again.
 */
export async function listObjects(
  client: ZerodbClient,
  dialect: ObjectDialect,
  prefix: string,
  limits: ListLimits,
  signal?: AbortSignal,
): Promise<readonly ListedObject[]> {
  for (let pass = 0; pass < PASSES_MAX; pass++) {
    const found = await readPages(client, dialect, prefix, limits, signal);
    // servers that know no prefixes list everything
    if (found !== null) return found.filter(({ key }) => key.startsWith(prefix));
  }
  throw new BackupError('SOURCE_FAILED', `cannot ${TASK.task}: it keeps changing while it is read`, {
    temporary: true,
    cure: 'Run the same command again when nothing else writes to the Object Storage.',
  });
}

/** Null if the list changed meanwhile. */
async function readPages(
  client: ZerodbClient,
  dialect: ObjectDialect,
  prefix: string,
  limits: ListLimits,
  signal: AbortSignal | undefined,
): Promise<ListedObject[] | null> {
  const page = async (offset: number): Promise<readonly ListedObject[]> => {
    const { limit } = limits;
    let listed: readonly ListedObject[] | null;
    try {
      listed = await objectPage(client, dialect, { prefix, offset, limit }, signal);
    } catch (error) {
      const isRefused = error instanceof BackupError && error.code === 'SOURCE_REFUSED';
      if (!isRefused || limit === LIMIT_SURE) throw error;
      limits.limit = LIMIT_SURE;
      return await page(offset);
    }
    if (listed === null) throw new BackupError('SOURCE_FAILED', `cannot ${TASK.task}: its path is gone`);
    return listed;
  };
  const found = [...(await page(0))];
  const addresses = new Set(found.map(({ address }) => address));
  const isNew = ({ address }: ListedObject) => !addresses.has(address);
  if (found.length === 0) return found;
  for (let length = found.length; ; ) {
    // of a page of no round length it is likely that it is the last; whether it is, only an empty one behind it says
    if (length % 100 !== 0 && (await page(found.length)).length === 0) return found;
    const [first, ...rest] = await page(found.length - 1);
    // the last one is gone, or another stands in its place
    if (first === undefined || isNew(first)) return null;
    if (rest.length === 0) {
      const behind = await page(found.length);
      if (behind.length === 0) return found;
      if (!behind.some(isNew)) return await refuseIgnoredOffset(page);
      rest.push(...behind);
    } else if (!rest.some(isNew)) {
      return await refuseIgnoredOffset(page);
    }
    found.push(...rest);
    length = rest.length + 1;
    for (const { address } of rest) addresses.add(address);
  }
}

/** A page held nothing new: either the list has moved, or the server does not look at the offset. */
async function refuseIgnoredOffset(
  page: (offset: number) => Promise<readonly ListedObject[]>,
): Promise<null> {
  if ((await page(FAR_OFFSET)).length === 0) return null;
  throw new BackupError('SOURCE_OFFSET_IGNORED', `cannot ${TASK.task}: every page is page one`, {
    cure: 'Keep backups elsewhere (--store DIR): of this Object Storage nobody can tell what it holds.',
  });
}

function listIn(response: HttpResponse): readonly unknown[] | null {
  const value = jsonOf(response.body);
  if (Array.isArray(value)) return value;
  if (value === null) return null;
  const lists = LIST_NAMES.map((name) => value[name]);
  return lists.find((list) => Array.isArray(list)) ?? null;
}

/** An object or array; null for anything else. */
export function jsonOf(body: Uint8Array): Record<string, unknown> | unknown[] | null {
  try {
    const value: unknown = JSON.parse(
      Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8'),
    );
    return typeof value === 'object' ? (value as Record<string, unknown> | null) : null;
  } catch {
    return null;
  }
}
